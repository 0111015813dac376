# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher as a whole, with a machine whose clocks and whose end are the test's."""

import json
import os
import sys
import time

import pytest
from desi_watch import bounded, watch
from desi_watch.decision import Now

QUIET = {"active": [], "doubts": [], "touched": None, "marks": {"kernels": {"1": "now"}}}


class Machine:
    """What the watcher is run on: folders, clocks, what a look finds, and commands that would stop it."""

    def __init__(self, directory, monkeypatch):
        self.directory = directory
        for name in ("state", "memory", "synced"):
            (directory / name).mkdir()
        self.settle(idle_minutes=1, max_hours=1, idle_warning_minutes=0.5, warning_minutes=[10, 5])
        self.mono, self.found, self.ran, self.fails = 100.0, QUIET, [], ()
        monkeypatch.setattr(watch, "clocks", lambda: Now(1_795_530_600.0 + self.mono, self.mono, 0.0))
        monkeypatch.setattr(watch, "observe", self._observe)
        monkeypatch.setattr(watch, "terminals", list)
        monkeypatch.setattr(bounded, "succeeds", self._run)

    def settle(self, **settings):
        (self.directory / "watch.json").write_text(json.dumps(settings))

    def _observe(self, *_arguments):
        return {"directories": [str(self.directory / "synced")], **self.found}

    def _run(self, command, _seconds):
        # What is told of it must be on the disk by then.
        self.ran.append((command[0], (self.state()["last_stop"] or {}).get("why")))
        return command[0] not in self.fails

    def look(self, after=20.0):
        self.mono += after
        given = {"settings": "watch.json", "state": "state", "memory": "memory"}
        watch.main([word for name, place in given.items() for word in (f"--{name}", str(self.directory / place))])
        return self.state()

    def until_stopped(self, looks=1000):
        for _ in range(looks):
            self.look()
            if self.ran:
                return self.mono
        return None

    def state(self):
        file = self.directory / "state/state.json"
        return json.loads(file.read_text()) if file.exists() else {"last_stop": None}

    def files(self):
        return sorted(entry.name for entry in (self.directory / "synced").iterdir())


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


WHY = "Nobody used it for 1 minute (lab_idle_minutes)."


def test_an_idle_machine_is_warned_of_then_synced_and_stopped_after_it_has_told_why(machine, capsys):
    machine.look()
    assert machine.look()["idle_stop_at"] is not None
    machine.look()
    machine.look()
    assert machine.files() == ["THIS LAB STOPS AT 14:33 UTC.txt"]
    assert "told to 0 terminals" in capsys.readouterr().out
    machine.until_stopped()
    assert machine.ran == [("sync", WHY), ("systemctl", WHY)]
    assert machine.state()["last_stop"]["at"] == machine.state()["checked"]
    assert machine.files() == []
    assert f"The machine is stopped. {WHY}" in capsys.readouterr().out


def test_the_reason_is_known_after_the_next_boot(machine):
    machine.until_stopped()
    (machine.directory / "memory/memory.json").unlink()
    machine.mono, machine.ran = 5.0, []
    assert machine.look()["last_stop"]["why"] == WHY
    assert machine.ran == []


def test_a_machine_that_cannot_be_stopped_one_way_is_stopped_another_way_or_tried_again(machine):
    machine.fails = ("sync", "systemctl", "shutdown")
    with pytest.raises(SystemExit, match="could not be stopped"):
        machine.until_stopped()
    assert [name for name, _why in machine.ran] == ["sync", "systemctl", "shutdown", "systemctl"]
    machine.fails, machine.ran = (), []
    machine.look()
    assert [name for name, _why in machine.ran] == ["sync", "systemctl"]


def test_state_is_kept_between_observations(machine, monkeypatch):
    machine.look()
    given = []
    monkeypatch.setattr(watch, "observe", lambda marks, *_rest: given.append(marks) or {**QUIET, "directories": []})
    monkeypatch.setattr(bounded, "result", lambda work, _seconds: work())
    machine.look()
    assert given == [QUIET["marks"]]


def test_hanging_observations_keep_the_instance_running_until_its_deadline(machine, monkeypatch):
    monkeypatch.setattr(watch, "PATIENCE", 0.05)
    monkeypatch.setattr(watch, "observe", lambda *_arguments: time.sleep(60))
    machine.mono = 3600 - 600
    assert machine.look()["active"][0] == "a look did not come to its end"
    assert 3600 <= machine.until_stopped(60) <= 3640
    assert "a look did not come to its end" in machine.state()["last_stop"]["why"]


@pytest.mark.parametrize("directory", ["state", "memory"])
def test_a_disk_that_takes_nothing_keeps_no_machine_beyond_its_deadline(machine, directory):
    (machine.directory / directory).rmdir()
    machine.found = {**QUIET, "active": ["a kernel is busy"]}
    machine.mono = 3600 - 600
    assert 3600 <= machine.until_stopped(60) <= 3600 + 300 + 40


def test_settings_that_cannot_be_read_are_a_doubt_and_a_state_that_is_rubbish_is_written_anew(machine):
    (machine.directory / "watch.json").write_text("{")
    (machine.directory / "state/state.json").write_text("rubbish")
    (machine.directory / "memory/memory.json").write_bytes(b"\xff\xfe")
    assert machine.look()["version"] == 1
    assert machine.look()["active"][0].startswith("the watcher's settings cannot be read")


# Work that may hang


@pytest.mark.parametrize("work", [lambda: 1 / 0, lambda: sys.exit(0), lambda: os._exit(0), object])
def test_work_that_fails_gives_nothing(work):
    assert bounded.result(work, 10) is None


def test_work_gives_what_it_gives_unless_it_hangs():
    assert bounded.result(lambda: {"a": ["ß" * 100_000]}, 10) == {"a": ["ß" * 100_000]}
    began = time.monotonic()
    assert bounded.result(lambda: time.sleep(60) or {}, 0.05) is None
    assert time.monotonic() - began < 5


def test_a_command_that_hangs_that_fails_or_that_is_not_there_did_not_work():
    assert bounded.succeeds(("true",), 10)
    assert not bounded.succeeds(("false",), 10)
    assert not bounded.succeeds(("no-such-command",), 10)
    assert not bounded.succeeds(("sleep", "1"), 0.05)
