# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a path of the computer does to a playbook: where it is called from, and how long a home is."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._ssh.wait import plain_parent

ROOT = Path(__file__).parents[3]
# What ssh adds while it makes a socket, and the most that macOS takes.
ADDED, LONGEST = 18, 104


def in_bare_environment(command, folder, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    return subprocess.run(command, cwd=folder, env={**kept, **more}, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", ["ec2.yml", "local.yml"])
def test_collection_is_found_from_any_directory(tmp_path, name):
    done = in_bare_environment(["ansible-playbook", "--syntax-check", str(ROOT / name)], tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("below", "shared"), [("a b", True), ("é" * 40, False), ("100%", False)])
def test_a_connection_is_shared_only_where_its_socket_can_be(tmp_path, below, shared):
    machine = {"id": "i-0123456789abcdef0", "address": "255.255.255.255"}
    task = {"ansible.builtin.debug": {"msg": "path={{ __ec2_control_path }}="}}
    files = [str(ROOT / "roles/ec2/vars/main.yml")]
    play = {"hosts": "all", "gather_facts": False, "vars_files": files, "vars": {"__ec2_target": machine}}
    (tmp_path / "play.yml").write_text(json.dumps([{**play, "tasks": [task]}]))
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="d") as home:
        command = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")]
        done = in_bare_environment(command, tmp_path, ANSIBLE_HOME=f"{home}/{below}")
    path = done.stdout.partition("path=")[2].partition("=")[0]
    assert path.startswith("%(directory)s/") if shared else path == "none", done.stdout + done.stderr


@pytest.mark.parametrize(
    "temporary",
    ["/tmp", "/var/folders/" + "x" * 60, "/scratch/" + "é" * 30, "/scratch/my files", "/scratch/100%", "/a\nb"],  # noqa: S108 - a name
)
def test_ssh_takes_the_place_of_a_socket_as_it_is_whatever_the_temporary_directory_is(monkeypatch, temporary):
    monkeypatch.setattr(tempfile, "tempdir", temporary)
    path = f"{plain_parent()}/desi-abcdefgh/ssh"
    assert len(os.fsencode(path)) + ADDED <= LONGEST
    assert path.isascii()
    assert not set(path) & set(" %\n\"'$")
