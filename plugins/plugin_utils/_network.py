# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base class of action plugins whose module reaches the network as another user of this computer."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action.normal import ActionModule as NormalAction

from ..module_utils._common.network import network_of


class NetworkAction(NormalAction):
    """Runs the module with the caller's proxies and authorities, which sudo drops. Another host has its own."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result of the module."""
        if self._connection.transport == "local":
            self._task.args.setdefault("network", network_of(os.environ))
        return super().run(tmp, task_vars)
