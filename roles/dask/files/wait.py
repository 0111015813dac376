# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until a number of workers are connected to the scheduler of this container: NUMBER SECONDS.

If they are not, the names of those that are connected are printed, as JSON. A scheduler that is silent tells none.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request

PAGES = "http://127.0.0.1:8787/json"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def connected() -> int:
    try:
        with OPENER.open(f"{PAGES}/counts.json", timeout=3) as answer:
            return int(json.load(answer)["workers"])
    except (OSError, ValueError, KeyError):
        return -1


def names() -> list[str]:
    with OPENER.open(f"{PAGES}/identity.json", timeout=10) as answer:
        return [str(worker["name"]) for worker in json.load(answer)["workers"].values()]


target, deadline = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
found = connected()
while found < target and time.monotonic() < deadline:
    time.sleep(0.2)
    found = connected()
if found < target:
    # One that computes may have let the last question wait.
    try:
        print(json.dumps(names()))
    except (OSError, ValueError, KeyError):
        sys.exit("The scheduler does not answer.")
    sys.exit(f"{found} of {target} workers are connected to the scheduler.")
