# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount import supervisors as mount_supervisors
from ansible_collections.desi.lab.plugins.module_utils._mount.supervisors import (
    Job,
    LoopSupervisor,
    SystemdSupervisor,
    make_supervisors,
)

JOB = Job("rclone", ["/usr/bin/env", "mount", "/srv/lab"], {"bucket": "lab"}, {"AWS_SECRET_ACCESS_KEY": 'se"cret'})


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Stand in for systemd: a systemctl that notes what it was asked, and says what it was told to say."""
    (tmp_path / "units").mkdir()
    program = tmp_path / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n[ "$1" = show ] && cat {tmp_path}/state\n[ "$1" != "$REFUSED" ]\n'
    )
    program.chmod(0o755)
    (tmp_path / "state").write_text("active\n")
    monkeypatch.setattr(mount_supervisors, "SYSTEM_PATH", f"{tmp_path}:{mount_supervisors.SYSTEM_PATH}")
    monkeypatch.setattr(mount_supervisors, "UNIT_DIRECTORY", tmp_path / "units")
    monkeypatch.setattr(mount_supervisors, "systemd_runs", lambda: True)
    return tmp_path


@pytest.mark.security("L7")
@pytest.mark.parametrize("at", [7, 28])
def test_no_part_of_a_token_stays_where_a_log_is_cut(machine, monkeypatch, at):
    token = "0123456789abcdef" * 3
    text = f"token={token}\n{'x ' * ((mount_supervisors.LONGEST - at) // 2)}"
    (machine / "journalctl").write_text(f"#!/bin/sh\ncat {machine}/journal\n")
    (machine / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{machine}:/usr/bin:/bin")
    monkeypatch.setattr(mount_supervisors, "RUN_DIRECTORY", machine)
    (machine / "journal").write_text(text)
    for each in (SystemdSupervisor("/srv/lab"), LoopSupervisor("/srv/lab")):
        if each.kind == "process":
            each.log_file.write_text(text)
        assert len(each.log()) > 3000
        assert not [begin for begin in range(40) if token[begin : begin + 8] in each.log()]


def asked(machine):
    return (machine / "asked").read_text().splitlines()


@pytest.fixture
def supervisor(machine):
    return SystemdSupervisor("/srv/lab")


def test_unit_is_written_enabled_and_started(machine, supervisor):
    assert supervisor.settings() is None
    supervisor.start(JOB)
    unit = supervisor.unit
    assert asked(machine) == ["daemon-reload", f"enable {unit}", f"restart --no-block {unit}"]
    assert supervisor.settings() == {"bucket": "lab"}
    assert supervisor.file.stat().st_mode & 0o777 == 0o644
    # Keys are for root alone and not in the unit.
    assert "cret" not in supervisor.file.read_text()
    assert supervisor.environment_file.read_text() == 'AWS_SECRET_ACCESS_KEY="se\\"cret"\n'
    assert supervisor.environment_file.stat().st_mode & 0o777 == 0o600
    assert f"EnvironmentFile=-{supervisor.environment_file}" in supervisor.file.read_text()
    supervisor.start(Job(JOB.backend, JOB.command, JOB.settings, {}))
    assert not supervisor.environment_file.exists()


def test_only_this_very_job_counts_as_served_and_only_while_it_runs(machine, supervisor):
    assert not supervisor.serves(JOB)
    supervisor.start(JOB)
    assert supervisor.serves(JOB)
    assert not supervisor.serves(Job("rclone", ["/opt/rclone"], JOB.settings, {}))
    (machine / "state").write_text("activating\n")
    assert not supervisor.serves(JOB)


def test_tool_that_ended_is_noticed(machine, supervisor):
    for state, ended in (("active", False), ("start", False), ("failed", True), ("auto-restart", True)):
        (machine / "state").write_text(f"{state}\n")
        assert supervisor.ended() is ended


def test_stopping_leaves_no_file_and_asks_nothing_where_there_is_none(machine, supervisor):
    supervisor.stop(1)
    assert not (machine / "asked").exists()
    supervisor.start(JOB)
    supervisor.stop(1)
    assert list((machine / "units").iterdir()) == []
    assert {f"disable {supervisor.unit}", f"stop {supervisor.unit}"} <= set(asked(machine))
    assert asked(machine).count("daemon-reload") == 2


def test_refusal_of_systemd_is_told(supervisor, monkeypatch):
    monkeypatch.setenv("REFUSED", "enable")
    with pytest.raises(LabError, match="systemctl enable"):
        supervisor.start(JOB)


@pytest.mark.parametrize(
    ("systemd", "wanted", "kind", "known"),
    [
        (True, "auto", "systemd", {"systemd", "process"}),
        (True, "process", "process", {"systemd", "process"}),
        (False, "auto", "process", {"process"}),
    ],
)
def test_supervisor_is_chosen_by_what_runs_the_machine(monkeypatch, systemd, wanted, kind, known):
    monkeypatch.setattr(mount_supervisors, "systemd_runs", lambda: systemd)
    supervisor, supervisors = make_supervisors(wanted, "/srv/lab")
    assert supervisor.kind == kind
    assert supervisor in supervisors
    assert {one.kind for one in supervisors} == known
    if not systemd:
        with pytest.raises(LabError, match="supervisor=auto"):
            make_supervisors("systemd", "/srv/lab")
