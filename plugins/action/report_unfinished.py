# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set what is reported if the run ends early."""

from __future__ import annotations

import typing as t

from ..plugin_utils._controller_action import ControllerAction


class ActionModule(ControllerAction):
    """Runs on the controller. The callback desi.lab.steps keeps the lines."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return args
