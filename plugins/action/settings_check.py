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
from ansible_collections.desi.lab.plugins.plugin_utils._settings import check_names, check_own, check_values


class ActionModule(ActionBase):
    """Runs on the controller, whose settings these are."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return an unchanged result, or a failed one with the first invalid setting."""
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
        host = str((task_vars or {}).get("inventory_hostname", ""))
        try:
            check_ansible(bool(C.INJECT_FACTS_AS_VARS), host, getattr(self._connection, "transport", "local"))
            if args["given"] is not None:
                # The raw values: reading task variables would template them.
                typed = load_extra_vars(self._loader)
                check_plain({name: value for name, value in typed.items() if name.startswith(("lab_", "desi_"))})
                check_own(typed, args["own"])
                check_names(args["given"], args["known"])
            if args["values"] is not None:
                check_values(args["values"], args["releases"])
        except LabError as error:
            return {"failed": True, "changed": False, **error.as_result()}
        return {"changed": False}
