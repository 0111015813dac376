# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import datetime
import os
import subprocess
import threading

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount import users as users_of_mounts
from ansible_collections.desi.lab.plugins.module_utils._mount.users import Users, alone, parse_users, users_of

NOW = datetime.datetime(2026, 11, 28, 10, 30, tzinfo=datetime.timezone.utc)
NOBODY = 65534
MOUNT = "/var/lib/desi-lab/mounts/lab-1/.bucket"

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts"), pytest.mark.security("G5")]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(users_of_mounts, "RUN_DIRECTORY", tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def process():
    made = subprocess.Popen(["sleep", "60"])
    yield made
    made.kill()
    made.wait()


def test_runs_that_are_alive_hold_a_mount_and_those_that_ended_do_not(process, folder):
    with alone(MOUNT):
        pass
    assert not folder.exists()
    with alone(MOUNT) as users:
        users.add(process.pid, "desi", NOW)
    with alone(MOUNT) as users:
        users.add(os.getpid(), "other", NOW)
        assert [run.pid for run in users.others(os.getpid())] == [process.pid]
    assert {run.pid for run in users_of(MOUNT).runs} == {process.pid, os.getpid()}
    process.kill()
    process.wait()
    with alone(MOUNT) as users:
        assert users.others(os.getpid()) == []
        assert users.labs == ["desi", "other"]


def test_two_at_once_wait_for_each_other(folder):
    seen = []

    def second():
        with alone(MOUNT) as users:
            seen.append(list(users.labs))

    with alone(MOUNT) as users:
        other = threading.Thread(target=second)
        other.start()
        users.labs.append("desi")
        other.join(0.2)
        assert seen == []
    other.join(5)
    assert seen == [["desi"]]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"runs": [{}], "labs": []}', '{"runs": 1, "labs": 2}'])
def test_file_that_says_nothing_counts_as_nobody(text):
    assert parse_users(text) == Users()


@pytest.mark.security("M1")
def test_link_or_folder_of_others_is_not_written_through(folder, tmp_path):
    folder.mkdir()
    (tmp_path / "victim").write_text("precious")
    users_of_mounts.users_file(MOUNT).symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"), alone(MOUNT):
        pass
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(LabError), alone(MOUNT):
        pass
    assert (tmp_path / "victim").read_text() == "precious"
