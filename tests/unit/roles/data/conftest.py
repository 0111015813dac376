# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import sys
from pathlib import Path

# The relay runs on its own, and is no part of the collection's plugins.
sys.path.insert(0, str(Path(__file__).parents[4] / "roles/data/files"))
