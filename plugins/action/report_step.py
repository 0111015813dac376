# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report a finished step."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Runs on the controller. The callback desi.lab.steps lays it out."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _spec, args = self.validate_argument_spec(
            {
                "name": {"type": "str", "required": True},
                "how": {"type": "str", "default": ""},
                "changed": {"type": "bool", "default": False},
            }
        )
        shown = f"{args['name']}: {args['how']}" if args["how"] else args["name"]
        return {
            "changed": args["changed"],
            "name": args["name"],
            "how": args["how"],
            "msg": shown,
            "_ansible_verbose_always": True,
        }
