# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fail with what happened, why, and what to do."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError


class ActionModule(ActionBase):
    """Runs on the controller."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return a failed result with the three sentences."""
        super().run(tmp, task_vars)
        sentence = {"type": "str", "required": True}
        _spec, args = self.validate_argument_spec({"what": sentence, "why": sentence, "do": sentence})
        return {"failed": True, "changed": False, **LabError(**args).as_result()}
