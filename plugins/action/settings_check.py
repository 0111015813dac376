# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate settings before anything is created."""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._ansible_settings import check_ansible
from ansible_collections.desi.lab.plugins.plugin_utils._fact_injection import check_plain
from ansible_collections.desi.lab.plugins.plugin_utils._settings import (
    check_own,
    failure,
    name_errors,
    value_errors,
)


class ActionModule(ActionBase):
    """Runs on the controller, whose settings these are."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return an unchanged result, or a failed one with all invalid settings."""
        super().run(tmp, task_vars)
        _spec, args = self.validate_argument_spec(
            {
                "given": {"type": "list", "elements": "str"},
                "known": {"type": "list", "elements": "str"},
                "own": {"type": "list", "elements": "str", "default": []},
                "values": {"type": "dict"},
                "releases": {"type": "dict"},
            },
            required_together=[("given", "known"), ("values", "releases")],
            required_one_of=[("given", "values")],
        )
        errors = []
        host = str((task_vars or {}).get("inventory_hostname", ""))
        try:
            check_ansible(bool(C.INJECT_FACTS_AS_VARS), host, getattr(self._connection, "transport", "local"))
            if args["given"] is not None:
                # The raw values: reading task variables would template them.
                typed = load_extra_vars(self._loader)
                check_plain({name: value for name, value in typed.items() if name.startswith(("lab_", "desi_"))})
                check_own(typed, args["own"])
                errors += name_errors(args["given"], args["known"])
            if args["values"] is not None:
                errors += value_errors(args["values"], args["releases"])
        except LabError as error:
            errors = [error]
        if errors:
            return {"failed": True, "changed": False, **failure(errors)}
        return {"changed": False}
