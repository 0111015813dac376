# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many tasks, modules and questions to the engine a verb takes for a lab here: each costs a part of a second."""

import os
import subprocess
import sys

import pytest
from fake_engine import TOKEN, container, fake_engine
from laptop import ROOT

FOLDER = ROOT / "tests/unit/playbooks"


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Run a verb, and return the process and a line for each task, module and docker command."""
    programs = {
        "python": f'echo >> {tmp_path}/modules\nexec {sys.executable} "$@"',
        "docker": f'echo "$*" >> {tmp_path}/commands\nexit 64',
    }
    (tmp_path / "bin").mkdir()
    for name, script in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    def run(verb, engine, **more):
        known = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "DESI_LAB"))}
        known |= {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(tmp_path / "tmp"),
            "DESI_LAB_QUIET": "1",
            "DESI_TEST_TASKS": str(tmp_path / "tasks"),
            "DOCKER_HOST": engine.endpoint,
            "NO_COLOR": "1",
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            **more,
        }
        playbook = ROOT / f"playbooks/{verb}.yml"
        python = f"ansible_python_interpreter={tmp_path}/bin/python"
        done = subprocess.run(
            ["ansible-playbook", playbook, "-e", python], env=known, capture_output=True, text=True, timeout=120
        )
        files = [tmp_path / name for name in ("tasks", "modules", "commands")]
        counted = [file.read_text().splitlines() if file.exists() else [] for file in files]
        return done, *counted

    return run


# The URL is not printed where another callback could keep it.
COUNTED = {"ANSIBLE_CALLBACK_PLUGINS": str(FOLDER / "counting"), "ANSIBLE_CALLBACKS_ENABLED": "tasks"}


def test_url_takes_one_module_and_no_docker_command(play):
    with fake_engine() as engine:
        engine.containers = [container("desi", port=9999)]
        done, _tasks, modules, commands = play("url", engine)
        assert done.stdout.strip() == f"http://127.0.0.1:9999/lab?token={TOKEN}", done.stdout + done.stderr
        assert (len(modules), commands) == (1, [])
        assert len(engine.asked) <= 7
        done, tasks, _modules, _commands = play("url", engine, **COUNTED)
    assert tasks[-1] == "Print the URL"
    assert len(tasks) <= 17, tasks
