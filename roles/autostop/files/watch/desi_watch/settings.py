# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the watcher, from its configuration file."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import NamedTuple

MINUTE = 60.0
HOUR = 3600.0


class Settings(NamedTuple):
    """How long a lab may run, in seconds; 0 means for ever."""

    idle: float = 60 * MINUTE
    longest: float = 12 * HOUR
    # How long before its deadline a lab is warned, the longest first, and before it is stopped for being idle.
    warnings: tuple[float, ...] = (30 * MINUTE, 5 * MINUTE)
    idle_warning: float = 5 * MINUTE
    # For how long after its start a machine counts as used, for somebody is about to come.
    start: float = 0.0
    # What is less than this says nothing: processors that are busy, and bytes a second that come and go.
    cpu_floor: float = 0.25
    network_floor: float = 50_000.0


# What the file says of each, and how many seconds, or the like, that is.
FIELDS = {
    "idle_minutes": ("idle", MINUTE),
    "max_hours": ("longest", HOUR),
    "idle_warning_minutes": ("idle_warning", MINUTE),
    "start_minutes": ("start", MINUTE),
    "cpu_floor": ("cpu_floor", 1.0),
    "network_floor": ("network_floor", 1.0),
}
WARNINGS = "warning_minutes"


def settings_of(text: str) -> Settings:
    """Return what a configuration says. What is not in it is as it is by default."""
    given = json.loads(text)
    if not isinstance(given, dict):
        raise ValueError("it is no table")
    values: dict[str, object] = {
        field: number(given[name]) * unit for name, (field, unit) in FIELDS.items() if name in given
    }
    if WARNINGS in given:
        minutes = [number(each) for each in given[WARNINGS]]
        values["warnings"] = tuple(sorted((each * MINUTE for each in minutes), reverse=True))
        if not minutes:
            raise ValueError(f"{WARNINGS} is empty")
    return Settings()._replace(**values)


def number(value: object) -> float:
    """Return a finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is no number")
    found = float(value)
    if not math.isfinite(found) or found < 0:
        raise ValueError(f"{value!r} is no time")
    return found


def read(path: os.PathLike[str]) -> tuple[Settings, str]:
    """Return the settings, and what is wrong with their file; where something is, they are the default."""
    try:
        return settings_of(Path(path).read_text(encoding="utf-8")), ""
    except (OSError, ValueError, TypeError) as error:
        return Settings(), f"the watcher's settings cannot be read ({error})"
