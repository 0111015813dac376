# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the versions of Dask in a container, and the environment of its Jupyter server, as JSON.

It is given to whatever Python an image has, as an argument.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path

NAMES = ("dask", "distributed")


def versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in NAMES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def environment() -> dict[str, str]:
    """Return the environment of the first process of Jupyter's; of this one, where there is none to read."""
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            words = (process / "cmdline").read_text(errors="replace").split("\0")
            if not any("jupyter" in Path(word).name for word in words[:3]):
                continue
            pairs = (process / "environ").read_text(errors="replace").split("\0")
        except OSError:
            continue
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    return dict(os.environ)


print(json.dumps({"versions": versions(), "environment": environment()}))
