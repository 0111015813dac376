# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came out: as a table of figures, each with its ratio to the best and to the floor, and as a picture."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .candidates import OURS

TITLES = {
    "headers": "walk all HDU headers",
    "one_hdu": "open, read one 5.8 MB HDU",
    "scattered": "10 random 64 KiB reads",
    "whole": "whole file, 223 MB",
    "fitsio": "one HDU by fitsio",
    "astropy": "one HDU by astropy",
    "loop": "FIBERMAP of 30 coadds",
    "zipped": "gzipped spectra by fitsio",
    "column": "one column of the zcatalog",
    "listing": "first listing, 20,000 folders",
    "listing again": "second listing",
    "readers4": "4 readers side by side",
    "prefetch": "prefetch of 10 coadds, 450 MB",
}
FLOOR = "floor: direct requests"


@dataclass
class Results:
    """Seconds, by round trip, state, column and candidate; several of each. Memory in MiB by candidate."""

    seconds: dict[tuple[float, str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    fetched: dict[tuple[float, str, str], float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, trip: float, state: str, column: str, candidate: str, seconds: float) -> None:
        self.seconds[trip, state, column, candidate].append(seconds)

    def best(self, trip: float, state: str, column: str, candidate: str) -> float | None:
        """Return the least of what was measured: what is slower was disturbed by something else on the machine."""
        found = self.seconds.get((trip, state, column, candidate))
        return min(found) if found else None

    def save(self, file: Path) -> None:
        seconds = [[*key, values] for key, values in self.seconds.items()]
        fetched = [[*key, value] for key, value in self.fetched.items()]
        file.write_text(
            json.dumps({"seconds": seconds, "fetched": fetched, "memory": self.memory, "notes": self.notes})
        )


def load(file: Path) -> Results:
    found, results = json.loads(file.read_text()), Results()
    for trip, state, column, candidate, values in found["seconds"]:
        results.seconds[trip, state, column, candidate] = values
    results.fetched = {(trip, column, candidate): value for trip, column, candidate, value in found["fetched"]}
    results.memory, results.notes = found["memory"], found["notes"]
    return results


def table(results: Results, trip: float, state: str) -> str:
    """Return one table: a line a column, a cell a candidate: seconds, and how many times the best of the line."""
    candidates = list(dict.fromkeys(key[3] for key in results.seconds if key[:2] == (trip, state)))
    columns = [name for name in TITLES if any(key[:3] == (trip, state, name) for key in results.seconds)]
    lines = [f"{state}, round trip {trip:g} ms: seconds (times the best of the line)"]
    names = [candidate for candidate in candidates if candidate != FLOOR]
    lines += [f"  {chr(65 + index)}  {name}" for index, name in enumerate(names)]
    lines.append(
        f"{'':31}" + "".join(f"{chr(65 + index):>15}" for index in range(len(names))) + f"{'floor':>9}{'A/floor':>9}"
    )
    for column in columns:
        values = {name: results.best(trip, state, column, name) for name in names}
        least = min(value for value in values.values() if value is not None)
        cells = [
            f"{value:8.2f} ({value / least:4.2f})" if value is not None else f"{'-':>15}" for value in values.values()
        ]
        floor, mine = results.best(trip, state, column, FLOOR), values.get(OURS)
        tail = f"{floor:9.2f}" + (f"{mine / floor:9.2f}" if mine else "") if floor else ""
        lines.append(f"{TITLES[column]:31}" + "".join(f"{cell:>15}" for cell in cells) + tail)
    return "\n".join(lines)


def goals(results: Results) -> str:
    """Return what was aimed at, and what came out, for a round trip of 60 ms and nothing in the cache."""

    def ratio(column: str, other: str = "") -> float:
        """Return how many times the best of the others, or of one of them; 0 where there is nothing to compare."""
        names = {key[3] for key in results.seconds if key[:2] == (60, "cold")}
        theirs = [
            results.best(60, "cold", column, name) for name in names if (name == other if other else name != FLOOR)
        ]
        mine, least = results.best(60, "cold", column, OURS), min((value for value in theirs if value), default=None)
        return mine / least if mine and least else 0.0

    lines = ["Goals, cold at 60 ms, with the one default setting:"]
    for column in TITLES:
        found = ratio(column)
        if found:
            lines.append(f"  {_mark(found <= 1.15)} {TITLES[column]}: {found:.2f} of the best (1.15)")
    whole, loop = ratio("whole", FLOOR), ratio("loop", FLOOR)
    if whole:
        lines.append(f"  {_mark(1 / whole >= 0.85)} whole file: {1 / whole:.2f} of parallel direct requests (0.85)")
    line = [results.best(60, "cold, 100 MB/s", "whole", name) for name in (FLOOR, OURS)]
    if all(line):
        lines.append(
            f"  {_mark(line[0] / line[1] >= 0.85)} the same over a line of 100 MB/s: {line[0] / line[1]:.2f} (0.85)"
        )
    line = [results.best(60, "cold, 100 MB/s", "prefetch", name) for name in (FLOOR, OURS)]
    if all(line):
        lines.append(f"  {_mark(line[0] / line[1] >= 0.9)} prefetch: {line[0] / line[1]:.2f} of that line (0.9)")
    if loop:
        lines.append(f"  {_mark(loop <= 1.3)} FIBERMAP of 30 coadds: {loop:.2f} of two round trips a file (1.3)")
    for column, limit in (("listing", 5.0), ("listing again", 0.3)):
        mine = results.best(60, "cold", column, OURS)
        if mine:
            lines.append(f"  {_mark(mine <= limit)} {TITLES[column]}: {mine:.2f} s ({limit:g} s)")
    restart, disk = (
        results.best(60, "after a restart", "whole", OURS),
        results.best(60, "after a restart", "whole", FLOOR),
    )
    if restart and disk:
        lines.append(
            f"  {_mark(disk / restart >= 0.8)} warm after a restart: {disk / restart:.2f} of the local disk (0.8)"
        )
    for name, size in results.memory.items():
        lines.append(
            f"  {_mark(size <= (256 if '1 GiB' in name else 512))} memory with 8 readers, {name}: {size:.0f} MiB"
        )
    return "\n".join(
        lines + results.notes + [f"load of the machine: {', '.join(f'{one:.1f}' for one in os.getloadavg())}"]
    )


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"


def draw(results: Results, file: Path) -> None:
    """Draw how many times the floor each candidate took, cold at the longest round trip."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    trip = max(key[0] for key in results.seconds)
    columns = [name for name in TITLES if results.best(trip, "cold", name, OURS)]
    names = list(dict.fromkeys(key[3] for key in results.seconds if key[:2] == (trip, "cold")))
    figure, axes = pyplot.subplots(figsize=(11, 0.62 * len(columns) + 2))
    colors = {OURS: "#0b6e4f", FLOOR: "#222222"}
    greys = iter(("#9db4c0", "#5c6b73", "#c2a878", "#e08e45", "#b56576", "#8d99ae"))
    for name in names:
        values = [(results.best(trip, "cold", column, name), row) for row, column in enumerate(columns)]
        points = [(value, row) for value, row in values if value]
        axes.plot(
            [value for value, _row in points],
            [row for _value, row in points],
            linestyle="none",
            marker="|" if name == FLOOR else "o",
            markersize=16 if name == FLOOR else 9 if name == OURS else 7,
            markeredgewidth=2.5 if name == FLOOR else 0.5,
            color=colors.get(name) or next(greys),
            zorder=3 if name in (OURS, FLOOR) else 2,
            label=name,
        )
    axes.set_yticks(range(len(columns)), [TITLES[column] for column in columns])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xticks(
        [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100], ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100"]
    )
    axes.set_xlabel(f"seconds, nothing in the cache, round trip {trip:g} ms (fewer is better)")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=2, frameon=False)
    figure.savefig(file, dpi=130, bbox_inches="tight")
    pyplot.close(figure)


def spread(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}, median {median(values):.2f}"
