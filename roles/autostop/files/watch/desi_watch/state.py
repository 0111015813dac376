# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher's files: its record, kept until the machine stops, and its public state."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from desi_watch.decision import Decision, Now, Record, Warned

VERSION = 1
# Of what is said of a lab, letters and sentences, and letters of why it stopped.
LONGEST, MOST, LONGEST_WHY = 200, 50, 900
# Names in the file of which other ones stand in the code: a watcher of an earlier version has written that file.
STORED = {"idle_warned": "idle_told", "deadline_warned": "deadline_told"}


def write_document(path: Path, content: Mapping[str, object], mode: int) -> bool:
    """Write a document whole or not at all; return whether that could be done."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        beside.replace(path)
    except OSError:
        return False
    return True


def read_document(path: Path) -> dict[str, Any]:
    """Return a document; empty if it is missing or unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_record(found: dict[str, Any]) -> tuple[Record | None, dict[str, Any]]:
    """Return the record, and the marks of the last observation to compare with."""
    try:
        fields = dict(found["memory"])
        for name, key in STORED.items():
            fields[name] = fields.pop(key)
            if fields[name] is not None:
                *times, warnings = fields[name]
                fields[name] = Warned(*map(checked_time, times), tuple(map(checked_time, warnings)))
        for name in ("wall", "mono", "booted"):
            fields[name] = checked_time(fields[name])
        for name in ("quiet_since", "touched", "extended"):
            fields[name] = None if fields[name] is None else checked_time(fields[name])
        return Record(**fields), dict(found["marks"])
    except (KeyError, TypeError, ValueError):
        return None, {}


def checked_time(found: object) -> float:
    """Return a time that can be counted with."""
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
        raise ValueError(f"{found!r} is no time")
    return float(found)


def as_document(record: Record, marks: dict[str, Any]) -> dict[str, Any]:
    """Return the same as a document."""
    return {"memory": {STORED.get(name, name): value for name, value in record._asdict().items()}, "marks": marks}


def printable(text: str, longest: int = LONGEST) -> str:
    """Return a text of bounded length that can be printed: notebooks choose what parts of it are called."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return "".join(each if each.isprintable() else "?" for each in cut)


def public_state(decision: Decision, record: Record, now: Now, last_stop: object) -> dict[str, Any]:
    """Return what everybody may know, with times of the wall's clock in seconds since 1970."""

    def wall(mono: float | None) -> int | None:
        return None if mono is None else round(now.wall + mono - now.mono)

    return {
        "version": VERSION,
        "checked": round(now.wall),
        "idle_since": wall(record.quiet_since),
        "active": list(decision.active),
        "idle_stop_at": wall(decision.idle_at),
        "deadline": wall(decision.deadline),
        "last_stop": {"at": round(now.wall), "why": printable(decision.stop, LONGEST_WHY)}
        if decision.stop
        else stop_in(last_stop),
    }


def stop_in(found: object) -> dict[str, Any] | None:
    """Return the last stop in a document, if it is plausible."""
    if isinstance(found, dict) and isinstance(found.get("at"), (int, float)) and isinstance(found.get("why"), str):
        return {"at": found["at"], "why": printable(found["why"], LONGEST_WHY)}
    return None
