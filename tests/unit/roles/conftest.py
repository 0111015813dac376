# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def play_tasks(tmp_path):
    """A function that plays tasks on localhost and returns the exit status and the output, white space collapsed."""

    def play(tasks, given=None, *options, **environment):
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        play["module_defaults"] = {"group/desi.lab.aws": {"region": "us-west-2"}}
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        program = Path(sys.executable).with_name("ansible-playbook")
        done = subprocess.run(
            [
                program,
                tmp_path / "play.yml",
                "-i",
                ROOT / "inventories/local.yml",
                "-e",
                json.dumps(given or {}),
                *options,
            ],
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
                "ANSIBLE_HOME": str(tmp_path / "ansible"),
                "XDG_STATE_HOME": str(tmp_path / "state"),
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_COLOR": "1",
                "COLUMNS": "1000",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return play
