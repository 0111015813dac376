# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab on EC2 is found by what it keeps on this computer, and no other lab is taken for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.docker

# Each case is a host of one play, with a configuration directory of its own.
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - ansible.builtin.include_role:
            name: desi.lab.locate
      rescue:
        - ansible.builtin.set_fact:
            refused: "{{ ansible_failed_result.msg }}"
    - ansible.builtin.copy:
        content: >-
          {{ {'refused': refused} if refused is defined else
             {'found': locate_region_found}
             | combine({'name': locate_name_found} if locate_unnamed | default(false) else {}) }}
        dest: "{{ locate_config }}.json"
        mode: "0600"
"""
CASES = {
    "nothing is kept": ([], {}, {"found": ""}),
    "only the key was made": (["eu-west-1/ann/id_ed25519"], {}, {"found": "eu-west-1"}),
    "the key was lost": (["eu-west-1/ann/ssh_config"], {}, {"found": "eu-west-1"}),
    "names that are alike": (
        ["us-west-2/ann-2/id_ed25519", "us-west-2/joann/id_ed25519"],
        {},
        {"found": ""},
    ),
    "two regions": (
        ["eu-west-1/ann/id_ed25519", "us-west-2/ann/ssh_config"],
        {},
        ["One is in eu-west-1, one in us-west-2.", "lab_region=eu-west-1"],
    ),
    "a region that is named": (
        ["eu-west-1/ann/id_ed25519", "us-west-2/ann/id_ed25519"],
        {"locate_where": "ec2", "locate_region": "us-west-2"},
        {"found": "us-west-2"},
    ),
    # Labs of others on this computer are of no account here.
    "the only one": (
        ["us-west-2/spectra/id_ed25519"],
        {"locate_where": "ec2", "locate_unnamed": True},
        {"found": "us-west-2", "name": "spectra"},
    ),
    "one of two has the usual name": (
        ["us-west-2/spectra/id_ed25519", "us-west-2/ann/made.json"],
        {"locate_where": "ec2", "locate_unnamed": True},
        {"found": "us-west-2", "name": "ann"},
    ),
    "none of two has the usual name": (
        ["us-west-2/spectra/id_ed25519", "us-west-2/joann/made.json"],
        {"locate_where": "ec2", "locate_unnamed": True},
        ["They are joann, spectra.", "-e lab_name=joann"],
    ),
    "here": (["eu-west-1/ann/id_ed25519"], {"locate_where": "here"}, {"found": ""}),
    "one is needed": (
        ["us-west-2/spectra/id_ed25519"],
        {"locate_name": "spectre", "locate_needed": True},
        ["There is no lab spectre.", "-e lab_name=spectra"],
    ),
    "none is needed": (
        ["us-west-2/spectra/id_ed25519"],
        {"locate_name": "spectre"},
        {"found": ""},
    ),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return what the role answers in all cases, and what it shows."""
    home = tmp_path_factory.mktemp("where")
    hosts = {}
    for case, (files, given, _expected) in CASES.items():
        config = home / case.replace(" ", "-")
        for file in files:
            (config / file).parent.mkdir(parents=True, exist_ok=True)
            (config / file).touch()
        hosts[config.name] = {"locate_name": "ann", "locate_config": str(config), **given}
    known = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (home / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": known}}))
    (home / "play.yml").write_text(PLAY)
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "NO_COLOR": "1", "COLUMNS": "1000"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".collections")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), home / "play.yml", "-i", home / "hosts.json"],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {case: json.loads((home / f"{case.replace(' ', '-')}.json").read_text()) for case in CASES}
    return found, done.stdout


@pytest.mark.parametrize("case", CASES)
def test_lab_is_located_by_its_local_records(answers, case):
    expected, found = CASES[case][2], answers[0][case]
    if isinstance(expected, dict):
        assert found == expected
    else:
        assert all(words in found["refused"] for words in expected), found


def test_near_name_is_shown_where_no_lab_is_needed(answers):
    assert "Lab spectre (none-is-needed)" in answers[1]
    assert "spectra" in answers[1]
