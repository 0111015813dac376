# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plays of DESI Lab with a machine in other hands: its ssh answers what it likes, all else is as it is."""

from __future__ import annotations

import json
import re

import pytest
from laptop import TOKEN, results

EVIL = "198.51.100.66"


def facts(laptop):
    """Return what a machine would like the variables on the laptop to be."""
    own = {
        "desi_ssh": f"{laptop.folder}/synced/evil_config",
        "desi_access": "direct",
        "desi_address": EVIL,
        "desi_port": 9999,
        "desi_image": "/home/ann",
        "lab_image": "/home/ann",
        "lab_config": f"{laptop.folder}/synced",
        "lab_domain": EVIL,
        "jupyter_url": f"http://{EVIL}/",
        "ec2_connection": {"host": "desi-desi", "access": "direct", "address": EVIL, "port": 9999, "ssh": "x"},
        "access_url": f"http://{EVIL}/",
        "ansible_connection": "local",
        "ansible_host": EVIL,
        "ansible_ssh_common_args": f"-F {laptop.folder}/synced/evil_config",
        "ansible_python_interpreter": "/bin/false",
        "ansible_become": True,
        "_ansible_delegated_vars": {"ansible_host": EVIL},
    }
    return {
        "ansible_facts": own,
        "add_host": {"host_name": "localhost", "groups": ["desi_lab_hosts"], "host_vars": own},
        "add_group": "desi_lab_hosts",
        "_ansible_delegated_vars": {"ansible_delegated_host": "localhost"},
        "ansible_stats": {"data": own, "per_host": True, "aggregate": True},
        **own,
    }


@pytest.mark.security("H1")
def test_answer_of_an_instance_never_becomes_a_variable_on_the_controller(laptop):
    done = laptop.play("url", results(f"http://{EVIL}:1/lab?token={TOKEN}"), facts(laptop))
    assert done.stdout.strip() == f"http://{laptop.address}:8888/lab?token={TOKEN}", done.stdout + done.stderr
    assert EVIL not in done.stdout + done.stderr
    assert laptop.configurations() == {str(laptop.lab / "ssh_config")}


@pytest.mark.security("H1")
def test_a_shell_goes_to_the_machine_by_what_this_computer_knows_and_not_by_what_it_answers(laptop):
    answers = results("")
    answers["labs_info"]["containers"] = [
        {"name": f"{EVIL};id", "lab": "desi", "role": "server", "state": "running", "running": True}
    ]
    done = laptop.play("shell", answers, facts(laptop))
    assert json.loads(done.stdout) == {
        "container": "desi-lab-desi",
        "docker": ["docker"],
        "environment": {},
        "folder": "/home/synced",
        "ssh": {"config": str(laptop.lab / "ssh_config"), "host": "desi-desi"},
    }, done.stderr
    answers["labs_info"]["containers"][0]["running"] = False
    done = laptop.play("shell", answers)
    assert (done.returncode, "./lab start -e lab_name=desi" in done.stderr) == (2, True), done.stderr
    assert laptop.play("logs", answers).returncode == 0


@pytest.mark.security("H1")
def test_answer_that_is_no_url_is_refused_and_not_shown(laptop):
    template = "{{ lookup('ansible.builtin.pipe', 'echo evil') }}"
    done = laptop.play("url", results(f"http://h:1/lab?token={TOKEN}{template}\x1b]0;evil\x07"))
    assert done.returncode != 0
    assert "The answer of the lab is refused." in done.stderr, done.stdout + done.stderr
    assert "evil" not in done.stdout + done.stderr


@pytest.mark.security("H1")
@pytest.mark.parametrize("failed", [True, False])
def test_words_of_a_machine_do_not_reach_the_terminal_as_they_are(laptop, failed):
    sentence = "evil \x1b[2J\x1b]0;x\x07\u009b31m\rhidden {{ 'zq' * 4 }}"
    besides = dict.fromkeys(("msg", "what", "why", "do", "stdout", "stderr"), sentence)
    besides |= {"failed": failed, "changed": True, "warnings": [sentence], "deprecations": [{"msg": sentence}]}
    besides |= {"diff": {"before": sentence, "after": f"x{sentence}"}}
    done = laptop.play("url", results(""), besides, "-vvv", "--diff", DESI_LAB_QUIET="", ANSIBLE_FORCE_COLOR="true")
    assert done.returncode != 0
    assert "evil" in done.stdout
    seen = re.sub("\x1b\\[[0-9;]*m", "", done.stdout + done.stderr)
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(seen)
    assert "zqzqzqzq" not in seen


@pytest.mark.security("M14")
@pytest.mark.parametrize("known", ["", '{"access": "https", "port": 8888}'])
def test_tag_with_weaker_access_is_ignored_without_confirmation(laptop, known):
    memory = laptop.lab / "way.json"
    memory.write_text(known)
    answers = results(f"https://h:1/lab?token={TOKEN}")
    done = laptop.play("url", answers, {}, "-e", "lab_yes=true")
    assert done.returncode != 0
    assert "without encryption" in " ".join(done.stderr.split()), done.stdout + done.stderr
    assert "-e lab_access=direct" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert memory.read_text() == known


@pytest.mark.security("M14")
def test_weaker_access_given_explicitly_is_used_and_recorded(laptop):
    memory = laptop.lab / "way.json"
    memory.unlink()
    answers = results(f"http://h:1/lab?token={TOKEN}")
    first = laptop.play("url", answers, {}, "-e", "lab_access=direct")
    assert first.stdout.strip() == f"http://{laptop.address}:8888/lab?token={TOKEN}", first.stdout + first.stderr
    assert json.loads(memory.read_text()) == {"access": "direct", "port": 8888, "settings": {}}
    assert memory.stat().st_mode & 0o777 == 0o600
    assert laptop.play("url", answers).stdout == first.stdout
