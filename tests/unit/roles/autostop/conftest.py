# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import sys
from pathlib import Path

# The program that runs on the machine is no part of the collection: it is found where the role keeps it.
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "roles/autostop/files/watch"))
