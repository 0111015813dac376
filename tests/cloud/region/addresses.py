# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public addresses of machines: loopback addresses, each given anew at every start, as on EC2."""

from __future__ import annotations

import itertools
import threading

# Of 127.0.16.0/20, 127.0.32.0/20 and so on, a region has one by its number.
SHARE = 16


class Addresses:
    """Gives the loopback addresses of one region, one after the other."""

    def __init__(self, number: int) -> None:
        first = SHARE * (number + 1)
        self._all = itertools.cycle(
            f"127.0.{block}.{host}" for block in range(first, first + SHARE) for host in range(1, 255)
        )
        self._lock = threading.Lock()

    def new(self) -> str:
        """Return an address that no machine has had for thousands of starts."""
        with self._lock:
            return next(self._all)


def share(number: int) -> str:
    """Return the network that holds all addresses of a region."""
    return f"127.0.{SHARE * (number + 1)}.0/20"
