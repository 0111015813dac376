# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a lab's start has put into its home, as long as nobody has changed them."""

from __future__ import annotations

import io
import re
import tarfile
import typing as t

from ansible_collections.desi.lab.plugins.module_utils._common.names import BadAnswer, strict_json
from ansible_collections.desi.lab.plugins.module_utils._docker.api import Api
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Docker

# Where the image has what its start copies into the home.
SHARE = "/usr/local/lib/desi-lab/home"
MOST_BYTES = 4 << 20
_IN_HOME = re.compile(r"/[^/]+/[^/]+/(.+)")
# The cell that says of synthetic data that they are.
_BANNER = "synthetic"


def untouched(client: Api | Docker, container: str, files: t.Iterable[str]) -> set[str]:
    """Return those of a container's files that are as its image has them, whatever a notebook printed."""
    files = [path for path in files if _IN_HOME.fullmatch(path)]
    if not files:
        return set()
    given = {name.partition("/")[2]: data for name, data in _files_in(client.archive(container, SHARE, MOST_BYTES))}
    found = set()
    for path in files:
        inside = _IN_HOME.fullmatch(path)
        if inside and inside[1] in given:
            now = [data for _name, data in _files_in(client.archive(container, path, MOST_BYTES))]
            if [_essence(path, data) for data in now] == [_essence(path, given[inside[1]])]:
                found.add(path)
    return found


def _files_in(archive: bytes) -> list[tuple[str, bytes]]:
    """Return the regular files in a tar archive; none of one that is cut or is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            # A sparse file may be said to be of any size.
            members = [member for member in tar if member.isreg() and not member.issparse()]
            return [(member.name, t.cast("t.IO[bytes]", tar.extractfile(member)).read()) for member in members]
    except (tarfile.TarError, EOFError, ValueError):
        return []


def _essence(path: str, data: bytes) -> object:
    """Return what somebody writes in a file: of a notebook, the text of its cells."""
    if not path.endswith(".ipynb"):
        return data
    try:
        cells = strict_json(data, MOST_BYTES)["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells if cell.get("id") != _BANNER]
    except (BadAnswer, LookupError, TypeError, AttributeError, ValueError):
        return data
