# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the closing box."""

from __future__ import annotations

import os
import typing as t

from ..module_utils._common.redact import redact
from ..plugin_utils._controller_action import ControllerAction
from ..plugin_utils._sinks import keeper_of_this_run
from ..plugin_utils._terminal import box


class ActionModule(ControllerAction):
    """Runs on the controller. The callback desi.lab.steps lays the box out."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the box as plain lines, and nothing else: they may hold a token."""
        lines, notes, keeper = args["lines"], args["notes"], keeper_of_this_run()
        if keeper:
            shown = [{**each, "text": redact(each["text"])} for each in lines]
            if shown != lines:
                notes = [*notes, f"The token is hidden, because {keeper} would keep it. ./lab url prints it."]
            lines = shown
        # For the document of desi.lab.steps. Other callbacks would print everything twice.
        shown = {"lines": lines, "notes": notes} if os.environ.get("DESI_LAB_JSON") else {}
        return {"msg": box(lines, notes), **shown, "_ansible_verbose_always": True}
