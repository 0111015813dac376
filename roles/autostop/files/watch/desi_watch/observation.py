# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One observation of the machine: its use, what is not known, and marks to compare the next one with."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from desi_watch import counters, engine, processes, server
from desi_watch.decision import Now
from desi_watch.settings import Settings
from desi_watch.state import MOST, printable

KEEP = "keep-running"
# What a look may fail by. Anything else is a fault of the watcher's own.
FAILURES = (OSError, ValueError, LookupError, TypeError, subprocess.SubprocessError, http.client.HTTPException)


class Observation:
    """What one observation gathers. A part that fails is a doubt, and does not stop the other parts."""

    def __init__(self, before: dict[str, Any]) -> None:
        self.before = before
        self.marks: dict[str, Any] = {"kernels": {}}
        self.active: list[str] = []
        self.doubts: list[str] = []
        self.labs: list[engine.Lab] = []

    @contextlib.contextmanager
    def part(self, what: str) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            self.doubts.append(f"{what} cannot be known ({error or type(error).__name__})")

    def observe_host(self, settings: Settings, now: Now) -> None:
        """Observe the use of the whole machine, whoever uses it."""
        with self.part("what the processors do"):
            found = counters.read_counters()
            self.marks.update(counted=found, mono=now.mono)
            passed = now.mono - float(self.before.get("mono", now.mono))
            self.active += counters.above_floors(
                self.before.get("counted", {}), found, passed, settings.cpu_floor, settings.network_floor
            )
        with self.part("which programs run"):
            running = list(processes.processes())
            self.active += processes.people(running, now.mono) + processes.commands(running)

    def observe_labs(self, socket: str) -> None:
        with self.part("which labs run"):
            self.labs = engine.labs(socket)
        for lab in self.labs:
            with self.part(f"what lab {lab.name} does"):
                self._server(lab)
        with self.part("what Dask does"):
            for pid in engine.schedulers(socket) if self.labs else ():
                with server.network_of(pid):
                    self.active += server.dask()

    def _server(self, lab: engine.Lab) -> None:
        reached = server.server_of(lab.pid, lab.port)
        with server.network_of(lab.pid):
            # Before it is asked, for that is a connection, too.
            self.active += server.browsers(server.connections(lab.port))
            found = server.query(reached, "api/kernels")
            self.active += server.dask()
        busy, marks = server.kernels(found, self.before.get("kernels", {}))
        self.active += busy
        self.marks["kernels"].update(marks)

    def touched_at(self) -> float | None:
        """Return when somebody touched the file that asks for more time."""
        times = []
        for directory in self.directories():
            with contextlib.suppress(OSError):
                times.append((directory / KEEP).lstat().st_mtime)
        return max(times, default=None)

    def directories(self) -> list[Path]:
        """Return the users' folders of the labs."""
        return sorted({Path(lab.directory) for lab in self.labs if lab.directory.startswith("/")})


def observe(before: dict[str, Any], settings: Settings, now: Now, socket: str) -> dict[str, Any]:
    """Return the observation, as JSON has it."""
    found = Observation(before)
    parts: tuple[Callable[[], None], ...] = (
        lambda: found.observe_host(settings, now),
        lambda: found.observe_labs(socket),
    )
    for part in parts:
        try:
            part()
        except Exception as error:  # a fault in one part is a doubt, and no reason to leave the other out
            found.doubts.append(f"the watcher has a fault ({type(error).__name__}: {error})")
    return {
        "active": list(dict.fromkeys(map(printable, found.active)))[:MOST],
        "doubts": list(dict.fromkeys(map(printable, found.doubts)))[:MOST],
        "touched": found.touched_at(),
        "directories": [str(directory) for directory in found.directories()],
        "marks": found.marks,
    }


def clocks() -> Now:
    """Return what the clocks say. The first process began when the machine did."""
    mono = time.clock_gettime(time.CLOCK_BOOTTIME)
    began = processes.parsed((processes.PROC / "1/stat").read_text(encoding="utf-8", errors="replace")).began
    return Now(time.time(), mono, began)


def terminals() -> list[processes.Process]:
    """Return the processes that terminals were opened with, those in labs included."""
    return [each for each in processes.processes() if each.leads_terminal and each.pid != os.getpid()]
