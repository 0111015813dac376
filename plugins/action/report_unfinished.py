# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set what is reported if the run ends early."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Runs on the controller. The callback desi.lab.steps keeps the lines."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        row = {"label": {"type": "str", "required": True}, "text": {"type": "str", "required": True}}
        _spec, args = self.validate_argument_spec(
            {"lines": {"type": "list", "elements": "dict", "options": row, "required": True}}
        )
        return {"changed": False, "lines": args["lines"]}
