# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a lock for the whole run."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import typing as t
from pathlib import Path

from ..module_utils._common.errors import LabError
from ..module_utils._common.run_lock import take
from ..plugin_utils._controller_action import ControllerAction


def run_process() -> int:
    """Return the process of the run, whose forked workers live only for a task."""
    parent = multiprocessing.parent_process()
    return parent.pid if parent and parent.pid else os.getpid()


def verify_directory(path: str, end: str, what: str) -> None:
    """Refuse a directory that is not one lab's, as others keep files in it that have the same names."""
    if not path.startswith("/") or not os.path.normpath(path).endswith(f"/{end}"):
        raise LabError(
            f"The folder {path} is not used for {what}.",
            f"Files of a lab are removed from its folder by name, so its path has to be absolute and end in {end}.",
            f"Give it one for itself, such as {Path.home()}/.config/desi-lab/{end}. If it was made with that folder, "
            "move made.json and what else DESI Lab put there.",
        )


class ActionModule(ControllerAction):
    """Takes it for the process of the run."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Take the lock, or fail with its owner; in check mode, only report the owner."""
        if args["directory"]:
            # As it was given: what expands ~ is not all that uses it.
            verify_directory(str(Path(self._task.args["path"]).parent), args["directory"], args["what"])
        now = datetime.datetime.now().astimezone()
        only_look = bool(self._task.check_mode)
        other = take(Path(args["path"]).absolute(), args["what"], run_process(), now, only_look)
        result = {"held": not only_look, "other": other.words(now) if other else ""}
        if other:
            result["warnings"] = [f"{args['what']} is being worked on by another run ({other.words(now)})."]
        return result
