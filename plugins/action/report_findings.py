# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print findings, one line each."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils._doctor.findings import summary_of
from ..plugin_utils._terminal import WIDEST, Paint, finding_lines


class ActionModule(ActionBase):
    """Runs on the controller. The callback desi.lab.steps lays them out."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the findings, also as plain lines for other callbacks."""
        super().run(tmp, task_vars)
        text = {"type": "str", "default": ""}
        finding = {
            **dict.fromkeys(("check", "why", "do"), text),
            **{name: {"type": "str", "required": True} for name in ("title", "found")},
            "verdict": {"type": "str", "choices": ["ok", "warning", "broken", "skipped"], "required": True},
            "facts": {"type": "dict"},
        }
        _spec, args = self.validate_argument_spec(
            {"findings": {"type": "list", "elements": "dict", "required": True, "options": finding}}
        )
        plain = Paint(on=False)
        lines = [line for each in args["findings"] for line in finding_lines(each, WIDEST, plain)]
        summary = summary_of(args["findings"])
        shown = {"findings": args["findings"], "summary": summary, "msg": [*lines, "", f"  {summary}"]}
        return {"changed": False, **shown, "_ansible_verbose_always": True}
