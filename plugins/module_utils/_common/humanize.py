# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes, times and durations as people write them."""

from __future__ import annotations

import math
import re
import typing as t
from datetime import datetime, timezone

MINUTE, HOUR, DAY = 60, 3600, 86400
MIB, GIB = 2**20, 2**30

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?B?)", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}

# Docker writes nanoseconds and Z, which Python before 3.11 does not parse.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)")


def parse_time(text: str) -> float | None:
    """Parse a time of Docker or AWS as seconds; None if there is none."""
    found = _TIME.fullmatch(str(text or ""))
    if not found or found[1].startswith("0001-"):
        return None
    zone = found[3].replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(f"{found[1]}.{(found[2] or '').ljust(6, '0')}{zone}")
        return moment.astimezone(timezone.utc).timestamp()
    except (ValueError, OverflowError):
        return None


def time_text(when: float | datetime | None) -> str:
    """Return a time in ISO 8601 (UTC); empty for None."""
    if when is None:
        return ""
    moment = when if isinstance(when, datetime) else datetime.fromtimestamp(when, timezone.utc)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(seconds: float) -> str:
    """Return how long something takes, in the unit in which people would say it."""
    seconds = max(seconds, 0)
    if seconds < MINUTE:
        return "less than a minute"
    for unit, size, until in (("min", MINUTE, HOUR), ("h", HOUR, 2 * DAY), ("days", DAY, float("inf"))):
        # What rounds up to the next unit is said in that.
        if round(seconds / size) * size < until:
            return f"{round(seconds / size)} {unit}"
    raise AssertionError("a span without end has a unit")


def duration(seconds: float, whole: bool = False) -> str:
    """Return how long something took; a running clock wants whole seconds."""
    if not whole and round(seconds, 1) < MINUTE:
        return f"{max(seconds, 0):.1f} s"
    count = int(seconds) if whole else round(seconds)
    if count < MINUTE:
        return f"{max(count, 0)} s"
    if count < HOUR:
        return f"{count // MINUTE} m {count % MINUTE:02d} s"
    return f"{count // HOUR} h {count % HOUR // MINUTE:02d} m"


def ahead(when: float, now: float) -> str:
    """Return when something is going to happen."""
    return f"in {span(when - now)}" if when > now else "now"


def ago(when: float, now: float) -> str:
    """Return when something has happened."""
    return f"{span(now - when)} ago"


def number(value: t.Any) -> float | None:  # noqa: ANN401 - whatever stands in a document of another program
    """Return a number of a document, None for any other value."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def parse_size(text: str) -> int:
    """Return a size such as 20GiB in bytes; without a unit, or as 20G, it counts in powers of 1024.

    Raises ValueError for what is no size or not more than 0.
    """
    found = _SIZE.fullmatch(text.strip())
    size = 0.0
    if found:
        decimal = found.group(3).upper() == "B" and found.group(2) != ""
        size = float(found.group(1)) * (1000 if decimal else 1024) ** _POWERS[found.group(2).upper()]
    # With very many digits it is infinite.
    if not 0 < size < math.inf:
        raise ValueError(f"{text} is no size")
    return int(size)


def size_text(size: int) -> str:
    """Return a number of bytes with the largest binary unit that keeps it whole."""
    for unit, power in (("TiB", 4), ("GiB", 3), ("MiB", 2), ("KiB", 1)):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return f"{size}B"


def decimal_size(size: float) -> str:
    """Return a number of bytes as disks and downloads count them, in two or three digits."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.{0 if size >= 10 or units[0] == 'B' else 1}f} {units[0]}"


def stops_when(idle_minutes: float, max_hours: float, unknown: t.Collection[str] = ()) -> str:
    """Describe when an instance stops by itself; 0 turns that limit off.

    ``unknown`` are those of ``idle_minutes`` and ``max_hours`` that its watcher keeps as it has them.
    """
    idle = amount(idle_minutes, "idle minute")
    longest = amount(max_hours, "hour")
    if {"idle_minutes", "max_hours"} <= set(unknown):
        return "its watcher keeps the limits that it has"
    if "max_hours" in unknown:
        known = f"stops by itself after {idle}" if idle else "is not stopped for being idle"
        return f"{known}; for how long it may run is left to its watcher"
    if "idle_minutes" in unknown:
        known = f"stops by itself after {longest} at the latest" if longest else "may run for any time while it is used"
        return f"{known}; when it is idle is left to its watcher"
    if idle and longest:
        return f"stops by itself after {idle}, and anyway after {longest}"
    if idle:
        return f"stops by itself after {idle}; as long as it is used it runs, and costs, without end"
    if longest:
        return f"stops by itself after {longest}, used or not, and not before"
    return "never stops by itself: it runs, and costs, until you stop or remove it"


def amount(count: float, unit: str) -> str:
    """Return a count with its unit, nothing for 0."""
    value = float(count)
    return f"{value:g} {unit}{'' if value == 1 else 's'}" if value else ""
