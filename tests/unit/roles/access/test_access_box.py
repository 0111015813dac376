# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the box says of who else can reach a lab."""

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker.ports import is_loopback

pytestmark = pytest.mark.security("M13")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"])
def test_an_address_of_this_computer_alone_is_known(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.7", "fe80::1", "::ffff:10.0.0.1", "localhost", ""])  # noqa: S104 - data
def test_every_other_is_open_to_others(address):
    assert not is_loopback(address)


@pytest.mark.parametrize(("address", "told"), [("127.0.0.1", False), ("0.0.0.0", True), ("192.168.1.7", True)])  # noqa: S104 - data
def test_a_lab_that_others_can_reach_says_so_in_its_box(play_tasks, address, told):
    given = {"access_bind": address, "access_server_url": "http://127.0.0.1:8888/lab?token=6f1c"}
    role = {"ansible.builtin.include_role": {"name": "desi.lab.access"}}
    code, shown = play_tasks([role], {**given, "access_files": "x", "access_data": "y", "access_open_browser": "never"})
    assert code == 0
    assert ("open to the network" in shown) is told
    assert ("can read the token" in shown) is told
