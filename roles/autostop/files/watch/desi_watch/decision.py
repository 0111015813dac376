# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide whether a lab goes on, is warned, or is stopped, from what was observed and nothing else.

All times are those of a clock that only runs forward (``mono``). What the wall's clock says, which somebody may set, is
only used to see whether it jumped, and to tell people a time.
"""

from __future__ import annotations

from typing import NamedTuple

from desi_watch.settings import Settings

# A clock may go wrong by so much between two looks, and looks may be so far apart, in seconds.
JUMP = 30.0
GAP = 600.0
IDLE = "idle"
DEADLINE = "deadline"


class Now(NamedTuple):
    """The wall clock, the monotonic clock, and when by the latter the machine was started."""

    wall: float
    mono: float
    booted: float


class Seen(NamedTuple):
    """What was observed of the machine: sentences on what it does, and on what is not known."""

    active: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    # When somebody last touched the file keep-running, by the file's own time.
    touched: float | None = None
    # Whether what is remembered now will be known at the next look.
    remembers: bool = True


class Warned(NamedTuple):
    """The warnings given: of which stop (its kind, and what it was counted from), when, and which of them."""

    end: float
    at: float
    stop_wall: float
    warnings: tuple[float, ...]


class Record(NamedTuple):
    """The record from one observation to the next, until the machine is stopped."""

    wall: float
    mono: float
    booted: float
    quiet_since: float | None = None
    touched: float | None = None
    # When that was noticed.
    extended: float | None = None
    idle_warned: Warned | None = None
    deadline_warned: Warned | None = None


class Notice(NamedTuple):
    """A notice of a stop: its reason, and its time, also by the wall clock."""

    kind: str
    stop: float
    stop_wall: float


class Decision(NamedTuple):
    """The decision. ``shown`` is the current notice, whether or not it is new; ``stop`` is the reason to stop."""

    active: tuple[str, ...] = ()
    news: tuple[Notice, ...] = ()
    shown: Notice | None = None
    stop: str = ""
    idle_at: float | None = None
    deadline: float | None = None


def decide(record: Record | None, seen: Seen, settings: Settings, now: Now) -> tuple[Record, Decision]:
    """Return the next record, and the decision."""
    known = record if record and record.booted == now.booted and record.mono <= now.mono else None
    active = (*seen.active, *seen.doubts, *_doubts(known, now))
    if now.mono - now.booted < settings.start:
        active = (*active, "the machine was started a moment ago")
    touched = bool(known) and seen.touched is not None and seen.touched != known.touched
    if touched:
        active = (*active, "keep-running was touched")
    before = known or Record(now.wall, now.mono, now.booted)
    quiet_since = None if active else now.mono if before.quiet_since is None else before.quiet_since
    after = before._replace(
        wall=now.wall,
        mono=now.mono,
        quiet_since=quiet_since,
        touched=seen.touched if seen.touched is not None else before.touched,
        extended=now.mono if touched else before.extended,
    )
    return _end(after, active, seen.remembers, settings, now)


def _doubts(known: Record | None, now: Now) -> tuple[str, ...]:
    """Return why what was quiet may not have been."""
    if known is None:
        return ("the watcher has just begun to look",)
    passed = now.mono - known.mono
    if passed > GAP:
        return (f"nobody looked for {minutes(passed)}",)
    if abs(now.wall - known.wall - passed) > JUMP:
        return ("the clock was set",)
    return ()


def _end(
    record: Record, active: tuple[str, ...], remembers: bool, settings: Settings, now: Now
) -> tuple[Record, Decision]:
    """Return the next record, and the decision: a stop, a notice of one, or nothing."""
    idle = deadline = None
    if settings.idle and record.quiet_since is not None:
        idle = record.quiet_since + settings.idle
    if settings.longest:
        deadline = max(record.booted, record.extended or record.booted) + settings.longest
    idle_warning = min(settings.idle_warning, settings.idle / 2)
    warned = {
        IDLE: _warned(record.idle_warned, idle, (idle_warning,), now),
        DEADLINE: _warned(record.deadline_warned, deadline, settings.warnings, now),
    }
    ends = {
        IDLE: _due(warned[IDLE], idle, idle_warning, remembers),
        DEADLINE: _due(warned[DEADLINE], deadline, settings.warnings[-1], remembers),
    }
    notices = [Notice(kind, ends[kind], each.stop_wall) for kind, each in warned.items() if each]
    before = {IDLE: record.idle_warned, DEADLINE: record.deadline_warned}
    reached = [kind for kind in (DEADLINE, IDLE) if ends[kind] is not None and now.mono >= ends[kind]]
    decision = Decision(
        active=active,
        news=tuple(notice for notice in notices if _is_news(before[notice.kind], warned[notice.kind])),
        shown=min(notices, key=lambda notice: notice.stop, default=None),
        stop=_why(reached[0], record, settings, active) if reached else "",
        idle_at=ends[IDLE],
        deadline=ends[DEADLINE],
    )
    return record._replace(idle_warned=warned[IDLE], deadline_warned=warned[DEADLINE]), decision


def _warned(warned: Warned | None, end: float | None, warnings: tuple[float, ...], now: Now) -> Warned | None:
    """Return the warnings given of a stop, with this one; without those of any other stop."""
    if end is None:
        return None
    warned = warned if warned and warned.end == end else None
    reached = tuple(warning for warning in warnings if now.mono >= end - warning)
    if not reached:
        return None
    first = warned.at if warned else now.mono
    # Of somebody who was not told in time, the end waits.
    stop_wall = now.wall + max(end, first + warnings[-1]) - now.mono
    # A minute more or less is no other time to people.
    if warned and abs(warned.stop_wall - stop_wall) < 60:
        stop_wall = warned.stop_wall
    given = warned.warnings if warned else ()
    return Warned(end, first, stop_wall, (*given, *(each for each in reached if each not in given)))


def _is_news(before: Warned | None, after: Warned | None) -> bool:
    return after is not None and (before is None or (before.end, before.warnings) != (after.end, after.warnings))


def _due(warned: Warned | None, end: float | None, warning: float, remembers: bool) -> float | None:
    """Return when the lab is stopped: not before people were warned, unless there is no record of that."""
    if end is None:
        return None
    if not remembers:
        return end + warning
    return max(end, warned.at + warning) if warned else end


def _why(kind: str, record: Record, settings: Settings, active: tuple[str, ...]) -> str:
    if kind == IDLE:
        return f"Nobody used it for {minutes(settings.idle)} (lab_idle_minutes)."
    busy = f" At that time: {'; '.join(active)}." if active else ""
    since = "keep-running was touched" if record.extended else "its start"
    return f"It ran for {minutes(settings.longest)} after {since} (lab_max_hours).{busy}"


def minutes(seconds: float) -> str:
    """Return a duration for people."""
    whole = round(seconds / 60)
    if whole < 1:
        return f"{round(seconds)} seconds"
    if whole < 120:
        return f"{whole} minute{'s' if whole != 1 else ''}"
    hours, rest = divmod(whole, 60)
    return f"{hours} hours" + (f" {minutes(rest * 60)}" if rest else "")
