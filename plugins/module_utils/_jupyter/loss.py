# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would be lost when a lab is stopped, restarted, replaced or removed: decided once, for all verbs."""

from __future__ import annotations

import io
import re
import tarfile
import typing as t

from .._common.humanize import amount
from .._common.names import BadAnswer, strict_json
from .._docker.api import Api
from .._docker.cli import Docker
from .activity import Line

STOP, RESTART, LIMIT, REPLACE, REMOVE = "stop", "restart", "limit", "replace", "remove"
ENDINGS = (STOP, RESTART, LIMIT, REPLACE, REMOVE)
# Of a container's own file system; what is bound into it is no part of that.
SYSTEM = re.compile(r"/(bin|boot|dev|etc|global|lib\w*|media|mnt|opt|proc|run|sbin|sys|tmp|usr|var)(/|$)")
# What the start of a lab leaves in its home.
OURS = re.compile(r"/[^/]+/[^/]+/(desidata|scratch|synced)")
UNSEEN = re.compile(r"/(\.|__pycache__(/|$))")
PACKAGES = (
    re.compile(r".*/(?:site|dist)-packages/([^/]+?)-([^/-]+)\.(?:dist|egg)-info"),
    re.compile(r".*/conda-meta/([^/]+)-([^/-]+)-[^/-]+\.json"),
    re.compile(r"/var/lib/dpkg/info/([^/:]+)(?::[^/]+)?\.list()"),
)
ENDED = ("kernel", "terminal", "notebook", "shell", "command")
NAMED = 5
ADDED = 1
# Where the image has what its start copies into the home.
SHARE = "/usr/local/lib/desi-lab/home"
MOST_BYTES = 4 << 20
_IN_HOME = re.compile(r"/[^/]+/[^/]+/(.+)")
# The cell that says of synthetic data that they are.
_BANNER = "synthetic"


class Layer(t.NamedTuple):
    """What was installed and written in a container since it was made."""

    packages: t.List[str]  # noqa: UP006 - evaluated by Python 3.9, too
    files: t.List[str]  # noqa: UP006


class Loss(t.NamedTuple):
    """What would be lost, as rows and in words, and whether somebody has to confirm it."""

    rows: t.List[Line]  # noqa: UP006
    words: str
    asks: bool


def layer_of(changes: t.Iterable[t.Mapping[str, t.Any]], bound: t.Collection[str] = ()) -> Layer:
    """Return what somebody changed in a container, from its changes as the engine lists them.

    ``bound`` are directories in it that belong to its host.
    """
    kinds = {str(each.get("Path")): each.get("Kind") for each in changes}
    paths = [path for path, kind in sorted(kinds.items()) if path.startswith("/") and kind in (0, ADDED)]
    packages = {" ".join(filter(None, found.groups())) for path in paths if (found := _package(path))}
    holds = {path.rpartition("/")[0] for path in paths}
    files = [path for path in paths if path not in holds and _is_somebodys(path, bound)]
    return Layer(sorted(packages, key=str.lower), files)


def _package(path: str) -> re.Match[str] | None:
    return next((found for found in (form.fullmatch(path) for form in PACKAGES) if found), None)


def _is_somebodys(path: str, bound: t.Collection[str]) -> bool:
    if SYSTEM.match(path) or OURS.fullmatch(path) or UNSEEN.search(path):
        return False
    return not any(f"{path}/".startswith(f"{directory.rstrip('/')}/") for directory in bound)


def loss(ending: str, running: bool, activity: t.Sequence[Line], layer: Layer | None) -> Loss:
    """Return what would be lost with a container. ``layer`` is None if the engine does not know it.

    A container that is started again keeps what is in it. One that runs is never replaced without a question: somebody
    may have its page open. A removal is always asked for.
    """
    rows = list(activity) if running else []
    asks = ending == REMOVE or bool(rows) or (running and ending == REPLACE)
    numbers = {label: sum(row["label"] == label for row in rows) for label in ENDED}
    if ending in (REPLACE, REMOVE):
        found = {"package": layer.packages, "file": layer.files} if layer else {}
        for label, names in found.items():
            numbers[label] = len(names)
            if names:
                more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
                rows.append({"label": f"{label}s", "text": ", ".join(names[:NAMED]) + more, "about": ""})
        if layer is None:
            rows.append({"label": "installed", "text": "the engine does not tell what", "about": ""})
        asks = asks or layer is None or any(found.values())
    words = [amount(number, label) for label, number in numbers.items() if number]
    words += ["what its Dask workers compute"] if any(row["label"] == "Dask" for row in rows) else []
    listed = " and ".join([*([", ".join(words[:-1])] if words[1:] else []), *words[-1:]])
    return Loss(rows, listed or ("what runs in it" if rows else ""), asks)


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
