# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of the test: commands that pass or fail, run one after the other in lanes that run side by side."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

# Every process of a run has this in its environment, so that what a killed run left behind is found by the next.
MARK = "DESI_LAB_TEST_RUN"
SHOWN_LINES = 200
ERROR_LINES, ERROR_WIDTH = 12, 600


@dataclass(frozen=True)
class Part:
    """A command that passes or fails. With a ``gate``, it is not begun unless the part of that name has passed."""

    name: str
    command: Sequence[str]
    timeout: int = 300
    environment: Mapping[str, str] = field(default_factory=dict)
    gate: str = ""


class Report:
    """Results, printed as they arrive."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.results: dict[str, bool] = {}
        self.begun = time.monotonic()
        self._news = threading.Condition()

    def add(self, part: Part, passed: bool, seconds: float, text: str) -> None:
        """Print the result of a part, with its output if it failed."""
        self.log(part.name).write_text(text)
        with self._news:
            self.results[part.name] = passed
            lines = [] if passed else [f"  |  {line}" for line in text.rstrip().splitlines()[-SHOWN_LINES:]]
            line = f"  {'ok  ' if passed else 'FAIL'}  {part.name:<28}{seconds:8.1f} s  {last_words(text)}"
            print("\n".join([line.rstrip(), *lines]), flush=True)
            self._news.notify_all()

    def log(self, name: str) -> Path:
        """Return the file with all that a part has said."""
        return self.logs / f"{name.replace(' ', '-')}.log"

    def wait_for(self, name: str) -> bool:
        """Wait until a part has ended; return whether it passed."""
        with self._news:
            self._news.wait_for(lambda: name in self.results)
            return self.results[name]

    def conclude(self) -> int:
        """Print the summary, and return the exit code."""
        failed = [name for name, passed in self.results.items() if not passed]
        minutes, seconds = divmod(round(time.monotonic() - self.begun), 60)
        # Once more at the end, which is what is kept of a long output.
        for name in failed:
            print("\n".join([f"\n{name}:", *(f"  {line}" for line in error_lines(self.log(name).read_text()))]))
        if failed:
            print(f"\nFailed: {', '.join(failed)}. All that was said is in {self.logs}.")
        passed = len(self.results) - len(failed)
        print(f"\n{passed} passed, {len(failed)} failed ({minutes} min {seconds} s)", flush=True)
        return 1 if failed or not self.results else 0


def error_lines(text: str) -> list[str]:
    """Return the lines that say what failed, without colors: pytest's summary, and where the first failure is told."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line)[:ERROR_WIDTH] for line in text.rstrip().splitlines()]
    summary = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    first = next((at for at, line in enumerate(lines) if "fatal: " in line or line.startswith("E  ")), -ERROR_LINES)
    return [*summary[:ERROR_LINES], *lines[first:][:ERROR_LINES]]


def last_words(text: str) -> str:
    """Return the last line if it is a summary, such as pytest's."""
    lines = text.rstrip().splitlines()
    return lines[-1] if lines and re.match(r"\d+ (passed|failed)", lines[-1]) else ""


class Runner:
    """Runs parts, and kills running ones when closed."""

    def __init__(self, report: Report, environment: Mapping[str, str], root: Path) -> None:
        self.report = report
        self.environment = {**environment, MARK: str(os.getpid())}
        self.root = root
        self._running: set[subprocess.Popen[str]] = set()
        self._closed = threading.Event()

    def run_lanes(self, lanes: Sequence[Sequence[Part]], shared: Sequence[Part]) -> None:
        """Run lanes concurrently, the parts of each in order; a finished lane takes shared parts."""
        left = deque(shared)
        threads = [threading.Thread(target=self._run_lane, args=(lane, left), daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run_lane(self, lane: Sequence[Part], shared: deque[Part]) -> None:
        for part in chain(lane, taken(shared)):
            if self._closed.is_set():
                return
            if part.gate and not self.report.wait_for(part.gate):
                self.report.add(part, False, 0, f"Not begun, because {part.gate} failed.")
            else:
                self.run(part)

    def run(self, part: Part) -> bool:
        """Run one part until it ends or times out."""
        begun = time.monotonic()
        process = subprocess.Popen(
            part.command,
            cwd=self.root,
            env={**self.environment, **part.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._running.add(process)
        try:
            text, _ = process.communicate(timeout=part.timeout)
        except subprocess.TimeoutExpired:
            end_session(process)
            text = f"{process.communicate()[0]}\nEnded, because it took more than {part.timeout} seconds."
        self._running.discard(process)
        passed = process.returncode == 0
        if not self._closed.is_set():
            self.report.add(part, passed, time.monotonic() - begun, text)
        return passed

    def close(self) -> None:
        """Kill what still runs."""
        self._closed.set()
        for process in list(self._running):
            end_session(process)


def taken(parts: deque[Part]) -> Iterator[Part]:
    """Take one part after the other, of which others take some meanwhile."""
    with contextlib.suppress(IndexError):
        while True:
            yield parts.popleft()


def end_session(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        break
