# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record the runs that need a mount before the container of their lab exists.

Each mount has a file of root's. A run counts as long as it is alive. The names of labs stay, so that a lab that could
not be made still owns its mount.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .._common.files import locked_file, open_root_owned
from .._common.run_lock import Holder, started
from .spec import mount_name

RUN_DIRECTORY = Path("/run/desi-lab")
_LIMIT = 1 << 16


@dataclass
class Users:
    """The runs that need a mount, and the labs that it was made for."""

    runs: list[Holder] = field(default_factory=list)
    labs: list[str] = field(default_factory=list)

    def others(self, pid: int) -> list[Holder]:
        """Return the other runs that are alive."""
        return [run for run in self.runs if run.pid != pid and run.is_alive()]

    def add(self, pid: int, lab: str, now: datetime.datetime) -> None:
        self.runs = self.others(pid)
        if pid:
            self.runs.append(Holder(pid, started(pid), now.isoformat(timespec="seconds")))
        if lab and lab not in self.labs:
            self.labs.append(lab)


def users_file(mountpoint: str) -> Path:
    return RUN_DIRECTORY / f"mount-{mount_name(mountpoint)}.users"


def parse_users(text: str) -> Users:
    """Parse the file; an invalid one is empty."""
    try:
        found = json.loads(text)
        runs = [Holder(int(run["pid"]), str(run["started"]), str(run["since"])) for run in found["runs"]]
        return Users(runs, [str(lab) for lab in found["labs"]])
    except (ValueError, TypeError, KeyError):
        return Users()


def users_of(mountpoint: str) -> Users:
    """Return the users of a mount, without a lock or rights."""
    with contextlib.suppress(OSError), users_file(mountpoint).open(errors="replace") as file:
        return parse_users(file.read(_LIMIT))
    return Users()


@contextlib.contextmanager
def alone(mountpoint: str) -> Iterator[Users]:
    """Lock a mountpoint, and yield its users; changes are saved, and no users mean no file."""
    name = users_file(mountpoint).name
    try:
        with locked_file(lambda: open_root_owned(str(RUN_DIRECTORY), make=True), name, 0o644) as (opened, directory):
            users = parse_users(os.pread(opened, _LIMIT, 0).decode(errors="replace"))
            try:
                yield users
            finally:
                _keep(users, name, directory, opened)
    finally:
        with contextlib.suppress(OSError):
            RUN_DIRECTORY.rmdir()


def _keep(users: Users, name: str, directory: int, opened: int) -> None:
    if not users.runs and not users.labs:
        os.unlink(name, dir_fd=directory)
        return
    os.ftruncate(opened, 0)
    os.pwrite(opened, json.dumps(asdict(users)).encode(), 0)
