# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print one text or document on standard output."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.redact import looks_secret
from ansible_collections.desi.lab.plugins.plugin_utils._sinks import keeper_of_this_run


class ActionModule(ActionBase):
    """Runs on the controller. The callback desi.lab.steps prints it."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the text, and nothing else: it may hold a token."""
        super().run(tmp, task_vars)
        _spec, args = self.validate_argument_spec(
            {"text": {"type": "str"}, "data": {"type": "raw"}},
            mutually_exclusive=[("text", "data")],
            required_one_of=[("text", "data")],
        )
        as_json = "data" in self._task.args
        said = args["data"] if as_json else args["text"]
        keeper = keeper_of_this_run()
        if keeper and isinstance(said, str) and looks_secret(said):
            error = LabError(
                "The URL is not shown.",
                f"It holds the lab's token, and {keeper} would keep it.",
                "Run it without that: unset ANSIBLE_LOG_PATH and ANSIBLE_CALLBACKS_ENABLED, or use ./lab.",
            )
            return {"failed": True, "changed": False, **error.as_result()}
        return {"changed": False, "msg": said, "json": as_json, "_ansible_verbose_always": True}
