# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of Docker's pulls and builds, from its output."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from .._common.humanize import decimal_size

Process = subprocess.Popen[bytes]
_UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_LAYER = re.compile(r"\b([0-9a-f]{12}): ([A-Z][A-Za-z ]+?)(?: +\[[=> ]*\] +([\d.]+) ?(\w?B)/([\d.]+) ?(\w?B))?\s*$")
_HERE = ("Already exists", "Pull complete")
_LOADED = ("Verifying Checksum", "Download complete", "Extracting", *_HERE)
_STEP = re.compile(r"^(?:#\d+ \[(?:\S+ )?|Step )(\d+)/(\d+)(?:\]| :) (.*)")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Wide enough: a line that is cut has no bytes in it.
_COLUMNS = 200


class PullProgress:
    """The layers of a pull, from what a terminal is shown."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._size: dict[str, int] = {}
        self._here: dict[str, bool] = {}

    def see(self, line: str) -> str:
        """Read a line; return the progress, empty if it is not known."""
        found = _LAYER.search(line)
        if not found:
            return ""
        layer, state, done, done_unit, size, size_unit = found.groups()
        self._here[layer] = state in _HERE
        if state == "Downloading" and size:
            self._done[layer] = _bytes(done, done_unit)
            self._size[layer] = _bytes(size, size_unit)
        elif state in _LOADED and layer in self._size:
            self._done[layer] = self._size[layer]
        layers = f"{sum(self._here.values())} of {len(self._here)} layers"
        if not self._size:
            return layers
        return f"{decimal_size(sum(self._done.values()))} of {decimal_size(sum(self._size.values()))}, {layers}"


def build_progress(line: str) -> str:
    """Return the progress of a build, if the line begins a step."""
    found = _STEP.match(line)
    return f"step {found[1]} of {found[2]}: {' '.join(found[3].split())}" if found else ""


def _bytes(number: str, unit: str) -> int:
    return int(float(number) * _UNITS.get(unit, 1))


class ProgressFile:
    """A file with the progress, readable by all and removed in the end."""

    def __init__(self, path: str, every: float = 0.5) -> None:
        self._path = path
        self._every = every
        self._written = 0.0

    def __enter__(self) -> ProgressFile:
        if self._path:
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
        return self

    def __exit__(self, *_error: object) -> None:
        if self._path:
            with contextlib.suppress(OSError):
                Path(self._path).unlink()

    def write(self, text: str) -> None:
        """Write the progress, not more often than ``every`` seconds."""
        now = time.monotonic()
        if self._path and text and now - self._written >= self._every:
            self._written = now
            # One that was removed stays so: another thread may write at its end.
            with contextlib.suppress(OSError):
                opened = os.open(self._path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
                with os.fdopen(opened, "w", encoding="utf-8") as file:
                    file.write(text)


def follow(
    command: Sequence[str],
    see: Callable[[str], None],
    environment: Mapping[str, str],
    terminal: bool,
    stdin: IO[bytes] | None = None,
    begun: Callable[[Process], None] = lambda _process: None,
) -> tuple[int, str]:
    """Run a command, pass on each line, and return its exit code and output.

    Docker shows the bytes of a pull on a terminal only. With ``terminal``, its errors come last. The process is given
    to ``begun``.
    """
    ours, theirs = pty.openpty() if terminal else os.pipe()
    if terminal:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, _COLUMNS, 0, 0))
    said: list[str] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=theirs,
            stderr=errors if terminal else theirs,
            env={**os.environ, **environment},
        )
        os.close(theirs)
        begun(process)
        try:
            # A terminal ends with EIO.
            with os.fdopen(ours, encoding="utf-8", errors="replace") as stream, contextlib.suppress(OSError):
                for line in stream:
                    said.append(_ESCAPES.sub("", line.rstrip("\n")))
                    see(said[-1])
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        errors.seek(0)
        return code, "\n".join([*said, *errors.read().splitlines()])
