# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._ec2.expiry import (
    LabInstance,
    desired_schedules,
    expiry,
    group_name,
    groups_of,
    is_for,
    partition,
    role_arn,
    role_name,
    role_of,
    same,
    time_of,
)

NOON = 1_795_521_600.0
LAB = LabInstance("desi", "ann", "i-1", "vol-1", "us-west-2")
OWNERS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=128)


@given(OWNERS)
def test_names_are_what_aws_takes_whoever_the_owner_is(owner):
    assert re.fullmatch(r"[0-9a-zA-Z_.-]{1,64}", group_name(owner, "n" * 40))
    assert re.fullmatch(r"[\w+=,.@-]{1,64}", role_name(owner))


@given(OWNERS, OWNERS)
def test_two_owners_share_neither_group_nor_role(one, other):
    assert (one == other) is (groups_of(one) == groups_of(other)) is (role_name(one) == role_name(other))


@given(st.floats(1e9, 3e9), st.floats(0, 1000), st.integers(1, 400))
def test_lab_never_goes_before_the_days_are_over_nor_a_day_later(now, hours, days):
    when = expiry(now, hours, days)
    last_use = now + hours * 3600
    assert 0 <= when - last_use - days * 86400 < 86400.001
    assert when % 86400 == 0


@pytest.mark.parametrize(
    ("region", "name"), [("us-west-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_part_of_aws_is_that_of_the_region(region, name):
    assert partition(region) == name


def test_role_is_the_owners_own_a_named_one_or_an_arn():
    assert role_arn("", "ann", "1", "us-west-2") == f"arn:aws:iam::1:role/desi-lab-expiry-of/ann/{role_name('ann')}"
    assert role_arn("theirs", "ann", "1", "us-west-2") == "arn:aws:iam::1:role/theirs"
    assert role_arn("arn:aws:iam::2:role/x", "ann", "1", "us-west-2") == "arn:aws:iam::2:role/x"


def test_schedule_that_does_what_is_wanted_is_the_same_whatever_aws_adds():
    [desired] = desired_schedules(LAB, NOON, False, "arn:aws:iam::1:role/r").values()
    there = {**desired, "Arn": "x", "Target": {**desired["Target"], "RetryPolicy": {"MaximumRetryAttempts": 185}}}
    assert same(there, desired)
    assert not same({**there, "State": "DISABLED"}, desired)
    assert not same({**there, "ScheduleExpression": "at(2026-11-24T12:00:00)"}, desired)
    assert not same({**there, "Target": {**there["Target"], "RoleArn": "other"}}, desired)
    assert not same({}, desired)


def test_time_is_read_off_a_schedule_that_will_act():
    [desired] = desired_schedules(LAB, NOON, False, "r").values()
    assert time_of(desired) == NOON + 3600
    assert time_of({**desired, "State": "DISABLED"}) is None
    assert time_of({"ScheduleExpression": "rate(1 days)"}) is None
    assert time_of(None) is None


def test_request_for_spot_is_canceled_between_the_snapshot_and_the_end():
    desired = desired_schedules(LAB._replace(request="sir-1"), NOON, True, "r")
    assert [time_of(desired[f"{what}-i-1"]) - NOON for what in ("snapshot", "cancel", "delete")] == [0, 3000, 3600]
    target = desired["cancel-i-1"]["Target"]
    assert target["Arn"].endswith(":ec2:cancelSpotInstanceRequests")
    assert json.loads(target["Input"]) == {"SpotInstanceRequestIds": ["sir-1"]}


@pytest.mark.parametrize(
    ("arn", "known"),
    [
        ("arn:aws:iam::123456789012:role/desi/x", True),
        ("arn:aws:iam::210987654321:role/desi/x", False),
        ("arn:aws:iam::123456789012:user/x", False),
        ("arn:aws:iam::123456789012:role/{{ x }}", False),
        (None, False),
    ],
)
def test_role_of_schedules_that_there_are_is_one_of_this_account(arn, known):
    assert role_of({"delete-i-1": {"Target": {"RoleArn": arn}}}, "123456789012") == (arn if known else "")
    assert role_of({"delete-i-1": {}}, "123456789012") == ""


@pytest.mark.parametrize(
    ("name", "ours"),
    [("delete-i-1", True), ("snapshot-i-1", True), ("cancel-i-1", True), ("delete-everything", False), ("x", False)],
)
def test_schedules_of_ours_are_known_by_their_names(name, ours):
    assert is_for(name) is ours
