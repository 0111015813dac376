# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher of a lab's machine: observes, decides and notifies once; a timer repeats it."""

from __future__ import annotations

import sys

from desi_watch.watch import main

sys.exit(main(sys.argv[1:]))
