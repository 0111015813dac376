# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._ec2.launch_errors import (
    alternatives,
    died,
    no_capacity,
    no_place_to_start,
    several_instances,
    too_slow,
)


def row(kind="t2.micro", zone="us-west-2a", market="on-demand", reason="no capacity"):
    return {"type": kind, "zone": zone, "market": market, "reason": reason}


@pytest.mark.parametrize(
    ("types", "more"),
    [
        (["t2.micro"], ["t2.micro", "t3.micro", "t3a.micro"]),
        (["t3.xlarge", "t3a.xlarge"], ["t3.xlarge", "t3a.xlarge", "t2.xlarge"]),
        (["p5.48xlarge"], ["p5.48xlarge"]),
        (["odd"], ["odd"]),
        ([], []),
    ],
)
def test_alternatives_are_of_the_same_size(types, more):
    assert alternatives(types) == more


def test_attempts_and_instances_are_told_and_a_type_without_like_is_not_proposed_again():
    error = no_capacity([row("p5.48xlarge", market="spot"), row("p5.48xlarge")], "us-west-2", False)
    spot = "p5.48xlarge in us-west-2a (spot): no capacity"
    assert error.why == f"{spot}; p5.48xlarge in us-west-2a: no capacity."
    assert "lab_instance_type" not in error.do
    both = [{"InstanceId": f"i-{state}", "State": {"Name": state}} for state in ("running", "stopped")]
    assert "i-running (running), i-stopped (stopped)" in several_instances(both, "desi").why


@pytest.mark.parametrize("region", ["us-west-2", "us-east-1", "eu-central-1", ""])
def test_another_region_is_proposed(region):
    told = no_capacity([row()], region, False)
    assert "-e lab_region=" in told.do
    assert f"lab_region={region} " not in told.do + " "


@pytest.mark.parametrize(
    ("code", "why", "do"),
    [
        ("Client.VolumeLimitExceeded", "quota of your account for disks", "lab_disk_gib"),
        ("Client.InternalError", "key that encrypts", "EBS encryption"),
        ("Client.InvalidSnapshot.NotFound", "disk of its image is missing", "lab_os"),
        ("Server.InsufficientInstanceCapacity", "no room", "again"),
        ("Server.SpotInstanceTermination", "took the spot machine back", "lab_spot"),
        ("Client.UserInitiatedShutdown", "Somebody", "again"),
        ("Client.InstanceInitiatedShutdown", "shut itself down", "again"),
    ],
)
def test_death_of_a_machine_is_told_in_plain_words(code, why, do):
    told = died({"InstanceId": "i-1", "State": {"Name": "terminated"}, "StateReason": {"Code": code, "Message": "x"}})
    assert told.what == "The machine i-1 ended while it was being started."
    assert why in told.why
    assert do in told.do


@pytest.mark.parametrize(
    ("state", "reason", "why"),
    [
        ("terminated", {"Code": "Client.Odd", "Message": "Client.Odd: it is odd."}, "AWS says: Client.Odd: it is odd."),
        ("terminated", {"Code": "Client.Odd", "Message": "of 123456789012"}, "AWS says: of …9012."),
        ("terminated", {"Code": "Client.Odd"}, "AWS does not say why."),
        ("stopped", None, "AWS does not say why."),
    ],
)
def test_death_that_is_not_known_is_told_in_the_words_of_aws(state, reason, why):
    error = died({"InstanceId": "i-1", "State": {"Name": state}, "StateReason": reason})
    assert error.why == why
    assert ("i-1 stopped" if state == "stopped" else "i-1 ended") in error.what


@pytest.mark.parametrize(
    ("state", "why", "do"), [("running", "no public address", "lab_subnet"), ("pending", "it is pending", "again")]
)
def test_machine_that_takes_too_long_is_told_with_what_is_missing(state, why, do):
    told = too_slow({"InstanceId": "i-1", "State": {"Name": state}}, 180)
    assert told.what == "The machine i-1 is not ready after 180 seconds."
    assert why in told.why
    assert do in told.do


@pytest.mark.parametrize(
    ("kind", "market", "remedy"),
    [
        ("t2.micro", "", "./lab update -e lab_name=mine -e lab_instance_type=t3.micro, or"),
        ("x2gd.large", "", "./lab update -e lab_name=mine -e lab_instance_type=…, or"),
        ("t2.micro", "spot", "give it up with ./lab down -e lab_name=mine"),
    ],
)
def test_machine_whose_zone_is_full_is_given_another_type_where_aws_does_that(kind, market, remedy):
    tags = [{"Key": "desi-lab:name", "Value": "mine"}]
    do = no_place_to_start({"InstanceType": kind, "InstanceLifecycle": market, "Tags": tags}, "no capacity").do
    assert remedy in do
    assert ("./lab update" in do) is (market != "spot")
