# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A number for a region, held as long as its process lives.

So several regions run side by side, and what one has left that was killed is known by its number.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

FOLDER = Path("/run/desi-lab-region")
# How many regions one computer takes; each has its own share of the loopback addresses (addresses.py).
MOST = 10


class NoneFreeError(RuntimeError):
    """As many regions run as a computer takes."""


@dataclass(frozen=True)
class Claim:
    """A number that is this process's as long as the file is open; the kernel closes it, however the process ends."""

    number: int
    lock: IO[str]

    @property
    def name(self) -> str:
        """Return what the things of this region are called."""
        return f"desi-lab-region-{self.number}"

    def release(self) -> None:
        """Let another region have the number."""
        self.lock.close()


def claim(folder: Path = FOLDER) -> Claim:
    """Return the first number that no living region has."""
    for found in unclaimed(folder):
        return found
    raise NoneFreeError(f"{MOST} simulated regions run on this computer already. End one of them.")


def unclaimed(folder: Path = FOLDER) -> Iterator[Claim]:
    """Yield each number that no living region has, claimed."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(MOST):
        lock = (folder / f"{number}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            yield Claim(number, lock)


def others_live(folder: Path = FOLDER) -> bool:
    """Return whether another region lives beside that of this process."""
    free = list(unclaimed(folder))
    for found in free:
        found.release()
    return len(free) < MOST - 1
