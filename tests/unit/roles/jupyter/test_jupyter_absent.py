# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mounts `down` ends: those of its own lab, and no rights are needed where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._mount.users import alone, users_file

ROOT = Path(__file__).parents[4]

PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "roles": [{"role": "desi.lab.jupyter"}],
    }
]


@pytest.fixture
def mounts(tmp_path):
    """The folders around two mounts that no lab is bound to."""
    for name in ("one-1", "two-2"):
        (tmp_path / "mounts" / name / ".bucket").mkdir(parents=True)
    yield tmp_path / "mounts"
    for name in ("one-1", "two-2"):
        users_file(str(tmp_path / "mounts" / name / ".bucket")).unlink(missing_ok=True)


@pytest.fixture
def down(tmp_path, mounts):
    """Run the role where no engine answers."""

    def run(**more):
        known = {"jupyter_state": "absent", "jupyter_name": "mine", "data_mounts": str(mounts)} | more
        known |= {"jupyter_engine_installed": False}
        (tmp_path / "play.json").write_text(json.dumps(PLAY))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            # Root asks for rights, too: so that it shows who does.
            "ANSIBLE_BECOME_ALLOW_SAME_USER": "true" if "ansible_become_exe" in more else "false",
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        }
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local"]
        command += ["-e", json.dumps(known), "-e", f"ansible_python_interpreter={sys.executable}"]
        return subprocess.run(
            [*command, tmp_path / "play.json"], capture_output=True, text=True, check=False, env=environment, cwd=ROOT
        )

    return run


# Who is no root gets no rights: whoever is asked for them says no.
NO_RIGHTS = {"ansible_become_exe": "/bin/false"}


@pytest.mark.security("G4", "G5")
def test_mounts_of_others_need_no_rights_and_stay(down, mounts):
    done = down(**NO_RIGHTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(entry.name for entry in mounts.iterdir()) == ["one-1", "two-2"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
@pytest.mark.security("G4", "G5")
def test_mount_of_a_lab_that_came_to_nothing_goes_and_that_of_another_run_stays(down, mounts):
    with alone(str(mounts / "one-1/.bucket")) as users:
        users.labs.append("mine")
    # Not without rights.
    assert down(**NO_RIGHTS).returncode != 0
    done = down()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [entry.name for entry in mounts.iterdir()] == ["two-2"]
