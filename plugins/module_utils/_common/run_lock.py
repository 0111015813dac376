# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock file for runs, so that no two of them work on the same thing at once.

It needs no release: a lock counts as long as the process that took it is alive. That also holds on a file system that
has no locks of its own, where runs that begin in the same instant are not kept apart.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import LabError
from .files import locked_file, open_made

_PROC = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """A process, identified by PID and start time, and since when it holds the lock."""

    pid: int
    started: str
    since: str = ""

    def is_alive(self) -> bool:
        return bool(self.started) and started(self.pid) == self.started

    def words(self, now: datetime.datetime) -> str:
        """Describe the process; the day only if it is not today."""
        try:
            since = datetime.datetime.fromisoformat(self.since).astimezone(now.tzinfo)
        except ValueError:
            return f"process {self.pid}"
        return f"process {self.pid}, since {since:%H:%M}" + (
            "" if since.date() == now.date() else f" on {since:%Y-%m-%d}"
        )


def started(pid: int) -> str:
    """Return the start of a process, by which reused PIDs differ; empty if it has ended."""
    if (_PROC / "self" / "stat").exists():
        return _started_linux(pid)
    # In one time zone, as laptops travel.
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC0"}
    command = ["ps", "-p", str(pid), "-o", "stat=", "-o", "lstart="]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except OSError:
        return ""
    return parse_ps(done.stdout)


def _started_linux(pid: int) -> str:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return ""
    with contextlib.suppress(OSError):
        return parse_stat(stat, (_PROC / "sys/kernel/random/boot_id").read_text().strip())
    return parse_stat(stat, "")


def parse_stat(stat: str, boot: str) -> str:
    """Return the start of a process from /proc/PID/stat and the boot id; empty if it has ended."""
    # The program's name in parentheses may have some itself.
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in "ZXx":
        return ""
    return f"{boot} {fields[19]}".strip()


def parse_ps(line: str) -> str:
    """Return the start of a process from ps; empty if it has ended."""
    state, _, start = " ".join(line.split()).partition(" ")
    return "" if state.startswith("Z") else start


def parse_holder(text: str) -> Holder | None:
    """Parse a lock file; None if it is not valid."""
    try:
        found = json.loads(text)
        holder = Holder(pid=int(found["pid"]), started=str(found["started"]), since=str(found["since"]))
    except (ValueError, TypeError, KeyError):
        return None
    return holder if holder.pid > 0 else None


def take(path: Path, what: str, pid: int, now: datetime.datetime, only_look: bool = False) -> Holder | None:
    """Take the lock for a process, again if it has it; with ``only_look``, return another holder."""
    me = Holder(pid, started(pid), now.isoformat(timespec="seconds"))
    if only_look:
        with contextlib.suppress(OSError):
            return _other(parse_holder(path.read_text(errors="replace")), me)
        return None
    try:
        with locked_file(lambda: open_made(str(path.parent)), path.name) as (descriptor, _directory):
            found = parse_holder(os.read(descriptor, 4096).decode(errors="replace"))
            other = _other(found, me)
            if other is None and not (found and _same(found, me)):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(asdict(me)).encode(), 0)
    except OSError as error:
        raise LabError(
            f"{_begun(what)} cannot be kept from other runs.",
            f"The file {path} cannot be written ({error.strerror}).",
            "See that its folder is yours and has room.",
        ) from None
    if other:
        raise LabError(
            f"{_begun(what)} is being worked on by another run ({other.words(now)}).",
            "Two runs at once would get in each other's way.",
            f"Wait until it has ended, and run this again. To end it: kill {other.pid}",
        )
    return None


def _begun(what: str) -> str:
    return what[:1].upper() + what[1:]


def _same(one: Holder, other: Holder) -> bool:
    return (one.pid, one.started) == (other.pid, other.started)


def _other(found: Holder | None, me: Holder) -> Holder | None:
    return found if found and not _same(found, me) and found.is_alive() else None
