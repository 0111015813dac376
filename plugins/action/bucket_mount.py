# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pass the run's process to the module of the same name."""

from __future__ import annotations

import typing as t

from ..plugin_utils._network import NetworkAction
from .run_lock import run_process


class ActionModule(NetworkAction):
    """Runs the module as usual."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Add the process of the run, which a local module cannot find through sudo."""
        if self._connection.transport == "local":
            self._task.args.setdefault("run", run_process())
        return super().run(tmp, task_vars)
