# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read with checksums while everything between goes wrong: bench/stream faults [--minutes N].

What is read must be right or an error, and ten seconds after a fault is over there must be something to read again.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils._mount.host import processes, unmount_call, wait_until
from ansible_collections.desi.lab.plugins.module_utils._mount.mounter import make_job
from ansible_collections.desi.lab.plugins.module_utils._mount.programs import (
    find_python,
    install_rclone,
    install_relay,
    rclone_path,
    relay_command,
)
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import MountSpec
from ansible_collections.desi.lab.plugins.module_utils._mount.supervisors import LoopSupervisor, stop_all
from ansible_collections.desi.lab.plugins.module_utils._mount.tools import Tool

from . import shapes
from .candidates import RELAY, tool
from .delay import Delay, compile_delay
from .middleman import Middleman
from .readers import read_at
from .server import BUCKET, Server, put

FILES = 4
READERS = 4
PIECE = 1 << 20
CHANGING = f"{shapes.TREE_ROOT}/changing.bin"
CHANGING_SIZE = 24 << 20
BACK_WITHIN = 10.0


@dataclass
class Seen:
    """What the readers saw."""

    counts: Counter[str] = field(default_factory=Counter)
    last_good: float = 0.0
    wrong: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


def read_known(root: Path, sums: dict[tuple[str, int], str], seen: Seen) -> None:
    """Read pieces of files that never change, and compare them."""
    places = sorted(sums)
    chance = random.Random()
    while not seen.ended.is_set():
        name, place = chance.choice(places)
        try:
            with (root / name).open("rb", buffering=0) as file:
                data = read_at(file.fileno(), PIECE, place)
        except OSError as problem:
            seen.counts[f"error: {problem.strerror}"] += 1
            time.sleep(0.05)
            continue
        if hashlib.sha256(data).hexdigest() == sums[name, place]:
            seen.counts["right"] += 1
            seen.last_good = time.monotonic()
        else:
            seen.wrong.append(f"{name} at {place}, {len(data)} bytes, {data.count(0)} of them zero")


def read_changing(root: Path, seen: Seen) -> None:
    """Read an object that is replaced again and again: all of it has to be of one version."""
    while not seen.ended.is_set():
        try:
            data = (root / CHANGING).read_bytes()
        except OSError:
            seen.counts["changing: error"] += 1
            time.sleep(0.1)
            continue
        if len(data) == CHANGING_SIZE and len(set(data)) == 1:
            seen.counts["changing: one version"] += 1
        else:
            seen.wrong.append(f"{CHANGING}: {len(data)} bytes of {len(set(data))} versions")


def known_sums(server: Server) -> dict[tuple[str, int], str]:
    from .floor import Direct

    direct, sums = Direct(server.port), {}
    for name in shapes.loop_names(FILES):
        for place in range(0, direct.size(name), PIECE):
            sums[name, place] = hashlib.sha256(direct.read(name, PIECE, place)).hexdigest()
    return sums


class Faults:
    """All that can go wrong, each with how it is undone."""

    def __init__(self, supervisor: LoopSupervisor, delay: Delay, middleman: Middleman, port: int) -> None:
        self._supervisor, self._delay, self._middleman, self._port = supervisor, delay, middleman, port
        self._version = 0

    def kill_tool(self) -> None:
        for process in self._supervisor.tools():
            process.signal(signal.SIGKILL)

    def kill_relay(self) -> None:
        for process in processes():
            if str(process.command[0]) == find_python() and self._supervisor.mountpoint in process.command:
                process.signal(signal.SIGKILL)

    def network_away(self, seconds: float) -> None:
        self._delay.pause()
        time.sleep(seconds)
        self._delay.go_on()

    def server_says(self, what: int | str, seconds: float = 4) -> None:
        self._middleman.fault = what
        time.sleep(seconds)
        self._middleman.fault = None

    def change(self) -> None:
        self._version = (self._version + 1) % 200
        put(self._port, f"/{BUCKET}/{CHANGING}", bytes([self._version]) * CHANGING_SIZE)

    def all(self) -> list[tuple[str, Callable[[], None]]]:
        return [
            ("mount tool killed", self.kill_tool),
            ("server says 500", lambda: self.server_says(500)),
            ("object changed", self.change),
            ("bodies truncated", lambda: self.server_says("truncated")),
            ("network away for 10 s", lambda: self.network_away(10)),
            ("server says 503", lambda: self.server_says(503)),
            ("relay killed", self.kill_relay),
            ("server says slow down", lambda: self.server_says(429)),
            ("network away for 60 s", lambda: self.network_away(60)),
        ]


def run(server: Server, scratch: Path, minutes: float) -> int:
    """Let it go wrong for so many minutes; return 0 if every byte was right and everything came back."""
    sums = known_sums(server)
    put(server.port, f"/{BUCKET}/{CHANGING}", b"\0" * CHANGING_SIZE)
    mountpoint = scratch / "faults" / "m"
    mountpoint.mkdir(parents=True)
    program = compile_delay(scratch)
    with Middleman(server.port) as middleman, Delay(program, middleman.port, 20) as delay:
        # A small cache, so that there is always something to be asked for.
        spec = MountSpec(BUCKET, endpoint=delay.endpoint, cache=str(scratch / "faults" / "c"), cache_max=64 << 20)
        # As in a lab: root runs copies of its own.
        programs = str(scratch / "faults" / "programs")
        install_rclone(tool("rclone"), programs)
        install_relay(RELAY, programs)
        command = relay_command(RELAY, find_python(), programs)
        rclone = Tool("rclone", rclone_path(programs), (1, 75, 2), command)
        supervisor = LoopSupervisor(str(mountpoint))
        supervisor.start(make_job(rclone, spec, str(mountpoint), os.environ, programs=programs))
        seen = Seen()
        work = [threading.Thread(target=read_known, args=(mountpoint, sums, seen), daemon=True) for _ in range(READERS)]
        work.append(threading.Thread(target=read_changing, args=(mountpoint, seen), daemon=True))
        try:
            wait_until(mountpoint.is_mount, 20)
            for one in work:
                one.start()
            late = _go_wrong(Faults(supervisor, delay, middleman, server.port), seen, minutes)
        finally:
            seen.ended.set()
            delay.go_on()
            stop_all([supervisor], 5)
            unmount_call(str(mountpoint), lazily=True)
    for what, count in sorted(seen.counts.items()):
        print(f"  {count:7} {what}")
    print(f"  {'✗' if seen.wrong else '✓'} {len(seen.wrong)} reads with wrong bytes {'; '.join(seen.wrong[:3])}")
    print(f"  {'✗' if late else '✓'} back within {BACK_WITHIN:g} s after every fault {'; '.join(late)}")
    return 1 if seen.wrong or late else 0


def _go_wrong(faults: Faults, seen: Seen, minutes: float) -> list[str]:
    late, ends = [], time.monotonic() + 60 * minutes
    while time.monotonic() < ends:
        for name, happen in faults.all():
            happen()
            over = time.monotonic()
            back = wait_until(lambda over=over: seen.last_good > over, 60)
            took = seen.last_good - over
            print(f"  {name:24} read again after {max(took, 0):5.1f} s", flush=True)
            if not back or took > BACK_WITHIN:
                late.append(f"{name}: {took:.1f} s")
            time.sleep(3)
            if time.monotonic() > ends:
                break
    return late
