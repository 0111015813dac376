# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import subnets as network
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance_types import InstanceType
from ansible_collections.desi.lab.plugins.module_utils._ec2.subnets import Subnet

VPCS = [{"VpcId": "vpc-1"}]
A, B = Subnet("us-west-2a", "subnet-a", "vpc-1"), Subnet("us-west-2b", "subnet-b", "vpc-1")


def subnet(letter="a", vpc="vpc-1", public=True, free=4091):
    return {
        "SubnetId": f"subnet-{letter}",
        "AvailabilityZone": f"us-west-2{letter}",
        "VpcId": vpc,
        "MapPublicIpOnLaunch": public,
        "AvailableIpAddressCount": free,
    }


def kind(name, spot=True):
    return InstanceType(name, 1, 1024, "x86_64", False, spot)


def tried(kinds, offered, where=(A, B), spot=False):
    found = network.attempts(kinds, offered, where, spot)
    return [(attempt.market, attempt.type, attempt.zone, attempt.subnet_id) for attempt in found]


# Where


def test_machine_may_stand_in_every_default_subnet_in_the_order_of_zones():
    assert network.usable_subnets("", VPCS, [subnet("b"), subnet("a")], "us-west-2") == [A, B]


def test_subnet_of_another_network_is_not_taken():
    assert network.usable_subnets("", VPCS, [subnet("a"), subnet("b", vpc="vpc-2")], "us-west-2") == [A]


@pytest.mark.parametrize("other", [subnet("b", public=False), subnet("b", free=0)])
def test_default_subnet_without_addresses_is_passed_over(other):
    assert network.usable_subnets("", VPCS, [subnet("a"), other], "us-west-2") == [A]


def test_last_free_address_is_enough():
    assert network.usable_subnets("", VPCS, [subnet("a", free=1)], "us-west-2") == [A]
    assert network.usable_subnets("subnet-b", VPCS, [subnet("b", free=1)], "us-west-2") == [B]


def test_default_subnets_are_taken_where_none_gives_addresses_by_itself():
    assert network.usable_subnets("", VPCS, [subnet("a", public=False)], "us-west-2") == [A]


def test_region_without_a_default_network_is_told_how_to_make_one():
    with pytest.raises(LabError, match="no default VPC") as caught:
        network.usable_subnets("", [], [], "us-west-2")
    assert "aws ec2 create-default-vpc --region us-west-2" in caught.value.do
    assert "-e lab_subnet=" in caught.value.do


@pytest.mark.parametrize(("subnets", "why"), [([], "were deleted"), ([subnet(free=0)], "free address")])
def test_default_network_without_a_subnet_to_use_is_told_how_to_make_one(subnets, why):
    with pytest.raises(LabError, match=why) as caught:
        network.usable_subnets("", VPCS, subnets, "us-west-2")
    assert "create-default-subnet --availability-zone us-west-2a" in caught.value.do


def test_given_subnet_pins_the_zone_and_needs_no_default_network():
    assert network.usable_subnets("subnet-b", [], [subnet("b")], "us-west-2") == [B]


@pytest.mark.parametrize(("subnets", "why"), [([], "no such subnet"), ([subnet("b", free=0)], "no free address")])
def test_given_subnet_that_cannot_be_used_is_refused(subnets, why):
    with pytest.raises(LabError, match=why) as caught:
        network.usable_subnets("subnet-b", VPCS, subnets, "us-west-2")
    assert "subnet-b" in caught.value.what


def route_table(gateway, subnet_id="", main=False):
    link = {"Main": main, **({"SubnetId": subnet_id} if subnet_id else {})}
    return {"Associations": [link], "Routes": [{"GatewayId": "local"}, {"GatewayId": gateway}]}


PRIVATE = subnet("b", public=False)


@pytest.mark.parametrize(
    "tables",
    [
        [route_table("igw-1", "subnet-b"), route_table("local", main=True)],
        [route_table("igw-1", main=True), route_table("local", "subnet-a")],
        None,
    ],
)
def test_given_subnet_that_leads_to_the_internet_is_accepted(tables):
    network.check_internet_route("subnet-b", [PRIVATE], tables)


@pytest.mark.parametrize(
    "tables",
    [
        [],
        [route_table("nat-1", "subnet-b"), route_table("igw-1", main=True)],
        [route_table("local", main=True), route_table("igw-1", "subnet-a")],
    ],
)
def test_given_subnet_that_nobody_could_reach_is_refused(tables):
    with pytest.raises(LabError, match="private"):
        network.check_internet_route("subnet-b", [PRIVATE], tables)


@pytest.mark.parametrize(("given", "subnets"), [("", [PRIVATE]), ("subnet-b", [subnet("b")])])
def test_subnet_that_gives_addresses_is_taken_at_its_word(given, subnets):
    network.check_internet_route(given, subnets, [])


# How


def test_every_zone_is_tried_before_the_next_type():
    everywhere = {"t2.micro": {"us-west-2a", "us-west-2b"}, "t3.micro": {"us-west-2b", "us-west-2a"}}
    assert [entry[1:3] for entry in tried([kind("t2.micro"), kind("t3.micro")], everywhere)] == [
        ("t2.micro", "us-west-2a"),
        ("t2.micro", "us-west-2b"),
        ("t3.micro", "us-west-2a"),
        ("t3.micro", "us-west-2b"),
    ]


def test_zone_that_does_not_offer_the_type_is_not_tried():
    assert tried([kind("t2.micro")], {"t2.micro": {"us-west-2b", "us-west-2d"}}) == [
        ("on-demand", "t2.micro", "us-west-2b", "subnet-b")
    ]


def test_spot_is_tried_first_and_on_demand_is_the_way_out():
    offered = {"t2.micro": {"us-west-2a"}, "t3.micro": {"us-west-2a"}}
    assert [entry[:2] for entry in tried([kind("t2.micro"), kind("t3.micro")], offered, spot=True)] == [
        ("spot", "t2.micro"),
        ("spot", "t3.micro"),
        ("on-demand", "t2.micro"),
        ("on-demand", "t3.micro"),
    ]


def test_type_that_is_not_to_be_had_as_spot_is_tried_on_demand():
    assert [entry[0] for entry in tried([kind("t2.micro", spot=False)], {"t2.micro": {"us-west-2a"}}, spot=True)] == [
        "on-demand"
    ]


def test_type_that_is_offered_elsewhere_only_is_refused_with_the_zones():
    with pytest.raises(LabError, match="us-west-2d") as caught:
        tried([kind("t2.micro")], {"t2.micro": {"us-west-2d"}})
    assert caught.value.what == "t2.micro cannot be had in us-west-2a, us-west-2b."


def test_type_that_is_offered_nowhere_is_refused():
    with pytest.raises(LabError, match="in no zone"):
        tried([kind("t2.micro"), kind("t3.micro")], {})


def test_type_that_is_left_out_is_said():
    kinds = [kind("t2.micro"), kind("t3.micro")]
    found = network.attempts(kinds, {"t2.micro": {"us-west-2a"}}, [A], False)
    (note,) = network.unavailable_types(kinds, found)
    assert note.startswith("t3.micro is not offered")
