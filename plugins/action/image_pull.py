# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pull an image, with progress."""

from __future__ import annotations

from ..plugin_utils._watched import WatchedModule


class ActionModule(WatchedModule):
    """Runs the module desi.lab.image_pull."""
