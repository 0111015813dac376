# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import (
    caller_of,
    is_ours,
    lab_tags,
    our_filters,
    owner_of,
    tags_of,
)


@pytest.mark.parametrize(
    ("arn", "owner"),
    [
        ("arn:aws:iam::123456789012:user/ann", "ann"),
        ("arn:aws:iam::123456789012:user/astro/desi/ann", "ann"),
        ("arn:aws-cn:iam::123456789012:user/ann", "ann"),
        ("arn:aws:sts::123456789012:assumed-role/Astronomer/ann@example.org", "Astronomer/ann@example.org"),
        ("arn:aws:sts::123456789012:assumed-role/Astronomer/a:b", "Astronomer/a:b"),
        ("arn:aws:sts::123456789012:assumed-role/Astronomer", "Astronomer"),
        ("arn:aws:sts::123456789012:federated-user/ann", "federated-user/ann"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_owner_is_the_end_of_the_arn(arn, owner):
    assert owner_of(arn) == owner


@pytest.mark.security("H9")
@pytest.mark.parametrize(
    ("arn", "user_id", "owner", "former"),
    [
        ("arn:aws:iam::1:user/a/ann", "AIDAANN", "ann", ""),
        ("arn:aws:iam::1:root", "1", "root", ""),
        ("arn:aws:sts::1:assumed-role/Astronomer/ann", "AROAX:ann", "AROAX:ann", "Astronomer/ann"),
        ("arn:aws:sts::1:assumed-role/Astronomer/botocore-session-1732425000", "AROAX:b-1", "AROAX", "Astronomer"),
        ("arn:aws:sts::1:federated-user/ann", "1:ann", "1:ann", "federated-user/ann"),
        ("nonsense", "AIDAANN", "", ""),
    ],
)
def test_owner_is_what_a_policy_can_compare(arn, user_id, owner, former):
    caller = caller_of({"Arn": arn, "Account": "1", "UserId": user_id})
    assert (caller.owner, caller.former) == (owner, former)


@pytest.mark.parametrize("session", ["botocore-session-1732425000", "1732425000123456789", "aws-go-sdk-1732425000123"])
def test_owner_is_the_same_in_each_run_of_a_role_whose_sessions_are_named_by_the_time(session):
    assert owner_of(f"arn:aws:sts::123456789012:assumed-role/Astronomer/{session}") == "Astronomer"


@pytest.mark.parametrize(
    "arn", ["", "ann", "arn:aws:iam::123456789012", "urn:aws:iam::123456789012:user/ann", "::::::"]
)
def test_what_is_no_arn_owns_nothing(arn):
    assert owner_of(arn) == ""


def test_more_tags_get_our_prefix_and_become_texts():
    tags = lab_tags("desi", "ann", {"os": "amazon", "desi-lab:port": 8888})
    assert tags["desi-lab:os"] == "amazon"
    assert tags["desi-lab:port"] == "8888"


def test_more_tags_cannot_make_a_thing_another_ones():
    tags = lab_tags("desi", "ann", {"owner": "ben", "desi-lab:name": "other", "Name": "mine"})
    assert tags == lab_tags("desi", "ann")


@pytest.mark.parametrize(
    "resource", [{"Tags": [{"Key": "a", "Value": "b"}]}, {"TagSet": [{"Key": "a", "Value": "b"}]}, {"tags": {"a": "b"}}]
)
def test_tags_are_read_in_each_form_in_which_they_come(resource):
    assert tags_of(resource) == {"a": "b"}


@pytest.mark.parametrize(
    "resource", [{}, {"Tags": []}, {"Tags": None}, {"tags": None}, {"Tags": ["x", {"Value": "y"}]}]
)
def test_a_thing_without_tags_has_none(resource):
    assert tags_of(resource) == {}


@pytest.mark.parametrize(
    "tags",
    [{}, {"desi-lab:name": "desi"}, {"desi-lab:owner": "ann"}, lab_tags("desi", "ben"), lab_tags("other", "ann")],
)
def test_a_thing_is_not_ours_unless_both_tags_say_so(tags):
    assert not is_ours({"tags": tags}, "desi", "ann")


@pytest.mark.parametrize(("name", "owner"), [("", "ann"), ("desi", ""), ("", "")])
def test_nothing_is_ours_for_a_lab_without_name_or_owner(name, owner):
    assert not is_ours({"tags": lab_tags(name, owner)}, name, owner)


def test_filters_ask_for_one_lab_or_for_all_of_an_owner():
    owner = {"Name": "tag:desi-lab:owner", "Values": ["ann"]}
    assert our_filters("ann", "desi") == [{"Name": "tag:desi-lab:name", "Values": ["desi"]}, owner]
    assert our_filters("ann") == [{"Name": "tag-key", "Values": ["desi-lab:name"]}, owner]
