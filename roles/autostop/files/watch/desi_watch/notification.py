# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notify people: by a file in their folder, and by a few lines in each of their terminals."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

from desi_watch.decision import DEADLINE, Notice, Now, minutes
from desi_watch.observation import KEEP
from desi_watch.processes import PROC, TERMINALS, Process

MARK = "DESI Lab stops the machine of this lab"
NAME = "THIS LAB STOPS AT "
SMALL = 4096


def time_text(notice: Notice) -> str:
    """Return the time of the stop, for people."""
    return datetime.fromtimestamp(notice.stop_wall, timezone.utc).strftime("%H:%M UTC")


def file_name(notice: Notice) -> str:
    return f"{NAME}{time_text(notice)}.txt"


def reason(notice: Notice) -> str:
    """Return the reason of the stop."""
    if notice.kind == DEADLINE:
        return "because it has run for as long as it may (lab_max_hours)"
    return "because nobody uses it (lab_idle_minutes)"


def remedy(notice: Notice) -> str:
    """Return the remedy."""
    touch = f"make a file {KEEP} in this folder, or touch the one that is there (touch {KEEP})"
    if notice.kind == DEADLINE:
        return f"{touch}: its full time starts again. Or at home: ./lab ec2 -e lab_max_hours=24"
    return f"use it: run a cell, or {touch}. Or at home: ./lab ec2 -e lab_idle_minutes=240"


def file_text(notice: Notice) -> str:
    return (
        f"{MARK} at {time_text(notice)}, {reason(notice)}.\n\n"
        "Save what is open. Files stay, and so does all that is installed; what runs in notebooks and terminals ends.\n"
        f"To have more time, {remedy(notice)}\n"
        "To go on later, at home: ./lab ec2\n"
    )


def terminal_text(notice: Notice, now: Now) -> str:
    left = minutes(max(0.0, notice.stop - now.mono))
    text = f"{MARK} in {left}, at {time_text(notice)}, {reason(notice)}."
    return f"\a\r\n{text}\r\nTo have more time: touch {KEEP} in your folder (/home/synced in the lab).\r\n"


def update_files(directories: Iterable[Path], notice: Notice | None) -> None:
    """Write the current notice into each folder, and remove earlier ones of ours."""
    for directory in directories:
        with contextlib.suppress(OSError):
            _update_file(directory, notice)


def _update_file(directory: Path, notice: Notice | None) -> None:
    # The folder is held, and never looked up again: whoever may write in it may also put a link in its place.
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        valid = file_name(notice) if notice else ""
        for name in os.listdir(opened):  # noqa: PTH208 - by the handle of the folder
            if name.startswith(NAME) and name != valid and _is_ours(name, opened):
                os.unlink(name, dir_fd=opened)
        if notice:
            _write(valid, opened, file_text(notice))
    finally:
        os.close(opened)


def _is_ours(name: str, opened: int) -> bool:
    with contextlib.suppress(OSError):
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
        with os.fdopen(handle, "rb") as file:
            return stat.S_ISREG(os.fstat(handle).st_mode) and file.read(SMALL).startswith(MARK.encode())
    return False


def _write(name: str, opened: int, text: str) -> None:
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=opened)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        owner = os.fstat(opened)
        os.fchown(handle, owner.st_uid, owner.st_gid)
        os.fchmod(handle, 0o644)
        file.write(text)


def notify_terminals(leaders: Iterable[Process], text: str, proc: Path = PROC) -> int:
    """Write a text to terminals, as ``wall`` does; return to how many. Nobody is waited for."""
    reached = set()
    for leader in leaders:
        for handle in ("0", "1", "2"):
            with contextlib.suppress(OSError):
                # A link of the kernel's, which leads to the very terminal, whichever /dev a container has.
                if leader.terminal not in reached and _write_to(proc / str(leader.pid) / "fd" / handle, text):
                    reached.add(leader.terminal)
    return len(reached)


def _write_to(path: Path, text: str) -> bool:
    # It is held, and only opened once it is known to be one: a process may put another file in its place at any time.
    held = os.open(path, os.O_PATH)
    try:
        about = os.fstat(held)
        if not stat.S_ISCHR(about.st_mode) or os.major(about.st_rdev) not in TERMINALS:
            return False
        handle = os.open(f"/proc/self/fd/{held}", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return os.write(handle, text.encode()) > 0
        finally:
            os.close(handle)
    finally:
        os.close(held)
