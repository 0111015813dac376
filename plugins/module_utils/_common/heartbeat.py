# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""End what nobody waits for any more: a module is told by no signal that the run which started it has ended."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 0.2


class Heartbeat:
    """A file beside the progress file, which whoever waits touches for as long as it does. Removed in the end."""

    def __init__(self, progress: str) -> None:
        self._path = f"{progress}.wanted" if progress else ""

    def __enter__(self) -> Heartbeat:
        if self._path:
            opened = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            # Whoever waits may be another user. Its name cannot be guessed, and there is nothing in it.
            os.fchmod(opened, 0o666)
            os.close(opened)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._path:
            with contextlib.suppress(OSError):
                Path(self._path).unlink()

    def watch(self, quiet: float, end: Callable[[], None]) -> None:
        """Call ``end`` once nobody has touched it for so many seconds of this computer being awake."""
        if self._path:
            threading.Thread(target=self._watch, args=(quiet, end), daemon=True).start()

    def _watch(self, quiet: float, end: Callable[[], None]) -> None:
        known, since = -1, time.monotonic()
        with contextlib.suppress(FileNotFoundError):
            while True:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                touched = Path(self._path).stat().st_mtime_ns
                if touched != known:
                    known, since = touched, time.monotonic()
                elif time.monotonic() - since > quiet:
                    end()
                    return
