# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What carries the tags of a lab and was made by somebody else is reported and asked for, however well it fits."""

from dataclasses import replace

import pytest
from test__ec2_plan import ANN, KEY, SETTLED, SPEC, group, instance, result, seen, texts

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import Caller, as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import begin

CALLER = Caller("arn:aws:iam::123456784711:user/ann", "123456784711", "AIDAANN")
LAB = begin(CALLER, "us-west-2", "desi", "ann")
SETTLED_LAB = LAB.with_resources(
    [
        {"kind": "machine", "id": "i-1"},
        {"kind": "disk", "id": "vol-1"},
        {"kind": "security group", "id": "sg-1"},
        {"kind": "key pair", "id": "key-1"},
    ]
)
EVERYBODY = "0.0.0.0/0"
HERE = replace(SPEC, directory="/somewhere")


def test_what_is_remembered_is_kept_and_nothing_is_asked():
    found = result(replace(HERE, record=SETTLED_LAB), seen(**SETTLED))
    assert found["unknown"] == found["changes"] == []
    assert not found["record"]["new"]
    assert "i-1" in texts(found, "keep")[0]


@pytest.mark.security("M4")
@pytest.mark.parametrize("record", [None, LAB])
def test_a_machine_that_is_not_remembered_is_asked_for_though_tags_and_key_fit(record):
    found = result(replace(HERE, record=record), seen(**SETTLED))
    assert [words.split(" (")[0] for words in found["unknown"]] == ["machine i-1", "security group sg-1"]
    assert "i-1" in texts(found, "ask")[0]
    assert texts(found, "keep") == ["key pair desi-lab-desi"]
    # Once that is answered it is remembered.
    assert {"kind": "machine", "id": "i-1"} in found["record"]["things"]
    assert found["record"]["new"]


@pytest.mark.security("M4")
def test_a_group_that_lets_in_everybody_is_told_each_time():
    wide = group()
    wide["IpPermissions"].append(
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": EVERYBODY}]}
    )
    for record in (SETTLED_LAB, LAB):
        found = result(replace(HERE, record=record), seen(**{**SETTLED, "groups": [wide]}))
        [note] = [note for note in found["notes"] if "by rules that DESI Lab did not make" in note]
        assert f"22 from {EVERYBODY}" in note


@pytest.mark.security("M4")
def test_more_groups_of_the_machine_are_told():
    bad = instance(SecurityGroups=[{"GroupId": "sg-1"}, {"GroupId": "sg-wide"}])
    found = result(replace(HERE, record=SETTLED_LAB), seen(**{**SETTLED, "named": [bad]}))
    assert any("sg-wide" in note for note in found["notes"])


@pytest.mark.security("M4")
def test_a_group_whose_making_was_cut_off_is_taken_up_again_unless_it_has_rules_of_others():
    before = replace(LAB, begun=("vpc-1/jupyter",))
    made = result(replace(HERE, record=before), seen(keys=[KEY], groups=[group()]))
    assert made["unknown"] == []
    wide = group()
    wide["IpPermissions"].append({"IpProtocol": "-1", "IpRanges": [{"CidrIp": EVERYBODY}]})
    assert result(replace(HERE, record=before), seen(keys=[KEY], groups=[wide]))["unknown"]
    # One was made and is remembered, so this is another.
    after = before.with_resources([{"kind": "security group", "id": "sg-0"}])
    assert result(replace(HERE, record=after), seen(keys=[KEY], groups=[group()]))["unknown"]


def test_a_group_that_is_to_be_made_is_remembered_before():
    found = result(replace(HERE, record=LAB))
    assert (found["record"]["begun"], found["record"]["new"]) == (["vpc-1/jupyter"], True)
    assert ANN in found["group"]["how"]


@pytest.mark.security("A2")
def test_a_lab_of_another_account_is_not_made_anew_in_this_one():
    other = replace(LAB, account="210987654321")
    with pytest.raises(LabError, match=r"account …4321"):
        result(replace(HERE, record=other))


SESSION = "arn:aws:sts::123456784711:assumed-role/Astronomer/ann@example.org"


@pytest.mark.security("H9")
def test_a_session_of_a_role_owns_what_a_policy_can_tell_and_finds_its_lab_of_before():
    who = {"arn": SESSION, "user_id": "AROAROLE:ann@example.org"}
    new = result(HERE, seen(**who))
    assert new["tags"]["desi-lab:owner"] == "AROAROLE:ann@example.org"
    assert "user Astronomer/ann@example.org" in texts(new, "Plan")[0]
    before = as_tag_list(lab_tags("desi", "Astronomer/ann@example.org"))
    old = {**SETTLED, "named": [instance(Tags=before)], "groups": [{**group(), "Tags": before}]}
    found = result(HERE, seen(**{**old, "keys": [{**KEY, "Tags": before}], **who}))
    assert found["machine"]["id"] == "i-1"
    assert any("0.1.0" in note and "docs/iam-policy.json" in note for note in found["notes"])
