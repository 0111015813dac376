# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import datetime
import errno
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common import files
from ansible_collections.desi.lab.plugins.module_utils._common import run_lock as common_run_lock
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.polling import wait_until
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


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hold"


def holder_of(path):
    return json.loads(path.read_text())["pid"]


def test_hold_is_written_for_its_owner_alone_with_who_has_it_since_when(tmp_path):
    path = tmp_path / "there" / "b" / "hold"
    path.parents[1].mkdir(mode=0o755)
    since = {"pid": ME, "started": common_run_lock.started(ME), "since": "2026-11-25T10:31:00+01:00"}
    for later in (0, 5):
        take(path, "lab desi", ME, NOW + datetime.timedelta(minutes=later))
        assert json.loads(path.read_text()) == since
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent, path.parent.parent)]
    assert modes == [0o600, 0o700, 0o755]


def test_hold_of_another_run_is_told_with_how_to_go_on(path, sleeper):
    take(path, "lab desi", sleeper.pid, NOW)
    before = path.read_text()
    with pytest.raises(LabError) as caught:
        take(path, "lab desi", ME, NOW + datetime.timedelta(hours=1))
    assert caught.value.what == (f"Lab desi is being worked on by another run (process {sleeper.pid}, since 10:31).")
    assert f"kill {sleeper.pid}" in caught.value.do
    # Also while it is stopped.
    sleeper.send_signal(signal.SIGSTOP)
    with pytest.raises(LabError):
        take(path, "lab desi", ME, NOW)
    assert path.read_text() == before
    take(path.with_name("of another lab"), "lab two", ME, NOW)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_lock_is_released_when_its_process_ends_even_as_a_zombie(path, sleeper, number):
    take(path, "lab desi", sleeper.pid, NOW)
    sleeper.send_signal(number)
    # It has ended, and its number is still taken, for nobody has asked how it ended.
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert sleeper.returncode is None
    take(path, "lab desi", ME, NOW)
    assert holder_of(path) == ME


@pytest.mark.parametrize(
    "text",
    [
        *("", "rubbish", "[]", "7", "null", '{"pid": 1}', '{"pid": "x"}', "\0" * 99, "x" * 100_000),
        '{"pid": 0, "started": "", "since": ""}',
        '{"pid": -1, "started": "x", "since": "x"}',
        '{"pid": 1, "started": "", "since": ""}',
        # The number of a run that ended is another process's by now.
        '{"pid": 1, "started": "another-boot 4711", "since": "2026-11-25T10:31:00+01:00"}',
    ],
)
def test_file_that_names_no_process_that_runs_holds_nothing(path, text):
    path.write_text(text)
    assert take(path, "lab desi", ME, NOW, only_look=True) is None
    take(path, "lab desi", ME, NOW)
    assert holder_of(path) == ME


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


def test_file_that_cannot_be_written_is_told(tmp_path):
    target = tmp_path / "target"
    target.write_text("theirs")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(target)
    for path in ("target/hold", "folder", "link"):
        with pytest.raises(LabError) as caught:
            take(tmp_path / path, "lab desi", ME, NOW)
        assert caught.value.what == "Lab desi cannot be kept from other runs."
    assert target.read_text() == "theirs"


@pytest.mark.parametrize(
    ("number", "has_none"),
    [(errno.ENOLCK, True), (errno.ENOTSUP, True), (errno.EOPNOTSUPP, True), (errno.ENOSYS, True), (errno.EIO, False)],
)
def test_file_system_without_locks_still_keeps_a_lab_from_other_runs(path, sleeper, monkeypatch, number, has_none):
    def no_locks(*_words):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    if not has_none:
        with pytest.raises(LabError, match="cannot be kept from other runs"):
            take(path, "lab desi", ME, NOW)
        return
    take(path, "lab desi", sleeper.pid, NOW)
    assert holder_of(path) == sleeper.pid
    with pytest.raises(LabError, match="is being worked on by another run"):
        take(path, "lab desi", ME, NOW)
    with path.open() as file:
        assert not files.wait_for_lock(file.fileno(), pytest.fail)


def test_holder_is_told_in_words():
    for since, words in (
        ("2026-11-25T10:31:00+01:00", "process 7, since 10:31"),
        ("2026-11-25T09:31:00+00:00", "process 7, since 10:31"),
        ("2026-11-24T23:59:00+01:00", "process 7, since 23:59 on 2026-11-24"),
        ("rubbish", "process 7"),
    ):
        assert Holder(7, "x", since).words(NOW) == words


def test_start_of_a_process_is_read():
    rest = "1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 2 3 4"
    for said in (f"7 (python3) S {rest}", f"7 (a) b) ( c) R {rest}", f"7 (python3) T {rest}"):
        assert common_run_lock.parse_stat(said, "boot") == "boot 4711"
    for said in (f"7 (python3) Z {rest}", f"7 (python3) X {rest}", "7 (python3) S 1", ""):
        assert common_run_lock.parse_stat(said, "boot") == ""
    assert common_run_lock.parse_ps("Ss   Wed Nov  5 10:31:02 2026    \n") == "Wed Nov 5 10:31:02 2026"
    for said in ("Z    Wed Nov 25 10:31:02 2026\n", "", "\n"):
        assert common_run_lock.parse_ps(said) == ""
    assert common_run_lock.started(2**22 + 1) == ""


def test_ps_tells_of_a_process_the_same_in_every_time_zone(sleeper, tmp_path, monkeypatch):
    monkeypatch.setattr(common_run_lock, "_PROC", tmp_path)
    began = common_run_lock.started(sleeper.pid)
    year = datetime.datetime.now(datetime.timezone.utc).year
    assert began.endswith(str(year))
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert common_run_lock.started(sleeper.pid) == began
    assert began != common_run_lock.started(ME)
    sleeper.kill()
    sleeper.wait()
    assert common_run_lock.started(sleeper.pid) == ""


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


@pytest.fixture
def runners(tmp_path):
    """Start runs that take the hold at a word; each is given by its process."""
    made = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", RUNNER, str(tmp_path / "lab" / "hold")]

    def make(count):
        some = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            for _ in range(count)
        ]
        made.extend(some)
        assert [runner.stdout.readline() for runner in some] == ["ready\n"] * count
        return some

    yield make
    for each in made:
        end(each)


def end(runner):
    runner.kill()
    runner.communicate()


def go(runners):
    for runner in runners:
        runner.stdin.write("go\n")
        runner.stdin.flush()
    return [runner.stdout.readline().split(" ", 1) for runner in runners]


@pytest.mark.parametrize("left", [None, '{"pid": 4194305, "started": "x", "since": ""}'])
def test_of_many_at_once_exactly_one_wins(tmp_path, runners, left):
    path = tmp_path / "lab" / "hold"
    if left:
        path.parent.mkdir()
        path.write_text(left)
    many = runners(6)
    said = go(many)
    assert sorted(words[0].strip() for words in said) == ["lost"] * 5 + ["won"]
    winner = many[[words[0].strip() for words in said].index("won")]
    assert holder_of(path) == winner.pid
    assert all(f"(process {winner.pid}, since " in words[1] for words in said if len(words) > 1)
    # The next run wins when the winner is gone.
    end(winner)
    assert go(runners(1)) == [["won\n"]]


@pytest.mark.parametrize("made_anew", [True, False])
def test_file_that_was_taken_away_while_somebody_waited_for_it_locks_nobody_out(tmp_path, runners, made_anew):
    """The folder of a lab goes with the lab; a run that waited just then must not hold a file that nobody sees."""
    path = tmp_path / "lab" / "hold"
    path.parent.mkdir()
    path.touch()
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        [waiting] = runners(1)
        waiting.stdin.write("go\n")
        waiting.stdin.flush()
        assert wait_until(lambda: _waits_for_a_lock(waiting.pid), 30, 0.01)
        shutil.rmtree(path.parent)
        if made_anew:
            path.parent.mkdir()
    assert waiting.stdout.readline() == "won\n"
    assert holder_of(path) == waiting.pid


def _waits_for_a_lock(pid):
    return any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines())
