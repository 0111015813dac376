# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.desi.lab.plugins.filter.life import instance_changes

MACHINE = {"type": "t2.micro", "disk_gib": 30}


@pytest.mark.parametrize("types", ["t3.small,t3.large", ["t3.small", "t3.large"]])
def test_types_are_taken_as_people_give_them(types):
    found = instance_changes(MACHINE, types, "40", "desi")
    assert (found["type"], found["disk_gib"], found["error"]) == ("t3.small", 40, {})


@pytest.mark.parametrize(("types", "disk"), [("", 0), ([], "0"), ("t2.micro", 30)])
def test_what_was_not_asked_for_or_is_so_already_stays(types, disk):
    assert instance_changes(MACHINE, types, disk, "desi")["lines"] == []


def test_impossible_change_is_returned_as_an_error():
    found = instance_changes(MACHINE, "t3.small", 8, "desi")
    assert found["type"] == ""
    assert sorted(found["error"]) == ["do", "what", "why"]


def test_value_that_is_no_instance_raises_a_filter_error():
    with pytest.raises(AnsibleFilterError):
        instance_changes({}, "", 0, "desi")
