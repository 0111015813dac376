# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common import run_lock as common_run_lock
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.run_lock import Holder, take

ZONE = datetime.timezone(datetime.timedelta(hours=1))
NOW = datetime.datetime(2026, 11, 25, 10, 31, tzinfo=ZONE)
ME = os.getpid()


@pytest.fixture
def sleeper():
    """A process that lives until the test ends."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_hold_is_written_for_its_owner_alone_with_who_has_it_since_when(tmp_path):
    path = tmp_path / "a" / "b" / "hold"
    take(path, "lab desi", ME, NOW)
    assert json.loads(path.read_text()) == {
        "pid": ME,
        "started": common_run_lock.started(ME),
        "since": "2026-11-25T10:31:00+01:00",
    }
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent, path.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_folder_that_is_there_keeps_its_mode(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir(mode=0o755)
    take(folder / "hold", "lab desi", ME, NOW)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_hold_of_another_run_is_told_with_how_to_go_on(tmp_path, sleeper):
    path = tmp_path / "hold"
    take(path, "lab desi", sleeper.pid, NOW)
    before = path.read_text()
    with pytest.raises(LabError) as caught:
        take(path, "lab desi", ME, NOW + datetime.timedelta(hours=1))
    assert caught.value.what == (f"Lab desi is being worked on by another run (process {sleeper.pid}, since 10:31).")
    assert f"kill {sleeper.pid}" in caught.value.do
    assert path.read_text() == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_hold_is_gone_with_its_process_even_before_that_is_waited_for(tmp_path, sleeper, number):
    path = tmp_path / "hold"
    take(path, "lab desi", sleeper.pid, NOW)
    sleeper.send_signal(number)
    # It has ended, and its number is still taken, for nobody has asked how it ended.
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert sleeper.returncode is None
    take(path, "lab desi", ME, NOW)
    assert json.loads(path.read_text())["pid"] == ME


def test_process_that_is_stopped_still_has_its_hold(tmp_path, sleeper):
    path = tmp_path / "hold"
    take(path, "lab desi", sleeper.pid, NOW)
    sleeper.send_signal(signal.SIGSTOP)
    with pytest.raises(LabError):
        take(path, "lab desi", ME, NOW)


def test_process_that_got_the_number_of_an_ended_run_holds_nothing(tmp_path, sleeper):
    path = tmp_path / "hold"
    path.write_text(json.dumps({"pid": sleeper.pid, "started": "another-boot 4711", "since": NOW.isoformat()}))
    take(path, "lab desi", ME, NOW)
    assert json.loads(path.read_text())["pid"] == ME


def test_same_run_may_take_it_again_and_keeps_it_since_when_it_had_it_first(tmp_path):
    path = tmp_path / "hold"
    take(path, "lab desi", ME, NOW)
    take(path, "lab desi", ME, NOW + datetime.timedelta(minutes=5))
    assert json.loads(path.read_text())["since"] == "2026-11-25T10:31:00+01:00"


def test_holds_of_two_labs_do_not_meet(tmp_path, sleeper):
    take(tmp_path / "one" / "hold", "lab one", sleeper.pid, NOW)
    take(tmp_path / "two" / "hold", "lab two", ME, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        "[]",
        "7",
        "null",
        '{"pid": 1}',
        '{"pid": 0, "started": "", "since": ""}',
        '{"pid": "x"}',
        "\0" * 99,
        '{"pid": -1, "started": "x", "since": "x"}',
        '{"pid": 1, "started": "", "since": ""}',
    ],
)
def test_file_that_says_nothing_holds_nothing(tmp_path, text):
    path = tmp_path / "hold"
    path.write_text(text)
    assert take(path, "lab desi", ME, NOW, only_look=True) is None
    take(path, "lab desi", ME, NOW)
    assert json.loads(path.read_text())["pid"] == ME


def test_long_file_is_replaced_whole(tmp_path):
    path = tmp_path / "hold"
    path.write_text("x" * 100_000)
    take(path, "lab desi", ME, NOW)
    assert json.loads(path.read_text())["pid"] == ME


def test_who_only_looks_takes_nothing(tmp_path, sleeper):
    path = tmp_path / "a" / "hold"
    assert take(path, "lab desi", ME, NOW, only_look=True) is None
    assert not path.parent.exists()
    take(path, "lab desi", sleeper.pid, NOW)
    before = path.read_text()
    other = take(path, "lab desi", ME, NOW, only_look=True)
    assert other and other.pid == sleeper.pid
    assert take(path, "lab desi", sleeper.pid, NOW, only_look=True) is None
    assert path.read_text() == before


@pytest.mark.parametrize("kind", ["file in the way", "folder in its place", "link"])
def test_file_that_cannot_be_written_is_told(tmp_path, kind):
    path = tmp_path / "hold"
    target = tmp_path / "target"
    target.write_text("theirs")
    if kind == "file in the way":
        path.write_text("")
        path = path / "hold"
    elif kind == "folder in its place":
        path.mkdir()
    else:
        path.symlink_to(target)
    with pytest.raises(LabError) as caught:
        take(path, "lab desi", ME, NOW)
    assert caught.value.what == "Lab desi cannot be kept from other runs."
    assert target.read_text() == "theirs"


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("2026-11-25T10:31:00+01:00", "process 7, since 10:31"),
        ("2026-11-25T09:31:00+00:00", "process 7, since 10:31"),
        ("2026-11-24T23:59:00+01:00", "process 7, since 23:59 on 2026-11-24"),
        ("rubbish", "process 7"),
        ("", "process 7"),
    ],
)
def test_holder_is_told_in_words(since, words):
    assert Holder(7, "x", since).words(NOW) == words


@pytest.mark.parametrize(
    ("stat", "began"),
    [
        ("7 (python3) S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 2 3 4", "boot 4711"),
        ("7 (a) b) ( c) R 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 2 3 4", "boot 4711"),
        ("7 (python3) T 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 2 3 4", "boot 4711"),
        ("7 (python3) Z 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 2 3 4", ""),
        ("7 (python3) X 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 2 3 4", ""),
        ("7 (python3) S 1", ""),
        ("", ""),
    ],
)
def test_start_of_a_process_is_read_on_linux(stat, began):
    assert common_run_lock.parse_stat(stat, "boot") == began


@pytest.mark.parametrize(
    ("line", "began"),
    [
        ("Ss   Wed Nov 25 10:31:02 2026\n", "Wed Nov 25 10:31:02 2026"),
        ("S+   Wed Nov  5 10:31:02 2026    \n", "Wed Nov 5 10:31:02 2026"),
        ("Z    Wed Nov 25 10:31:02 2026\n", ""),
        ("", ""),
        ("\n", ""),
    ],
)
def test_start_of_a_process_is_read_where_there_is_only_ps(line, began):
    assert common_run_lock.parse_ps(line) == began


def test_ps_tells_of_a_process_the_same_in_every_time_zone(sleeper, tmp_path, monkeypatch):
    monkeypatch.setattr(common_run_lock, "_PROC", tmp_path)
    began = common_run_lock.started(sleeper.pid)
    year = datetime.datetime.now(datetime.timezone.utc).year
    assert began.endswith(str(year))
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert common_run_lock.started(sleeper.pid) == began
    sleeper.kill()
    sleeper.wait()
    assert common_run_lock.started(sleeper.pid) == ""


def test_start_of_a_process_differs_from_that_of_one_begun_later(sleeper):
    assert common_run_lock.started(ME) == common_run_lock.started(ME)
    assert common_run_lock.started(ME) != common_run_lock.started(sleeper.pid)
    assert common_run_lock.started(2**22 + 1) == ""


# Waits for a word, tries to take the hold, says how that went, and lives on until it is told to go.
RUNNER = """
import datetime, os, pathlib, sys
from ansible_collections.desi.lab.plugins.module_utils._common import run_lock as common_run_lock
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
print("ready", flush=True)
sys.stdin.readline()
try:
    common_run_lock.take(pathlib.Path(sys.argv[1]), "lab desi", os.getpid(), datetime.datetime.now().astimezone())
    print("won", flush=True)
except LabError as error:
    print("lost", error.what, flush=True)
sys.stdin.readline()
"""


class Runners:
    def __init__(self, path, count):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.all = [
            subprocess.Popen(
                [sys.executable, "-c", RUNNER, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in range(count)
        ]
        for runner in self.all:
            assert runner.stdout.readline() == "ready\n"

    def go(self):
        for runner in self.all:
            runner.stdin.write("go\n")
            runner.stdin.flush()
        return [runner.stdout.readline().split(" ", 1) for runner in self.all]

    def end(self):
        for runner in self.all:
            runner.kill()
            runner.communicate()


@pytest.fixture
def runners(tmp_path):
    made = []

    def make(count):
        made.append(Runners(tmp_path / "lab" / "hold", count))
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.mark.parametrize("left", ["nothing", "a stale hold", "an empty file"])
def test_of_many_at_once_exactly_one_wins(tmp_path, runners, left):
    path = tmp_path / "lab" / "hold"
    if left != "nothing":
        path.parent.mkdir()
        stale = {"pid": 2**22 + 1, "started": "x", "since": NOW.isoformat()}
        path.write_text(json.dumps(stale) if left == "a stale hold" else "")
    many = runners(8)
    said = many.go()
    assert sorted(words[0].strip() for words in said) == ["lost"] * 7 + ["won"]
    winner = many.all[[words[0].strip() for words in said].index("won")]
    assert json.loads(path.read_text())["pid"] == winner.pid
    assert all(f"(process {winner.pid}, since " in words[1] for words in said if len(words) > 1)


def test_next_run_wins_when_the_winner_is_gone(runners):
    first = runners(1)
    assert first.go() == [["won\n"]]
    second = runners(1)
    assert second.go()[0][0] == "lost"
    first.end()
    assert runners(1).go() == [["won\n"]]


@pytest.mark.parametrize("made_anew", [True, False])
def test_file_that_was_taken_away_while_somebody_waited_for_it_locks_nobody_out(tmp_path, runners, made_anew):
    """The folder of a lab goes with the lab; a run that waited just then must not hold a file that nobody sees."""
    path = tmp_path / "lab" / "hold"
    path.parent.mkdir()
    path.touch()
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = runners(1)
        waiting.all[0].stdin.write("go\n")
        waiting.all[0].stdin.flush()
        end = time.monotonic() + 30
        while not _waits_for_a_lock(waiting.all[0].pid) and time.monotonic() < end:
            time.sleep(0.01)
        shutil.rmtree(path.parent)
        if made_anew:
            path.parent.mkdir()
    assert waiting.all[0].stdout.readline() == "won\n"
    assert json.loads(path.read_text())["pid"] == waiting.all[0].pid


def _waits_for_a_lock(pid):
    return any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines())
