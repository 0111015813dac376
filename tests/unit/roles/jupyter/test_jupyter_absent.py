# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mounts end with a lab: its own, and no rights are needed where there is none."""

import os
import shutil
import sys

import pytest

from ansible_collections.desi.lab.plugins.module_utils._mount.users import alone, users_file


@pytest.fixture
def mounts(tmp_path):
    """The directories around two mounts that no lab is bound to."""
    for name in ("one-1", "two-2"):
        (tmp_path / "mounts" / name / ".bucket").mkdir(parents=True)
    yield tmp_path / "mounts"
    for name in ("one-1", "two-2"):
        users_file(str(tmp_path / "mounts" / name / ".bucket")).unlink(missing_ok=True)


@pytest.fixture
def remove(tmp_path, mounts, play_tasks):
    """Remove the lab where no engine answers."""

    def run(**more):
        given = {"jupyter_state": "absent", "jupyter_name": "mine", "jupyter_engine_installed": False, **more}
        given |= {"data_mounts": str(mounts), "ansible_python_interpreter": sys.executable}
        # Root asks for rights, too: so that it shows who does.
        environment = {"ANSIBLE_BECOME_ALLOW_SAME_USER": "true" if "ansible_become_exe" in more else "false"}
        environment |= {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
        return play_tasks([{"include_role": {"name": "desi.lab.jupyter"}}], given, **environment)

    return run


# Whoever asks for root's rights is refused them.
NO_RIGHTS = {"ansible_become_exe": "/bin/false"}


@pytest.mark.security("G4", "G5")
def test_mounts_of_others_need_no_rights_and_stay(remove, mounts):
    code, shown = remove(**NO_RIGHTS)
    assert code == 0, shown
    assert sorted(entry.name for entry in mounts.iterdir()) == ["one-1", "two-2"]


@pytest.mark.security("G4")
def test_purge_without_the_rights_to_remove_streamed_data_ends_and_says_so(remove, tmp_path, mounts):
    for folder in mounts.iterdir():
        shutil.rmtree(folder)
    given = {"jupyter_purge": True, "jupyter_yes": True, "jupyter_cache": str(tmp_path / "cache"), **NO_RIGHTS}
    given["data_programs"] = str(tmp_path / "none")
    assert "stay:" not in remove(**given)[1]
    (tmp_path / "cache").mkdir()
    code, shown = remove(**given)
    assert code == 0, shown
    assert f"Streamed data in {tmp_path}/cache" in shown
    assert "stay:" in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
@pytest.mark.security("G4", "G5")
def test_mount_of_a_lab_that_came_to_nothing_goes_and_that_of_another_run_stays(remove, mounts):
    with alone(str(mounts / "one-1/.bucket")) as users:
        users.labs.append("mine")
    assert remove(**NO_RIGHTS)[0] != 0
    code, shown = remove()
    assert code == 0, shown
    assert [entry.name for entry in mounts.iterdir()] == ["two-2"]


def test_whose_lab_is_removed_is_told_before_it_goes(remove):
    rows = [{"name": "desi-lab-mine", "lab": "mine", "role": "server", "running": False}]
    known = {"others": {"mine": "ann"}, "containers": rows, "engine": False, "reason": "", "networks": [], "labs": []}
    code, shown = remove(jupyter_inspected=known)
    assert code != 0
    assert shown.count("container desi-lab-mine (ann's)") == 2, shown
