# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose the directory to share with a lab."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

from ..module_utils._jupyter.host import server_container, take_inventory
from ..module_utils._lab.labels import DIRECTORY, labels_of
from ..module_utils._lab.shared_directory import choose, refusal, refusal_of_data
from ..plugin_utils._caller_directory import around_of, make, why_not
from ..plugin_utils._controller_action import ControllerAction

ENGINE_SECONDS = 10.0


class ActionModule(ControllerAction):
    """Works where the directory is."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the directory, or a failure that says why none is shared."""
        return chosen(args, check_mode=bool(self._task.check_mode))


def directory_of(lab: str) -> str:
    """Return the directory that a lab of this computer shares; empty if there is none, or no engine tells."""
    container = server_container(take_inventory(ENGINE_SECONDS, with_images=False), lab) if lab else None
    directory = labels_of(container or {}).get(DIRECTORY, "")
    return directory if directory.startswith("/") else ""


def chosen(given: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Choose a directory; create the lab's own. Raises LabError for one that must not be shared."""
    uid = os.getuid() if given["uid"] is None else given["uid"]
    gid = os.getgid() if given["gid"] is None else given["gid"]
    around = around_of(
        os.environ, {os.getuid(), uid}, given["homes"], given["programs"], given["private"], sys.platform
    )

    def why(path: str, system: bool = True) -> str:
        return why_not(path, around, system) if path and not given["anyway"] else ""

    has = "" if given["folder"] or given["only_own"] else directory_of(given["lab"])
    directory, instead = choose(given["folder"], given["standing"], given["own"], given["only_own"], why, has)
    reason, of_data = why(directory), why(given["data"], system=False)
    if reason:
        raise refusal(directory, os.path.realpath(directory), reason, given["own"])
    if of_data:
        raise refusal_of_data(given["data"], os.path.realpath(given["data"]), of_data)
    made = given["make"] and directory == given["own"] and not Path(directory).is_dir()
    if made and not check_mode:
        make(directory, uid, gid)
    data = given["data"] and os.path.realpath(given["data"])
    in_data = bool(data) and Path(os.path.realpath(directory)).is_relative_to(data)
    return {"changed": made, "folder": directory, "made": made, "instead": instead, "in_data": in_data}
