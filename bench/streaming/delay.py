# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long cable to the S3 server: the program delay.c, compiled here, and what it counts."""

from __future__ import annotations

import mmap
import signal
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

SOURCE = Path(__file__).with_name("delay.c")


@dataclass(frozen=True)
class Counted:
    """What went over the cable."""

    connections: int
    requests: int
    up: int
    down: int

    def __sub__(self, earlier: Counted) -> Counted:
        return Counted(
            self.connections - earlier.connections,
            self.requests - earlier.requests,
            self.up - earlier.up,
            self.down - earlier.down,
        )


def compile_delay(folder: Path) -> Path:
    """Make the program, which takes a second."""
    program = folder / "delay"
    subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


class Delay:
    """A cable with a round trip of so many milliseconds, to a port of this computer."""

    def __init__(self, program: Path, target: int, round_trip: float, rate: float = 0, listen: int = 0) -> None:
        self.round_trip = round_trip
        self._file = tempfile.NamedTemporaryFile(prefix="desi-lab-delay-")  # noqa: SIM115 - as long as the cable
        words = [str(listen), str(target), f"{round_trip:g}", self._file.name] + ([f"{rate:g}"] if rate else [])
        self._process = subprocess.Popen([str(program), *words], stdout=subprocess.PIPE, text=True)
        said = self._process.stdout.readline() if self._process.stdout else ""
        if not said:
            raise RuntimeError("the cable did not start")
        self.port = int(said)
        with Path(self._file.name).open("rb") as counters:
            self._counters = mmap.mmap(counters.fileno(), 40, access=mmap.ACCESS_READ)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counted(self) -> Counted:
        connections, requests, up, down = struct.unpack("=4Q", self._counters[:32])
        return Counted(connections, requests, up, down)

    def pause(self) -> None:
        """Cut the cable: nothing comes through, and nobody is told."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._counters.close()
        self._file.close()

    def __enter__(self) -> Delay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
