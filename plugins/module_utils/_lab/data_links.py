# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links in a directory of data that lead out of it, as to other disks, and the binds with which a container follows."""

from __future__ import annotations

import os
import posixpath
import stat
import typing as t
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from .shared_directory import Around, why_not_shared

MOST_BINDS = 64
MOST_ENTRIES = 5000
# From a directory of releases to the groups of pixels: dr1/spectro/redux/iron/healpix/main/dark/230.
DEEPEST = 8
# With more targets side by side than this, what they lie in is bound instead.
SIBLINGS = 4
# More than a path can have that the system resolves.
_MOST_STEPS = 4096
# Where a container has programs, data or files of its own.
_INSIDE = (
    *("/conda", "/global/common", "/home/desi", "/home/desidata", "/home/jovyan", "/home/synced", "/opt"),
    "/tmp",  # noqa: S108 - named, not used
)
CHANGEABLE = "Notebooks can change these data or the folder around them, and so where their links lead."
RELATIVE = "It is relative, and the data lie elsewhere in the lab. Make it an absolute link, or copy the files."


@dataclass(frozen=True)
class Bind:
    """A directory of the host, and its place below the image's data path (empty: the data path itself).

    The target of a link is bound where it is on the host, and its place is absolute.
    """

    source: str
    inside: str


@dataclass(frozen=True)
class LeftOut:
    """A link that a container cannot follow, and why."""

    link: str
    target: str
    why: str

    def __str__(self) -> str:
        return f"{self.link} -> {self.target}: {self.why}"


@dataclass(frozen=True)
class Limits:
    """What links may lead to: not to the homes of others, and to nothing where notebooks can change the links.

    Who makes a link says by it what a container sees, and may be somebody else than who makes the lab.
    """

    around: Around = field(default_factory=Around)
    others_homes: tuple[str, ...] = ()
    trusted: tuple[int, ...] = (0,)
    """The UIDs whose links may lead on to a target."""
    changeable: bool = False
    shared: str = ""
    """The real path of what notebooks can write to. A link in it, or by way of one in it, may be theirs."""

    def why_not_followed(self, link: str, inside: str) -> str:
        """Return why a link must not be followed to what a container would have at ``inside``."""
        # Where it really lies: by which path somebody has named the data is that person's own affair.
        place = posixpath.join(os.path.realpath(posixpath.dirname(link)), posixpath.basename(link))
        if self.shared and any(_is_in(each, self.shared) for each in _links_to(place)):
            return CHANGEABLE
        return self.why_not(os.path.realpath(link), inside)

    def why_not(self, real: str, inside: str) -> str:
        """Return why a target must not be bound: it could be anything, and in the container hide anything."""
        if self.changeable:
            return CHANGEABLE
        if not inside.startswith("/"):
            return RELATIVE
        # A link by way of another one could name one place and lead to a second.
        if inside != real and (os.path.realpath(inside) != real or not self._leads_on(inside)):
            return "Its path leads through a link of somebody else."
        if any(part.startswith(".") for part in Path(real).parts):
            return "It lies in a hidden folder."
        if any(_is_in(real, each) for each in self.others_homes):
            return "It lies in somebody else's home."
        if any(_is_in(each, place) for each in (real, inside) for place in _INSIDE):
            return "Its place in the container is another's."
        try:
            mode = Path(real).stat().st_mode
            holds = [child.name for child in Path(real).iterdir()] if stat.S_ISDIR(mode) else []
        except OSError as error:
            return f"{error.strerror}."
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            return "It is neither a file nor a folder."
        if not os.access(real, os.R_OK):
            return "This account may not read it."
        not_there = "" if inside == real else why_not_shared(inside, (), self.around)
        return why_not_shared(real, holds, self.around) or not_there or _colon(real, inside)

    def _leads_on(self, path: str) -> bool:
        """Return whether each link on the way to a path is of somebody who is trusted."""
        return all(os.lstat(each).st_uid in self.trusted for each in _links_to(path))


def follow_links(binds: t.Sequence[Bind], limits: Limits) -> tuple[list[Bind], list[LeftOut]]:
    """Return the binds for the targets of links that lead out of ``binds``, and the links that are left out.

    The tree is walked from its top, and no further than a sensible number of entries.
    """
    walk = _Walk(list(binds), limits)
    walk.run()
    found = _grouped(walk.found, limits)
    left_out = walk.left_out
    if len(found) > MOST_BINDS:
        left_out += [LeftOut(each.inside, each.source, "There are too many such links.") for each in found[MOST_BINDS:]]
    return found[:MOST_BINDS], left_out


class _Walk:
    def __init__(self, binds: list[Bind], limits: Limits) -> None:
        self.binds = binds
        self.limits = limits
        self.found: list[Bind] = []
        self.left_out: list[LeftOut] = []
        self._queue = deque((bind.source, bind.inside, 0) for bind in binds)
        self._seen: set[str] = set()
        self._entries = 0

    def run(self) -> None:
        while self._queue and self._entries < MOST_ENTRIES:
            source, inside, depth = self._queue.popleft()
            real = os.path.realpath(source)
            if real in self._seen:
                continue
            self._seen.add(real)
            try:
                with os.scandir(source) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)[: MOST_ENTRIES - self._entries]
            except OSError:
                continue
            self._entries += len(listed)
            for entry in listed:
                place = posixpath.join(inside, entry.name)
                if entry.is_symlink():
                    self._link(entry.path, place, depth + 1)
                elif depth < DEEPEST and entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    self._queue.append((entry.path, place, depth + 1))

    def _link(self, link: str, place: str, depth: int) -> None:
        try:
            target = str(Path(link).readlink())
            Path(link).stat()
        except OSError:
            self.left_out.append(LeftOut(link, link_text(Path(link), "?"), "It is not there."))
            return
        real = os.path.realpath(link)
        inside = _normal(target if target.startswith("/") else posixpath.join(posixpath.dirname(place), target))
        if self._is_bound(real, inside):
            return
        why = self.limits.why_not_followed(link, inside)
        if why:
            self.left_out.append(LeftOut(link, real, why))
            return
        self.found.append(Bind(real, inside))
        if depth < DEEPEST and Path(real).is_dir():
            self._queue.append((real, inside, depth))

    def _is_bound(self, real: str, inside: str) -> bool:
        """Return whether a container finds the target at that place."""
        for bind in [*self.binds, *self.found]:
            below = _below(inside, bind.inside)
            if below is not None and os.path.realpath(posixpath.join(bind.source, below)) == real:
                return True
        return False


def _links_to(path: str) -> t.Iterator[str]:
    """Yield each link on the way to what a path leads to, one link by way of another, where it really lies."""
    place, ahead = "/", list(reversed(Path(path).parts[1:]))
    for _step in range(_MOST_STEPS):
        if not ahead:
            return
        found = posixpath.normpath(posixpath.join(place, ahead.pop()))
        if not Path(found).is_symlink():
            place = found
            continue
        yield found
        target = Path(found).readlink()
        place = "/" if target.is_absolute() else place
        ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _normal(place: str) -> str:
    found = posixpath.normpath(place)
    return "" if found == "." else found


def _below(inside: str, top: str) -> str | None:
    """Return a place relative to another, None if it is not below it."""
    if top == "":
        return None if inside.startswith(("/", "..")) else inside
    return posixpath.relpath(inside, top) if inside == top or inside.startswith(f"{top}/") else None


def link_text(link: Path, unknown: str = "another place") -> str:
    """Return what a link says."""
    try:
        return str(link.readlink())
    except OSError:
        return unknown


def _colon(*paths: str) -> str:
    return "Docker cannot be given a path with a colon in it." if any(":" in path for path in paths) else ""


def _grouped(binds: list[Bind], limits: Limits) -> list[Bind]:
    """Bind what many targets lie in, once."""
    by_parent: dict[tuple[str, str], list[Bind]] = {}
    for bind in binds:
        same = posixpath.basename(bind.source) == posixpath.basename(bind.inside)
        key = (posixpath.dirname(bind.source), posixpath.dirname(bind.inside)) if same else (bind.source, bind.inside)
        by_parent.setdefault(key, []).append(bind)
    found: list[Bind] = []
    for (source, inside), several in by_parent.items():
        whole = len(several) > SIBLINGS and inside not in ("", "/") and not limits.why_not(source, inside)
        found += [Bind(source, inside)] if whole else several
    return list(dict.fromkeys(found))
