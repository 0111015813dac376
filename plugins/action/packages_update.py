# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the module of the same name again while another installation is under way."""

from __future__ import annotations

from .packages import ActionModule as PackagesAction


class ActionModule(PackagesAction):
    """Runs the module, and says whom it waits for."""
