# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure it all: bench/stream [--quick]. The candidates take turns, so that all see the same machine."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils._prefetch.fetcher import Fetch

from . import faults, floor, report, shapes
from .candidates import CANDIDATES, OURS, Mounted, ours
from .delay import Delay, compile_delay
from .server import Server

BENCH = Path(__file__).parents[1]
KEPT = BENCH.parent / ".cache/stream"
FAST = ("headers", "one_hdu", "scattered", "whole", "fitsio", "astropy", "readers4")
SLOW = ("loop", "listing", "column", "zipped")
# Measured by itself, over a line that is bounded.
APART = ("prefetch",)
# Nobody waits for longer than this, and the others shall have their turn.
PATIENCE = 100


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/stream", description="Measure how fast the mounted bucket is.")
    parser.add_argument("what", nargs="?", choices=["speed", "faults"], default="speed")
    parser.add_argument("--quick", action="store_true", help="60 ms only, smaller files, ten minutes")
    parser.add_argument("--round-trips", default="", help="in milliseconds, such as 0,20,60")
    parser.add_argument("--columns", default="", help="only these, such as headers,whole")
    parser.add_argument("--minutes", type=float, default=0, help="go round again until so much time has gone")
    parser.add_argument("--picture", type=Path, help="where to draw the result, such as docs/streaming.png")
    return parser.parse_args(words)


def run_reader(what: str, root: Path, *more: str) -> dict[str, float]:
    """Read in a process of its own; what takes too long counts as that long."""
    command = [sys.executable, "-m", "streaming.readers", what, str(root), *more]
    try:
        done = subprocess.run(command, cwd=BENCH, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {"seconds": float(PATIENCE)}
    if done.returncode:
        raise RuntimeError(f"{what} failed: {done.stderr[-500:]}")
    return json.loads(done.stdout)


class Run:
    """One run, with all that it needs."""

    def __init__(self, known: argparse.Namespace, server: Server, program: Path, scratch: Path) -> None:
        self.known, self.server, self.program, self.scratch = known, server, program, scratch
        self.results = report.Results()
        self.ends = time.monotonic() + 60 * (known.minutes or (8 if known.quick else 60))
        columns = known.columns.split(",") if known.columns else []
        left_out = ("zipped", "fitsio", "astropy") if known.quick and not columns else ()
        self.columns = [
            name for name in (*FAST, *SLOW, *APART) if name not in left_out and (not columns or name in columns)
        ]

    def everything(self) -> None:
        trips = self.known.round_trips or ("60" if self.known.quick else "60,20,0")
        for trip in map(float, trips.split(",")):
            self.round(trip, [name for name in self.columns if name not in APART])
        self.line(60)
        if "prefetch" in self.columns:
            self.prefetch(60)
        self.states(60)
        self.memory()
        while time.monotonic() < self.ends:
            for trip in map(float, trips.split(",")):
                self.round(trip, [name for name in self.columns if name not in (*SLOW, *APART) or not self.known.quick])

    def round(self, trip: float, columns: list[str]) -> None:
        """Let every candidate have its turn at every column."""
        with Delay(self.program, self.server.port, trip) as delay:
            for column in columns:
                if column in floor.FLOORS:
                    self.results.add(trip, "cold", column, report.FLOOR, floor.measure(column, delay.port))
                for name in CANDIDATES:
                    self.cold(delay, column, name)
                print(f"  {report.TITLES[column]}, {trip:g} ms", file=sys.stderr, flush=True)

    def cold(self, delay: Delay, column: str, name: str) -> None:
        with self.place() as folder:
            command = CANDIDATES[name](delay.endpoint, str(folder / "m"), str(folder / "c"))
            with Mounted(command, folder / "m") as mounted:
                before = delay.counted()
                self.results.add(delay.round_trip, "cold", column, name, run_reader(column, mounted.path)["seconds"])
                self.results.fetched[delay.round_trip, column, name] = (delay.counted() - before).down / 1e6
                if column == "listing":
                    again = run_reader(column, mounted.path)["seconds"]
                    self.results.add(delay.round_trip, "cold", "listing again", name, again)

    def line(self, trip: float) -> None:
        """Read over a line of a gigabit, as laptops have at best: there it is not the processor that bounds."""
        columns = [name for name in ("whole", "scattered", "one_hdu", "loop") if name in self.columns]
        for column in columns:
            for name in (report.FLOOR, OURS, "rclone, cache, 4M x 8, ahead 32M"):
                with Delay(self.program, self.server.port, trip, rate=100) as delay, self.place() as folder:
                    if name == report.FLOOR:
                        seconds = floor.measure(column, delay.port)
                    else:
                        command = CANDIDATES[name](delay.endpoint, str(folder / "m"), str(folder / "c"))
                        with Mounted(command, folder / "m") as mounted:
                            seconds = run_reader(column, mounted.path)["seconds"]
                    self.results.add(trip, "cold, 100 MB/s", column, name, seconds)

    def prefetch(self, trip: float) -> None:
        """Fetch some files ahead over the same line, verified, as ./lab prefetch does."""
        with Delay(self.program, self.server.port, trip, rate=100) as delay:
            seconds = floor.measure("prefetch", delay.port)
            self.results.add(trip, "cold, 100 MB/s", "prefetch", report.FLOOR, seconds)
        with Delay(self.program, self.server.port, trip, rate=100) as delay, self.place() as folder:
            command = ours(delay.endpoint, str(folder / "m"), str(folder / "c"))
            with Mounted(command, folder / "m") as mounted:
                fetch = Fetch(mounted.path / "dr1", "iron", folder / "c")
                began = time.perf_counter()
                left, _total = fetch.plan([name.removeprefix("dr1/") for name in shapes.loop_names(10)])
                fetch.run(left)
                seconds = time.perf_counter() - began
                self.results.add(trip, "cold, 100 MB/s", "prefetch", OURS, seconds)

    def states(self, trip: float) -> None:
        """Read again: in the same mount, after it was mounted again, and the same from the local disk."""
        columns = [name for name in ("headers", "one_hdu", "scattered", "whole") if name in self.columns]
        with self.place() as folder, Delay(self.program, self.server.port, trip) as delay:
            command = ours(delay.endpoint, str(folder / "m"), str(folder / "c"))
            with Mounted(command, folder / "m") as mounted:
                run_reader("whole", mounted.path)
                for column in columns:
                    self.results.add(trip, "warm", column, OURS, run_reader(column, mounted.path, "forget")["seconds"])
            local = folder / "l" / shapes.COADD
            local.parent.mkdir(parents=True)
            for attempt in range(3):
                with Mounted(command, folder / "m") as mounted:
                    if attempt == 0:
                        local.write_bytes((mounted.path / shapes.COADD).read_bytes())
                        os.sync()
                    for column in columns:
                        for cached in (folder / "c").rglob("coadd-main-dark-23040.fits"):
                            forget(cached)
                        seconds = run_reader(column, mounted.path, "forget")["seconds"]
                        self.results.add(trip, "after a restart", column, OURS, seconds)
                        forget(local)
                        seconds = run_reader(column, folder / "l", "forget")["seconds"]
                        self.results.add(trip, "after a restart", column, report.FLOOR, seconds)

    def memory(self) -> None:
        for title, size in (("defaults", 0), ("1 GiB machine", 1 << 30)):
            with self.place() as folder, Delay(self.program, self.server.port, 60) as delay:
                command = ours(delay.endpoint, str(folder / "m"), str(folder / "c"), size)
                with Mounted(command, folder / "m") as mounted:
                    run_reader("readers8", mounted.path)
                    run_reader("headers", mounted.path)
                    self.results.memory[title] = mounted.memory()

    def place(self) -> tempfile.TemporaryDirectory[str]:
        return Place(self.scratch)


class Place(tempfile.TemporaryDirectory):
    """A folder of its own for one mount and its cache."""

    def __init__(self, scratch: Path) -> None:
        super().__init__(dir=scratch, ignore_cleanup_errors=True)

    def __enter__(self) -> Path:
        return Path(super().__enter__())


def forget(file: Path) -> None:
    """Have the kernel forget a file, so that it is read from the disk."""
    opened = os.open(file, os.O_RDONLY)
    os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(opened)


def filled(sizes: shapes.Sizes, name: str) -> Server:
    """Return the server with all files, which are made once."""
    folder = KEPT / name
    done = folder / "filled-in-parts"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
    server = Server(folder)
    try:
        if not done.exists():
            print("  filling the bucket (once)", file=sys.stderr, flush=True)
            server.fill(shapes.files(sizes), 1)
            server.fill(shapes.small_files(sizes), 8)
            done.touch()
    except BaseException:
        server.close()
        raise
    return server


def main(words: list[str]) -> int:
    known = arguments(words)
    # Whoever ends this ends its server and its mounts, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    name = "quick" if known.quick or known.what == "faults" else "full"
    with filled(shapes.QUICK if name == "quick" else shapes.FULL, name) as server, Place(KEPT) as scratch:
        program = compile_delay(scratch)
        if known.what == "faults":
            return faults.run(server, scratch, known.minutes or 10)
        run = Run(known, server, program, scratch)
        try:
            run.everything()
        finally:
            run.results.save(KEPT / f"{name}.json")
        for trip, state in dict.fromkeys(key[:2] for key in run.results.seconds):
            print(report.table(run.results, trip, state), end="\n\n")
        print(report.goals(run.results))
        if known.picture:
            report.draw(run.results, known.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
