# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen: permanent lines, and one status line with a clock."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from ..module_utils._common.text import clean, printable
from ._terminal import WIDEST, Paint, clock_line, fit

WARNINGS = ("[WARNING]: ", "[DEPRECATION WARNING]: ")
_BACK_AND_CLEAR = "\r\x1b[2K"


class Screen:
    """Writes lines to a stream. With a clock, the last line shows the current task and its time."""

    def __init__(self, stream: TextIO, clock: bool = False, tick: float = 1.0) -> None:
        self._stream = stream
        self._clock = clock
        self._tick = tick
        # Reentrant: writing may cause a warning of Ansible's.
        self._lock = threading.RLock()
        self._label = ""
        self._since = 0.0
        self._drawn = False
        self._gap = True
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def columns(self) -> int:
        return shutil.get_terminal_size((WIDEST, 24)).columns

    @property
    def width(self) -> int:
        return min(self.columns, WIDEST)

    def write(self, text: str) -> None:
        """Write permanent text, without control sequences."""
        with self.paused():
            self._put(fit(printable(text), self.encoding) + "\n")
            self._gap = not text

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write permanent lines, with at most one empty line between two."""
        with self.paused():
            for line in lines:
                if line or not self._gap:
                    self.write(line)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Clear the status line while something is written."""
        with self._lock:
            if self._drawn:
                self._put(_BACK_AND_CLEAR)
                self._drawn = False
            yield

    def run(self, label: str) -> None:
        """Start the status line; an empty label ends it."""
        if not self._clock:
            return
        with self.paused():
            self._label, self._since = label, time.monotonic()
            self._draw()
            if label and self._thread is None:
                self._thread = threading.Thread(target=self._keep_time, name="desi.lab.clock", daemon=True)
                self._thread.start()

    def rename(self, label: str) -> None:
        """Change the label; the clock goes on."""
        with self.paused():
            self._label = label if self._label else ""
            self._draw()

    def close(self) -> None:
        """End the status line and its thread."""
        self.run("")
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
            self._thread = None

    def _keep_time(self) -> None:
        while not self._closing.wait(self._tick):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        if self._label and not self._closing.is_set():
            line = clock_line(self._label, time.monotonic() - self._since, shutil.get_terminal_size().columns - 1)
            # Set first: an interrupt may come in between.
            self._drawn = True
            self._put(_BACK_AND_CLEAR + fit(line, self.encoding))

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # The reader is gone (`| head`). The run goes on, and Ansible's last flush must not fail.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


class Voice:
    """Routes output to standard output, standard error, and Ansible's log file."""

    def __init__(
        self, screen: Screen, errors: Screen, paint: Paint, log: Callable[[str], None], quiet: bool = False
    ) -> None:
        self.screen = screen
        self.paint = paint
        self.header = ""
        self._log = log
        self._quiet = quiet
        self._errors = errors
        self._shown_header = ""

    def show(self, lines: Iterable[str], secret: bool = False) -> None:
        """Write a success, under the header of its play; a secret reaches the screen alone."""
        if self._quiet:
            return
        if self.header and self.header != self._shown_header:
            self._shown_header = self.header
            self._write(self.screen, ["", self.paint(self.header, "bold"), ""])
        self._write(self.screen, lines, secret)

    def shout(self, lines: Iterable[str]) -> None:
        """Write a failure, even in quiet mode."""
        if self._quiet:
            self._write(self._errors, lines)
        else:
            self.show(["", *lines, ""])

    def _write(self, screen: Screen, lines: Iterable[str], secret: bool = False) -> None:
        lines = list(lines)
        screen.write_lines(lines)
        text = clean("\n".join(lines)).strip("\n")
        if text and not secret:
            self._log(text)


def share(
    display: Any,  # noqa: ANN401  # Ansible's Display
    screen: Screen,
    to_stderr: bool = False,
    hear: Callable[[str], bool] = lambda _text: False,
) -> list[str]:
    """Keep other output of Ansible clear of the status line.

    Their warnings are not printed but put into the list that is returned, for the end of the run. What ``hear`` says
    yes to is its own to show.
    """
    shared, owner = display.display, os.getpid()
    warnings: list[str] = []

    @functools.wraps(shared)
    def display_beside(msg: str, color: str | None = None, stderr: bool = False, **rest: Any) -> None:  # noqa: ANN401
        # A forked worker only forwards the text to the main process.
        if os.getpid() != owner:
            shared(msg, color, stderr, **rest)
            return
        if hear(msg):
            return
        if rest.get("log_only"):
            shared(msg, color, stderr, **rest)
            return
        if msg.startswith(WARNINGS):
            warnings.append(msg)
            rest["log_only"] = True
        with screen.paused():
            shared(msg, color, stderr or to_stderr, **rest)

    display.display = display_beside
    return warnings
