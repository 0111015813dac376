# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of each module that has none of its own (meta/runtime.yml)."""

from __future__ import annotations

import typing as t

from ansible.plugins.action.normal import ActionModule as UsualAction

from ..plugin_utils import _in_process


class ActionModule(UsualAction):
    """Runs a module of this computer in the worker of its task, and one of another host as usual."""

    def _execute_module(
        self,
        module_name: str | None = None,
        module_args: dict[str, t.Any] | None = None,
        task_vars: dict[str, t.Any] | None = None,
        **options: bool,
    ) -> dict[str, t.Any]:
        if not _in_process.is_possible(self, task_vars or {}):
            return super()._execute_module(module_name, module_args, task_vars=task_vars, **options)
        # Names that 0.1.0 had lead to others.
        name = self._task.resolved_action or self._task.action
        return _in_process.run(self, name, self._task.args, task_vars or {})
