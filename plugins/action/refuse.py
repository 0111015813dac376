# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fail with what happened, why, and what to do."""

from __future__ import annotations

import typing as t

from ..module_utils._common.errors import LabError, failure
from ..plugin_utils._controller_action import ControllerAction


class ActionModule(ControllerAction):
    """Fails."""

    RULES: t.ClassVar = {
        "required_together": [("what", "why", "do")],
        "required_one_of": [("what", "errors")],
        "mutually_exclusive": [("what", "errors")],
    }

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return a failed result with the three sentences of one error, or of several."""
        several = args.pop("errors") or [args]
        errors = [LabError(*(str(each[part]) for part in ("what", "why", "do"))) for each in several]
        return {"failed": True, **failure(errors)}
