# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that is watched, with clocks that tests move."""

from __future__ import annotations

from desi_watch.decision import Now, Record, Seen, decide
from desi_watch.settings import HOUR, Settings

BUSY = Seen(active=("a kernel is busy",))
QUIET = Seen()
DOUBT = Seen(doubts=("the server does not answer",))
START = 1_795_000_000.0


class Machine:
    """A machine with its two clocks, whose watcher looks at it."""

    def __init__(self, settings: Settings = Settings(), booted: float = 0.25) -> None:  # noqa: B008 - cannot be changed
        self.settings, self.booted = settings, booted
        self.mono, self.wall = booted, START
        self.record: Record | None = None
        self.notices: list[tuple[float, str, float]] = []
        self.decision = None

    def look(self, seen: Seen = QUIET, after: float = 60.0) -> str:
        """Look after so many seconds; return why the machine is stopped, or nothing."""
        self.mono += after
        self.wall += after
        self.record, self.decision = decide(self.record, seen, self.settings, Now(self.wall, self.mono, self.booted))
        self.notices += [(self.mono, notice.kind, notice.stop) for notice in self.decision.news]
        return self.decision.stop

    def run(self, seen: Seen = QUIET, until: float = 48 * HOUR, every: float = 60.0) -> float | None:
        """Look again and again; return after how many seconds it is stopped, if it is."""
        began = self.mono
        while self.mono - began < until:
            if self.look(seen, every):
                return self.mono - began
        return None
