# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fail with what happened, why, and what to do."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError, failure


class ActionModule(ActionBase):
    """Runs on the controller."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return a failed result with the three sentences of one error, or of several."""
        super().run(tmp, task_vars)
        sentence = {"type": "str"}
        _spec, args = self.validate_argument_spec(
            {"what": sentence, "why": sentence, "do": sentence, "errors": {"type": "list", "elements": "dict"}},
            required_together=[("what", "why", "do")],
            required_one_of=[("what", "errors")],
            mutually_exclusive=[("what", "errors")],
        )
        several = args.pop("errors") or [args]
        errors = [LabError(*(str(each[part]) for part in ("what", "why", "do"))) for each in several]
        return {"failed": True, "changed": False, **failure(errors)}
