# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/iam-policy.json keeps colleagues apart: each may do what a lab needs to what is his, and nothing to the rest.

Which keys AWS knows for which action and resource is in its Service Authorization Reference.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from iam_policy import Request, allows

from ansible_collections.desi.lab.plugins.module_utils._aws.permissions import CHANGES, OF_RESIZE
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import Caller, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2.expiry import former_role_name, group_name, role_arn

POLICY = json.loads((Path(__file__).parents[2] / "docs/iam-policy.json").read_text())
ACCOUNT, REGION = "123456789012", "us-west-2"
# Whatever the id of a user is, names of users are compared.
PEOPLE = {
    name: Caller(f"arn:aws:iam::{ACCOUNT}:user/astro/{name}", ACCOUNT, f"AIDA{number:017d}")
    for number, name in enumerate(["ann", "ann-smith", "an", "ann.", "nn"])
}
SESSIONS = {
    f"{role} {who}": Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{who}", ACCOUNT, f"{number}:{who}")
    for role, number, who in [
        ("AWSReservedSSO_Astronomer", "AROASSO000000000000AA", "ann@example.org"),
        ("AWSReservedSSO_Astronomer", "AROASSO000000000000AA", "ben@example.org"),
        ("AWSReservedSSO_Astronomer", "AROASSO000000000000AA", "ann@example.org.evil"),
        ("Astronomer", "AROAROLE00000000000AA", "ann@example.org"),
        ("Astronomer", "AROAROLE00000000000AA", "ann"),
    ]
}
EVERYBODY = {**PEOPLE, **SESSIONS}
PAIRS = [pytest.param(me, other, id=f"{me} and {other}") for me, other in itertools.permutations(EVERYBODY, 2)]
# What is done to something that is there, and to what kind of thing.
ON = {
    "security-group": [action.name for action in CHANGES if action.on == "group"],
    "instance": [
        *(action.name for action in CHANGES if action.on == "machine" and action.name != "ec2:CreateTags"),
        *OF_RESIZE,
    ],
    "key-pair": ["ec2:DeleteKeyPair"],
    "volume": ["ec2:DeleteVolume", "ec2:ModifyVolume"],
    "spot-instances-request": ["ec2:CancelSpotInstanceRequests"],
    "snapshot": ["ec2:DeleteSnapshot"],
}
SCHEDULES = [
    "scheduler:CreateSchedule",
    "scheduler:DeleteSchedule",
    "scheduler:DeleteScheduleGroup",
    "scheduler:UpdateSchedule",
]
MADE = {
    "instance": "RunInstances",
    "volume": "RunInstances",
    "network-interface": "RunInstances",
    "spot-instances-request": "RunInstances",
    "security-group": "CreateSecurityGroup",
    "key-pair": "ImportKeyPair",
}


def arn(kind, name="0123456789abcdef0"):
    return f"arn:aws:ec2:{REGION}:{'' if kind in ('snapshot', 'image') else ACCOUNT}:{kind}/{name}"


def who(person):
    """What AWS knows of whoever asks."""
    caller = EVERYBODY[person]
    known = {"aws:userid": caller.user_id, "aws:PrincipalType": "User" if person in PEOPLE else "AssumedRole"}
    return {**known, **({"aws:username": person} if person in PEOPLE else {})}


def tags(kind, owner, **more):
    """What AWS knows of tags: those that a thing has, or that are to be given to it."""
    every = {**(lab_tags("desi", owner) if owner else {}), **more}
    found = {f"aws:{kind}Tag/{key}": value for key, value in every.items()}
    return {**found, "aws:TagKeys": list(every)} if kind == "Request" else found


def may(person, action, resource, **context):
    return allows(POLICY, Request(action, resource, {**who(person), **context}))


def owner(person):
    return EVERYBODY[person].owner


# What is there


EXISTING = [(kind, action) for kind, actions in ON.items() for action in actions]


@pytest.mark.security("H9")
@pytest.mark.parametrize(("me", "other"), PAIRS)
def test_what_is_mine_may_be_changed_and_nothing_else(me, other):
    for kind, action in EXISTING:
        assert may(me, action, arn(kind), **tags("Resource", owner(me))), action
        assert not may(me, action, arn(kind), **tags("Resource", owner(other))), action
        assert not may(me, action, arn(kind)), action
        assert not may(me, action, arn(kind), **{"aws:ResourceTag/Name": f"desi-lab-{me}"}), action
        assert not may(me, action, arn(kind), **tags("Resource", "/") if me in PEOPLE else {}), action


@pytest.mark.security("H9")
@pytest.mark.parametrize(("me", "other"), PAIRS)
def test_tags_neither_give_away_what_is_mine_nor_take_what_is_not(me, other):
    mine, theirs = tags("Resource", owner(me)), tags("Resource", owner(other))
    for kind in MADE:

        def tag(has, to_have, kind=kind):
            return may(me, "ec2:CreateTags", arn(kind), **has, **to_have)

        assert tag(mine, tags("Request", owner(me), **{"desi-lab:port": "8888"}))
        assert tag(mine, tags("Request", "", **{"desi-lab:access": "tunnel"}))
        assert not tag(mine, tags("Request", owner(other)))
        # AWS takes keys of conditions for the same whatever their letters, and keeps both as tags.
        assert not tag(mine, tags("Request", "", **{"desi-lab:Owner": owner(other)}))
        assert not tag(mine, tags("Request", owner(me), team="x"))
        for has in (theirs, {}, {"aws:ResourceTag/team": "x"}):
            assert not tag(has, tags("Request", owner(me)))
            assert not tag(has, tags("Request", owner(other)))


# What is made


@pytest.mark.security("H9")
@pytest.mark.parametrize(("me", "other"), PAIRS)
def test_what_is_made_is_mine_from_the_beginning(me, other):
    for kind, call in MADE.items():
        for action, facts in ((f"ec2:{call}", {}), ("ec2:CreateTags", {"ec2:CreateAction": call})):
            assert may(me, action, arn(kind), **facts, **tags("Request", owner(me))), (action, kind)
            assert not may(me, action, arn(kind), **facts, **tags("Request", owner(other))), (action, kind)
            assert not may(me, action, arn(kind), **facts), (action, kind)


@pytest.mark.security("H9")
@pytest.mark.parametrize(("me", "other"), PAIRS)
def test_a_launch_takes_nothing_of_another_owner_along(me, other):
    for kind in ("image", "subnet", "key-pair", "security-group", "snapshot"):
        run = ("ec2:RunInstances", arn(kind))
        # The image, the network and its default group are nobody's.
        assert may(me, *run)
        assert may(me, *run, **tags("Resource", owner(me)))
        # With another's snapshot as its disk, a machine reads another's files.
        assert not may(me, *run, **tags("Resource", owner(other)))
    for kind in ("network-interface", "volume"):
        there = {**tags("Resource", owner(other)), **tags("Request", owner(me))}
        assert not may(me, "ec2:RunInstances", arn(kind), **there)
    assert may(me, "ec2:CreateSecurityGroup", arn("vpc"))


# What is forgotten


def schedules(person):
    group = group_name(owner(person), "desi")
    return [
        f"arn:aws:scheduler:{REGION}:{ACCOUNT}:{kind}" for kind in (f"schedule-group/{group}", f"schedule/{group}/x")
    ]


@pytest.mark.security("H9")
@pytest.mark.parametrize(("me", "other"), PAIRS)
def test_schedules_of_others_are_neither_moved_nor_removed(me, other):
    for action, mine, theirs in itertools.product(SCHEDULES, schedules(me), schedules(other)):
        assert may(me, action, mine, **tags("Resource", owner(me)))
        assert not may(me, action, theirs, **tags("Resource", owner(other)))
        assert not may(me, action, mine)
    for action in ("scheduler:CreateScheduleGroup", "scheduler:TagResource"):
        mine, theirs = schedules(me)[0], schedules(other)[0]
        assert may(me, action, mine, **tags("Request", owner(me)))
        assert not may(me, action, mine, **tags("Request", owner(other)))
        assert not may(me, action, mine, **tags("Request", owner(me), team="x"))
        assert not may(me, action, theirs, **tags("Request", owner(me)), **tags("Resource", owner(other)))


PASSED = {"iam:PassedToService": "scheduler.amazonaws.com"}


@pytest.mark.security("H9")
@pytest.mark.parametrize(("me", "other"), PAIRS)
def test_a_schedule_gets_nobody_elses_role(me, other):
    mine, theirs = (role_arn("", owner(person), ACCOUNT, REGION) for person in (me, other))
    # Of a session AWS has no variable that a role's ARN may have in it, and warns of tags as conditions for this.
    assert may(me, "iam:PassRole", mine, **PASSED) is (me in PEOPLE)
    assert not may(me, "iam:PassRole", mine, **{"iam:PassedToService": "ec2.amazonaws.com"})
    for role in (
        theirs,
        f"arn:aws:iam::{ACCOUNT}:role/{former_role_name(owner(other))}",
        mine.replace("/desi-lab-expiry-of", ""),
    ):
        assert not may(me, "iam:PassRole", role, **PASSED)


# The policy itself


def test_every_action_of_the_product_is_walked():
    walked = {action for actions in ON.values() for action in actions} | {f"ec2:{call}" for call in MADE.values()}
    assert {*(action.name for action in CHANGES), "ec2:DeleteSnapshot", *OF_RESIZE} == walked | {"ec2:CreateTags"}
    lists = [statement["Action"] for statement in POLICY["Statement"]]
    allowed = {action for one in lists for action in ([one] if isinstance(one, str) else one)}
    changes = {name for name in allowed if re.match(r"(scheduler:|iam:Pass)(?!Get|List)", name)}
    made = {"scheduler:CreateScheduleGroup", "scheduler:TagResource"}
    assert changes - {*SCHEDULES} == {*made, "iam:PassRole"}


def test_what_changes_something_hangs_on_whose_it_is_or_takes_what_is_nobodys():
    open_to_all = {"MakeAGroupInANetwork", "SeeSchedules", "SeeTheRoleThatDeletes", "LookForTheNewestImage"}
    for statement in POLICY["Statement"]:
        assert statement["Effect"] == "Allow"
        if statement["Resource"] == "*":
            verbs = {action.partition(":")[2] for action in statement["Action"]}
            assert all(verb.startswith(("Describe", "Get", "List")) for verb in verbs)
        elif statement["Sid"] not in open_to_all:
            assert statement["Condition"]
        assert not [action for action in statement["Action"] if "*" in action]


def test_it_fits_into_a_policy():
    # 6,144 signs, white space not counted: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert len("".join(json.dumps(POLICY, separators=(",", ":")).split())) <= 6144
