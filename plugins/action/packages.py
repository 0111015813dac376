# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the module of the same name again while another installation is under way."""

from __future__ import annotations

import time
import typing as t

from ..plugin_utils._network import NetworkAction
from ..plugin_utils._progress import Underway, display_progress

PATIENCE = 600.0
PAUSE = 5.0


class ActionModule(NetworkAction):
    """Runs the module, and says whom it waits for."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the first result that is no lock, or the last one when patience ends."""
        end = time.monotonic() + PATIENCE
        while True:
            result = super().run(tmp, task_vars)
            holder = result.get("locked")
            if not holder or time.monotonic() >= end:
                return result
            display_progress(self._display, Underway(f"{self._task.get_name()}, once {holder} is done"))
            time.sleep(PAUSE)
