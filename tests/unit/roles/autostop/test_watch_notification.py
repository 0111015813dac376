# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How people are told that their lab stops: by real files and in real terminals."""

import contextlib
import os
import pty
import select
import termios
import time
from pathlib import Path

import pytest
from desi_watch import notification
from desi_watch.decision import DEADLINE, IDLE, Notice, Now
from desi_watch.processes import processes

from ansible_collections.desi.lab.plugins.module_utils._sync import patterns

WALL = 1_795_530_600.0
NOW = Now(wall=WALL, mono=1000.0, booted=0.0)
LATER = Notice(DEADLINE, stop=1300.0, stop_wall=WALL + 300)
IDLING = Notice(IDLE, stop=1060.0, stop_wall=WALL + 60)


def names(directory):
    return sorted(entry.name for entry in directory.iterdir())


def test_the_file_stays_where_the_lab_stops():
    assert patterns.is_ignored(f"sub/{notification.file_name(LATER)}", False, patterns.rules_of([]))
    assert not patterns.is_ignored("THIS LAB.txt", False, patterns.rules_of([]))


def test_the_file_says_when_why_and_what_helps_and_belongs_to_whom_the_folder_belongs_to(tmp_path):
    os.chown(tmp_path, 4711, 4712)
    mask = os.umask(0o077)
    try:
        notification.update_files([tmp_path], LATER)
    finally:
        os.umask(mask)
    (file,) = tmp_path.iterdir()
    about = file.stat()
    assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (4711, 4712, 0o644)
    assert file.name == "THIS LAB STOPS AT 14:35 UTC.txt"
    text = file.read_text()
    for part in ("14:35 UTC", "lab_max_hours", "touch keep-running", "./lab ec2 -e lab_max_hours=24"):
        assert part in text
    assert "lab_idle_minutes" in notification.file_text(IDLING)


def test_the_file_stays_while_it_is_true_and_goes_when_another_comes(tmp_path):
    notification.update_files([tmp_path], LATER)
    before = next(tmp_path.iterdir()).stat()
    notification.update_files([tmp_path], LATER)
    after = next(tmp_path.iterdir()).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    notification.update_files([tmp_path], IDLING)
    assert names(tmp_path) == ["THIS LAB STOPS AT 14:31 UTC.txt"]
    notification.update_files([tmp_path], None)
    assert names(tmp_path) == []


def test_files_of_others_are_never_touched_whatever_they_are_called(tmp_path):
    (tmp_path / "THIS LAB STOPS AT noon.txt").write_text("my own")
    (tmp_path / "THIS LAB STOPS AT 14:35 UTC.txt").write_text("mine, too")
    (tmp_path / "THIS LAB STOPS AT once.txt").mkdir()
    os.mkfifo(tmp_path / "THIS LAB STOPS AT pipe.txt")
    (tmp_path / "work.ipynb").write_text("{}")
    before = names(tmp_path)
    # One that cannot be written in keeps no other from being told.
    (tmp_path / "other").mkdir()
    before.insert(before.index("work.ipynb"), "other")
    notification.update_files([tmp_path / "none", tmp_path / "work.ipynb", tmp_path, tmp_path / "other"], LATER)
    assert names(tmp_path / "other") == ["THIS LAB STOPS AT 14:35 UTC.txt"]
    notification.update_files([tmp_path], None)
    assert names(tmp_path) == before
    assert (tmp_path / "THIS LAB STOPS AT 14:35 UTC.txt").read_text() == "mine, too"


def test_a_link_in_its_place_leads_to_nothing_that_is_written(tmp_path):
    (tmp_path / "synced").mkdir()
    (tmp_path / "secret").write_text("kept")
    (tmp_path / "synced" / "THIS LAB STOPS AT 14:35 UTC.txt").symlink_to("../secret")
    notification.update_files([tmp_path / "synced"], LATER)
    assert (tmp_path / "secret").read_text() == "kept"
    (tmp_path / "linked").symlink_to("synced")
    notification.update_files([tmp_path / "linked"], IDLING)
    assert len(names(tmp_path / "synced")) == 1


@pytest.fixture
def terminal():
    """A terminal with a program in it; gives the program's process and the other end."""
    pid, end = pty.fork()
    if not pid:
        os.execvp("sleep", ["sleep", "100"])  # noqa: S606 - no shell is wanted
    # The program takes the terminal for its own some moments after it has begun.
    begun = time.monotonic()
    while not (leader := next(each for each in processes() if each.pid == pid)).terminal:
        assert time.monotonic() - begun < 10
    yield leader, end
    os.kill(pid, 9)
    os.close(end)
    os.waitpid(pid, 0)


def shown(end, seconds=5.0):
    """Return what a terminal shows by now."""
    return os.read(end, 4096).decode() if select.select([end], [], [], seconds)[0] else ""


def test_a_terminal_shows_when_it_stops_and_what_helps(terminal):
    leader, end = terminal
    assert notification.notify_terminals([leader, leader], notification.terminal_text(LATER, NOW)) == 1
    text = shown(end)
    assert "in 5 minutes, at 14:35 UTC" in text
    assert "touch keep-running" in text
    assert shown(end, 0.2) == ""


def test_a_terminal_that_takes_nothing_is_not_waited_for(terminal):
    leader, end = terminal
    termios.tcflow(end, termios.TCOOFF)
    for _ in range(100):
        notification.notify_terminals([leader], "x" * 60_000)


@pytest.mark.security("M12")
def test_what_takes_a_terminals_place_once_it_was_looked_at_is_told_nothing(terminal, tmp_path, monkeypatch):
    leader, _end = terminal
    link = tmp_path / "proc" / str(leader.pid) / "fd/0"
    link.parent.mkdir(parents=True)
    (tmp_path / "mail").write_text("")
    link.symlink_to(Path(f"/proc/{leader.pid}/fd/0").readlink())

    def swapping(look):
        def looked(*given, **more):
            about = look(*given, **more)
            with contextlib.suppress(FileNotFoundError):
                os.rename(tmp_path / "other", link)  # noqa: PTH104 - what pathlib looks at is looked at here, too
            return about

        return looked

    (tmp_path / "other").symlink_to(tmp_path / "mail")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", swapping(os.fstat))
        patched.setattr(Path, "stat", swapping(Path.stat))
        notification.notify_terminals([leader], "x", tmp_path / "proc")
    assert link.readlink() == tmp_path / "mail"
    assert (tmp_path / "mail").read_text() == ""


def test_what_is_no_terminal_is_told_nothing(terminal, tmp_path):
    leader, _end = terminal
    (tmp_path / "proc" / str(leader.pid) / "fd").mkdir(parents=True)
    (tmp_path / "mail").write_text("")
    (tmp_path / "proc" / str(leader.pid) / "fd" / "0").symlink_to(tmp_path / "mail")
    (tmp_path / "proc" / str(leader.pid) / "fd" / "1").symlink_to("/dev/null")
    assert notification.notify_terminals([leader], "x", tmp_path / "proc") == 0
    assert (tmp_path / "mail").read_text() == ""
