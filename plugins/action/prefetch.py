# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetch files, with progress, for as long as somebody waits for them."""

from __future__ import annotations

from ..plugin_utils._watched import WatchedModule


class ActionModule(WatchedModule):
    """Runs the module desi.lab.prefetch."""

    ends_alone = True
