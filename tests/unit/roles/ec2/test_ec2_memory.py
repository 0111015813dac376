# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run makes at AWS is remembered at once, so that a run which was cut off is gone on with, and unasked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from moto.core.responses import ActionResult
from moto.ec2.responses.security_groups import SecurityGroups

from ansible_collections.desi.lab.plugins.module_utils._ec2.record import read

ROOT = Path(__file__).parents[4]
PLAY = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/desi.lab.aws:
      region: us-west-2
  tasks:
    - ansible.builtin.include_role:
        name: desi.lab.ec2
        tasks_from: "{{ item }}"
      vars:
        ec2_folder: "{{ folder }}"
        ec2_yes: "{{ yes_to_all }}"
        ec2_allow_from: [192.0.2.1/32]
        ec2_access: direct
        ec2_port: 8888
      loop: "{{ parts }}"
"""
PARTS = ["plan", "ask", "key", "group", "run"]


@pytest.fixture
def run(region, tmp_path, monkeypatch):
    """Return a function that runs parts of the role on the region."""
    for way in ("ingress", "egress"):
        # moto leaves out what amazon.aws reads.
        name = f"update_security_group_rule_descriptions_{way}"
        real = getattr(SecurityGroups, name)
        monkeypatch.setattr(
            SecurityGroups, name, lambda self, real=real: (real(self), ActionResult({"Return": True}))[1]
        )

    def run_it(*parts, yes=True):
        play, program = tmp_path / "play.yml", Path(sys.executable).with_name("ansible-playbook")
        play.write_text(PLAY)
        given = {"folder": str(tmp_path / "lab"), "parts": parts, "yes_to_all": yes}
        done = subprocess.run(
            [str(program), str(play), "-i", str(ROOT / "inventories/local.yml"), "-e", json.dumps(given)],
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
                "ANSIBLE_HOME": str(tmp_path / "a"),
                "XDG_STATE_HOME": str(tmp_path / "state"),
                "NO_COLOR": "1",
                "COLUMNS": "1000",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run_it


@pytest.mark.security("M4")
def test_each_thing_is_remembered_as_it_is_made_and_the_next_run_asks_for_nothing(region, run, tmp_path):
    folder = str(tmp_path / "lab")
    # As if it was cut off then.
    code, shown = run(*PARTS[:4])
    assert code == 0, shown
    assert (read(folder).account, len(read(folder).begun)) == ("123456789012", 1)
    [group] = read(folder).ids("security group")
    code, shown = run(*PARTS)
    assert code == 0, shown
    [machine] = region.machines()
    assert read(folder).ids("machine") == (machine["InstanceId"],)
    assert read(folder).ids("disk")
    assert read(folder).ids("security group") == (group,)
    assert (tmp_path / "lab/made.json").stat().st_mode & 0o777 == 0o600
    # With a rule that somebody added it is told, each time.
    region.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    code, shown = run("plan", "ask", yes=False)
    # Nobody can be asked, and nothing has to be.
    assert code == 0, shown


@pytest.mark.security("M4")
def test_what_others_gave_our_tags_is_refused_where_nobody_can_be_asked(region, run, tmp_path):
    group = region.group()
    code, shown = run(*PARTS, yes=False)
    assert code != 0
    assert group in shown
    assert region.machines() == []
    assert not (tmp_path / "lab").exists()
