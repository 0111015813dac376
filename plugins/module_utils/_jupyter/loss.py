# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would be lost when a lab is stopped, restarted, replaced or removed: decided once, for all verbs."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.desi.lab.plugins.module_utils._common.humanize import amount
from ansible_collections.desi.lab.plugins.module_utils._jupyter.activity import Line

STOP, RESTART, REPLACE, REMOVE = "stop", "restart", "replace", "remove"
ENDINGS = (STOP, RESTART, REPLACE, REMOVE)
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
