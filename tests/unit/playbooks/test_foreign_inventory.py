# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plays of DESI Lab with an inventory, and settings of Ansible, that somebody has for other purposes."""

import os
import re
import subprocess
import sys

import pytest
from laptop import ROOT, TOKEN, results

PLAYBOOKS = sorted(str(path) for path in (ROOT / "playbooks").glob("*.yml"))
INVENTORY = """
prod0
desi-desi ansible_host=prod3 ansible_connection=ssh

[lab]
prod1

[desi_lab_hosts]
prod2

[all:vars]
ansible_port=2222
ansible_user=root
ansible_ssh_extra_args=-oProxyJump=prod4
desi_host=prod1
lab={"config": "/home/eve"}
ec2_connection={"host": "prod1", "access": "direct"}
"""


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "foreign"
    path.write_text(INVENTORY)
    return path


def ansible(*words, **known):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000", "NO_COLOR": "1"}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "DESI_LAB_LOG": "false", **known}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.security("A1")
def test_no_play_names_a_host_of_an_inventory(inventory):
    done = ansible("ansible-playbook", "--list-hosts", "-i", str(inventory), *PLAYBOOKS)
    assert done.returncode == 0, done.stderr
    listed = re.findall(r"hosts \(\d+\):\n((?:      \S+\n)*)", done.stdout + "\n")
    assert len(listed) > 2 * len(PLAYBOOKS)
    assert set("".join(listed).split()) == {"localhost"}


@pytest.mark.security("A1")
def test_only_the_machine_of_the_lab_is_entered_whatever_else_is_in_the_inventory(laptop, inventory):
    done = laptop.play("url", results(f"http://h:1/lab?token={TOKEN}"), {}, "-i", str(inventory))
    assert done.stdout.strip() == f"http://{laptop.address}:8888/lab?token={TOKEN}", done.stdout + done.stderr
    assert laptop.configurations() == {str(laptop.lab / "ssh_config")}
    calls = (laptop.machine / "calls").read_text()
    assert '"desi-desi"' in calls
    assert not re.search(r"prod\d|2222|\"root\"", calls)


def test_machine_is_worked_on_as_its_own_user_where_the_inventory_becomes_another_everywhere(laptop, inventory):
    here = f"localhost ansible_connection=local ansible_become=false ansible_python_interpreter={sys.executable}"
    inventory.write_text(f"{here}\n[all:vars]\nansible_become=true\n")
    person = {"SUDO_UID": "61235", "SUDO_GID": "61235"}
    laptop.play("prefetch", results(f"http://h:1/lab?token={TOKEN}"), {}, "-i", str(inventory), **person)
    calls = (laptop.machine / "calls").read_text()
    assert "python3" in calls
    assert "61235" not in calls


@pytest.mark.security("A1")
def test_an_inventory_that_has_this_computer_elsewhere_is_refused(inventory):
    inventory.write_text("localhost ansible_connection=ssh\n")
    done = ansible(
        "ansible-playbook", "-i", str(inventory), f"{ROOT}/playbooks/local.yml", ANSIBLE_SSH_EXECUTABLE="false"
    )
    assert done.returncode != 0
    assert "ansible_connection=local" in done.stdout


@pytest.mark.security("H1")
@pytest.mark.parametrize("name", ["local", "url"])
def test_settings_of_ansible_that_make_variables_of_answers_are_refused_with_the_line_to_add(name):
    done = ansible("ansible-playbook", f"{ROOT}/playbooks/{name}.yml", ANSIBLE_INJECT_FACT_VARS="true")
    assert done.returncode != 0
    assert "inject_facts_as_vars=false" in done.stdout, done.stdout + done.stderr
