# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sync plan, decided from three listings: here, there, and after the last sync.

An entry is what a file is known by: kind, size, time, and where a link leads. What was remembered has two of them, one
for each side, because two file systems may keep the same time differently.
"""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .._common.humanize import decimal_size

LONGEST_NAME = 255

Entry = t.Sequence[t.Any]
Files = t.Mapping[str, Entry]
Pair = t.Sequence[t.Optional[Entry]]
Base = t.Mapping[str, Pair]

HERE, THERE = 0, 1
BOTH, UP, DOWN = "both", "up", "down"
RECEIVES = {BOTH: (True, True), UP: (False, True), DOWN: (True, False)}


class Conflict(t.NamedTuple):
    """A path changed on both sides, the name of the losing file, and the side that lost."""

    path: str
    kept_as: str
    of: int


@dataclass
class Plan:
    """The transfers and steps of each side."""

    gets: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    steps: tuple[list[dict[str, t.Any]], list[dict[str, t.Any]]] = field(default_factory=lambda: ([], []))
    removes: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    conflicts: list[Conflict] = field(default_factory=list)
    agreed: set[str] = field(default_factory=set)
    """What is the same on both sides afterwards."""
    noted: dict[str, int] = field(default_factory=dict)
    """What stays different, although the other side has taken what this one has."""

    @property
    def changes(self) -> bool:
        """Return whether there is anything to do."""
        return any(self.steps)


def doubtful(here: Files, there: Files, base: Base) -> list[str]:
    """Return the paths whose contents have to be compared."""
    return [
        path
        for path in sorted(here.keys() & there.keys())
        if _changed(path, here, base, HERE)
        and _changed(path, there, base, THERE)
        and here[path][0] == there[path][0] == "file"
        and here[path][1] == there[path][1]
    ]


def _changed(path: str, files: Files, base: Base, side: int) -> bool:
    before = base.get(path, (None, None))[side]
    now = files.get(path)
    return (list(now) if now is not None else None) != (list(before) if before is not None else None)


def directories_of(files: t.Iterable[str]) -> set[str]:
    """Return the parent directories of files."""
    found: set[str] = set()
    for path in files:
        above = posixpath.dirname(path)
        while above and above not in found:
            found.add(above)
            above = posixpath.dirname(above)
    return found


class Decider:
    """Decides path by path."""

    def __init__(
        self,
        here: Files,
        there: Files,
        base: Base,
        same: t.Container[str],
        direction: str,
        delete: bool,
        hosts: t.Sequence[str],
    ) -> None:
        self.files = (here, there)
        self.base, self.same, self.delete, self.hosts = base, same, delete, hosts
        self.receives = RECEIVES[direction]
        self.directories = (directories_of(here), directories_of(there))
        self.names: set[str] = set()
        self.plan = Plan()

    def decide(self) -> Plan:
        """Return what there is to do."""
        paths = sorted(self.files[HERE].keys() | self.files[THERE].keys())
        losers = {path: self._loser(path) for path in paths}
        for path, loser in losers.items():
            if loser is not None:
                self._beside(path, loser)
        for path in paths:
            # The losing file may have been kept before, on one side or on both.
            if losers[path] is None and path not in self.names:
                self._path(path)
        self.plan.agreed |= self.base.keys() - set(paths)
        # Conflicting files are moved first.
        order = {"aside": 0, "remove": 1, "place": 2}
        for steps in self.plan.steps:
            steps.sort(key=lambda step: order[step["do"]])
        return self.plan

    def _loser(self, path: str) -> int | None:
        """Return the side whose file is renamed; None without a conflict."""
        for side in (HERE, THERE):
            if path in self.files[side] and path in self.directories[1 - side]:
                return side
        if not all(self._changed(path)) or not all(path in files for files in self.files) or self._alike(path):
            return None
        return HERE if self.files[THERE][path][2] > self.files[HERE][path][2] else THERE

    def _changed(self, path: str) -> tuple[bool, bool]:
        here, there = (_changed(path, self.files[side], self.base, side) for side in (HERE, THERE))
        return here, there

    def _path(self, path: str) -> None:
        has = tuple(path in files for files in self.files)
        changed = self._changed(path)
        if all(changed) and all(has):
            self.plan.agreed.add(path)
        elif all(has):
            for side in (HERE, THERE):
                if changed[side]:
                    self._give(path, 1 - side, self.files[1 - side][path])
        else:
            owner = HERE if has[HERE] else THERE
            removed = self.base.get(path, (None, None))[1 - owner] is not None
            if removed and self.delete and not changed[owner]:
                self._remove(path, owner)
            else:
                self._give(path, 1 - owner, None)

    def _alike(self, path: str) -> bool:
        here, there = (files[path] for files in self.files)
        if here[0] == there[0] == "link":
            return here[3] == there[3]
        return path in self.same

    def _give(self, path: str, to: int, expected: Entry | None) -> None:
        """Plan to copy a file to a side."""
        if self.receives[to]:
            self._place(to, path, path, expected)
            self.plan.agreed.add(path)

    def _remove(self, path: str, side: int) -> None:
        if self.receives[side]:
            self.plan.steps[side].append({"do": "remove", "path": path, "expected": self.files[side][path]})
            self.plan.removes[side].append(path)
            self.plan.agreed.add(path)

    def _beside(self, path: str, loser: int) -> None:
        """Plan to keep the losing file under another name."""
        entry, winner = self.files[loser][path], path in self.files[1 - loser]
        name = self._free(path, loser, entry)
        other = 1 - loser
        if self.receives[loser] or name not in self.files[other]:
            self.plan.conflicts.append(Conflict(path, name, loser))
        if self.receives[loser]:
            step = {"do": "aside", "path": path, "to": name, "expected": entry}
            if name in self.files[loser]:
                # It exists from a sync that was interrupted.
                step = {"do": "remove", "path": path, "expected": entry}
            self.plan.steps[loser].append(step)
            if winner:
                self._place(loser, path, path, None)
        if self.receives[other] and name not in self.files[other]:
            self._place(other, name, path, None)
        if self.receives[loser]:
            self.plan.agreed.add(path)
        elif winner:
            self.plan.noted[path] = loser
        if all(self.receives):
            self.plan.agreed.add(name)

    def _place(self, side: int, path: str, staged: str, expected: Entry | None) -> None:
        beside = path if path != staged else ""
        if not beside:
            beside = conflict_name(path, self.hosts[1 - side], self.files[1 - side][staged])
        step = {"do": "place", "path": path, "staged": staged, "expected": expected, "beside": beside}
        kind, _size, time, target = self.files[1 - side][staged]
        if kind == "link":
            # Links are created, so that no copied file can be a link.
            step["link"] = [target, time]
        self.plan.steps[side].append(step)
        if staged not in self.plan.gets[side]:
            self.plan.gets[side].append(staged)

    def _free(self, path: str, side: int, entry: Entry) -> str:
        """Return a name for the losing file, the same for the same file each time."""
        desired = conflict_name(path, self.hosts[side], entry)
        number, name = 1, desired
        while name in self.names or any(
            name in self.directories[each] or not _resembles(self.files[each].get(name), entry)
            for each in (HERE, THERE)
        ):
            number += 1
            name = f"{desired}-{number}"
        self.names.add(name)
        return name


def _resembles(found: Entry | None, entry: Entry) -> bool:
    return found is None or list(found) == list(entry)


def decide(
    here: Files,
    there: Files,
    base: Base,
    same: t.Container[str] = (),
    direction: str = BOTH,
    delete: bool = False,
    hosts: t.Sequence[str] = ("here", "there"),
) -> Plan:
    """Return what there is to do."""
    return Decider(here, there, base, same, direction, delete, hosts).decide()


def remembered(plan: Plan, base: Base, after: t.Sequence[Files], changed: t.Container[str]) -> dict[str, Pair]:
    """Return the base of the next sync; ``after`` has both sides as they are now, as far as known.

    Of what changed in the meantime nothing new is remembered, so that the next sync looks at it again.
    """
    kept = {path: list(pair) for path, pair in base.items() if path not in plan.agreed or path in changed}
    for path in plan.agreed:
        pair = [files.get(path) for files in after]
        if path not in changed and all(entry is not None for entry in pair):
            kept[path] = pair
    for path, side in plan.noted.items():
        if path not in changed:
            kept.setdefault(path, [None, None])[side] = after[side].get(path)
    return kept


def conflict_name(path: str, host: str, entry: t.Sequence[t.Any]) -> str:
    """Return the name of a losing file, with its host and time."""
    directory, name = posixpath.split(path)
    when = datetime.fromtimestamp(entry[2] / 1e9, timezone.utc).strftime("%Y%m%dT%H%M%S")
    # Space for a number.
    end = f".conflict-{host}-{when}"
    room = LONGEST_NAME - len(end.encode()) - 4
    short = name.encode(errors="surrogateescape")[:room].decode(errors="ignore")
    return posixpath.join(directory, f"{short}{end}")


def how(files: t.Sequence[int], sizes: t.Sequence[int], removed: t.Sequence[int], conflicts: int) -> str:
    """Return a summary of a sync: files and bytes brought and sent, removals, and conflicts."""
    parts = []
    for number, size, word in zip(files, sizes, ("brought", "sent")):
        if number:
            parts.append(f"{number} {'file' if number == 1 else 'files'} {word} ({decimal_size(size)})")
    for number, place in zip(removed, ("here", "there")):
        if number:
            parts.append(f"{number} removed {place}")
    if conflicts:
        parts.append(f"{conflicts} kept twice")
    return ", ".join(parts) or "nothing to do"
