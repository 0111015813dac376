# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab on EC2 is found by what it keeps on this computer, and no other lab is taken for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.docker

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: desi.lab.locate
    - ansible.builtin.include_role:
        name: desi.lab.locate
        tasks_from: regions
    - ansible.builtin.copy:
        content: "{{ {'found': locate_region_found, 'regions': locate_regions} | to_json }}"
        dest: "{{ answer }}"
        mode: "0600"
"""


@pytest.fixture
def where(tmp_path):
    """Return a function that asks where the lab of a name is, and gives the run and the answer."""

    def ask(name: str, **more: str) -> tuple[subprocess.CompletedProcess[str], dict]:
        play, answer = tmp_path / "play.yml", tmp_path / "answer.json"
        play.write_text(PLAY)
        given = {"locate_name": name, "locate_config": str(tmp_path / "config"), "answer": str(answer), **more}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), str(play), "-e", json.dumps(given)]
        known = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "NO_COLOR": "1", "COLUMNS": "1000"}
        known["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".collections")
        done = subprocess.run(
            [*command, "-i", str(ROOT / "inventories/local.yml")],
            env=known,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done, json.loads(answer.read_text()) if answer.exists() else {}

    return ask


@pytest.fixture
def keeps(tmp_path):
    """Return a function that lets a lab in a region keep a file."""

    def keep(region: str, name: str, file: str = "id_ed25519") -> None:
        folder = tmp_path / "config" / region / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()

    return keep


def test_where_nothing_is_kept_there_is_no_lab_on_ec2(where):
    assert where("ann")[1] == {"found": "", "regions": []}


def test_a_lab_of_which_only_the_key_was_made_is_found(where, keeps):
    keeps("eu-west-1", "ann")
    assert where("ann")[1] == {"found": "eu-west-1", "regions": ["eu-west-1"]}


def test_a_lab_whose_key_was_lost_is_found(where, keeps):
    keeps("eu-west-1", "ann", "ssh_config")
    assert where("ann")[1]["found"] == "eu-west-1"


def test_a_lab_whose_name_begins_or_ends_alike_is_another_one(where, keeps):
    keeps("us-west-2", "ann-2")
    keeps("us-west-2", "joann")
    assert where("ann")[1] == {"found": "", "regions": ["us-west-2"]}


def test_a_name_in_two_regions_is_refused_with_both(where, keeps):
    keeps("eu-west-1", "ann")
    keeps("us-west-2", "ann", "ssh_config")
    done, answer = where("ann")
    assert done.returncode != 0
    assert answer == {}
    assert "One is in eu-west-1, one in us-west-2." in done.stdout
    assert "lab_region=eu-west-1" in done.stdout


def test_a_region_that_is_named_is_believed(where, keeps):
    keeps("eu-west-1", "ann")
    keeps("us-west-2", "ann")
    asked = where("ann", locate_where="ec2", locate_region="us-west-2")[1]
    assert asked == {"found": "us-west-2", "regions": ["us-west-2"]}
    assert where("ann", locate_where="here")[1] == {"found": "", "regions": []}


def test_a_name_that_no_lab_has_is_refused_with_the_nearest_where_one_is_needed(where, keeps):
    keeps("us-west-2", "spectra")
    done, answer = where("spectre", locate_needed=True)
    assert done.returncode != 0
    assert answer == {}
    assert "There is no lab spectre." in done.stdout
    assert "-e lab_name=spectra" in done.stdout


def test_a_name_that_no_lab_has_is_no_trouble_where_none_is_needed(where, keeps):
    keeps("us-west-2", "spectra")
    done, answer = where("spectre")
    assert answer["found"] == ""
    assert "spectra" in done.stdout
