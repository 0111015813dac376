# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print one text or document on standard output."""

from __future__ import annotations

import typing as t

from ..module_utils._common.errors import LabError
from ..module_utils._common.redact import looks_secret
from ..plugin_utils._controller_action import ControllerAction
from ..plugin_utils._sinks import keeper_of_this_run


class ActionModule(ControllerAction):
    """The callback desi.lab.steps prints it."""

    RULES: t.ClassVar = {"mutually_exclusive": [("text", "data")], "required_one_of": [("text", "data")]}

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the text, and nothing else: it may hold a token."""
        as_json = "data" in self._task.args
        said = args["data"] if as_json else args["text"]
        keeper = keeper_of_this_run()
        if keeper and isinstance(said, str) and looks_secret(said):
            raise LabError(
                "The URL is not shown.",
                f"It holds the lab's token, and {keeper} would keep it.",
                "Run it without that: unset ANSIBLE_LOG_PATH and ANSIBLE_CALLBACKS_ENABLED, or use ./lab.",
            )
        return {"msg": said, "json": as_json, "_ansible_verbose_always": True}
