# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
from pathlib import Path

import pytest
from player import run_alone

ROOT = Path(__file__).parents[3]


@pytest.fixture
def play_tasks(player, tmp_path):
    """A function that plays tasks on localhost and returns the exit status and the output, white space collapsed."""

    def play(tasks, given=None, *options, **environment):
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        play["module_defaults"] = {"group/desi.lab.aws": {"region": "us-west-2"}}
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        inventory = ["-i", str(ROOT / "inventories/local.yml"), "-e", json.dumps(given or {})]
        command = ["ansible-playbook", str(tmp_path / "play.yml"), *inventory, *options]
        known = {"XDG_STATE_HOME": str(tmp_path / "state"), "AWS_EC2_METADATA_DISABLED": "true", "COLUMNS": "1000"}
        # What Ansible reads once takes a process of its own.
        own = any(name.startswith("ANSIBLE_") for name in environment)
        done = (run_alone if own else player.run)(command, {**os.environ, **known, **environment}, tmp_path, 120)
        return done.returncode, " ".join(done.stdout.split())

    return play
