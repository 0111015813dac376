# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the box says of who else can reach a lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker.ports import is_loopback

ROOT = Path(__file__).parents[4]
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: desi.lab.access
        tasks_from: box
"""

pytestmark = pytest.mark.security("M13")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"])
def test_an_address_of_this_computer_alone_is_known(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.7", "fe80::1", "::ffff:10.0.0.1", "localhost", ""])  # noqa: S104
def test_every_other_is_open_to_others(address):
    assert not is_loopback(address)


@pytest.mark.parametrize(("address", "told"), [("127.0.0.1", False), ("0.0.0.0", True), ("192.168.1.7", True)])  # noqa: S104
def test_a_lab_that_others_can_reach_says_so_in_its_box(tmp_path, address, told):
    (tmp_path / "play.yml").write_text(PLAY)
    given = {
        "access_bind": address,
        "access_server_url": "http://127.0.0.1:8888/lab?token=6f1c",
        "access_files": "x",
        "access_data": "y",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(ROOT / "inventories/local.yml")]
    done = subprocess.run(
        [*command, str(tmp_path / "play.yml"), "-e", json.dumps(given)],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "COLUMNS": "1000",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ("open to the network" in done.stdout) is told
    assert ("can read the token" in done.stdout) is told
