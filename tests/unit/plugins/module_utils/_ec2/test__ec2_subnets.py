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


@pytest.mark.parametrize(
    ("given", "vpcs", "subnets", "usable"),
    [
        ("", VPCS, [subnet("b"), subnet("a")], [A, B]),
        ("", VPCS, [subnet("a"), subnet("b", vpc="vpc-2")], [A]),
        ("", VPCS, [subnet("a"), subnet("b", public=False)], [A]),
        ("", VPCS, [subnet("a", free=1), subnet("b", free=0)], [A]),
        # Where none gives addresses by itself, the instance asks for one.
        ("", VPCS, [subnet("a", public=False)], [A]),
        ("subnet-b", [], [subnet("b", free=1)], [B]),
    ],
)
def test_instance_may_be_in_the_given_subnet_or_in_each_default_one_with_addresses(given, vpcs, subnets, usable):
    assert network.usable_subnets(given, vpcs, subnets, "us-west-2") == usable


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
    ("given", "subnets", "tables"),
    [
        ("subnet-b", [PRIVATE], [route_table("igw-1", "subnet-b"), route_table("local", main=True)]),
        ("subnet-b", [PRIVATE], [route_table("igw-1", main=True), route_table("local", "subnet-a")]),
        ("subnet-b", [PRIVATE], None),
        # What gives addresses is taken at its word.
        ("subnet-b", [subnet("b")], []),
        ("", [PRIVATE], []),
    ],
)
def test_subnet_that_leads_to_the_internet_is_accepted(given, subnets, tables):
    network.check_internet_route(given, subnets, tables)


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


# How


EVERYWHERE = {name: {"us-west-2b", "us-west-2a", "us-west-2d"} for name in ("t2.micro", "t3.micro")}


@pytest.mark.parametrize(
    ("kinds", "offered", "spot", "wanted"),
    [
        ([kind("t2.micro"), kind("t3.micro")], EVERYWHERE, False, "t2 a, t2 b, t3 a, t3 b"),
        ([kind("t2.micro")], {"t2.micro": {"us-west-2b"}}, False, "t2 b"),
        ([kind("t2.micro"), kind("t3.micro", False)], EVERYWHERE, True, "t2 a spot, t2 b spot, t2 a, t2 b, t3 a, t3 b"),
    ],
)
def test_every_zone_is_tried_before_the_next_type_and_spot_before_on_demand(kinds, offered, spot, wanted):
    found = [
        f"{name[:2]} {zone[-1]}{' spot' * (market == 'spot')}"
        for market, name, zone, _subnet in tried(kinds, offered, spot=spot)
    ]
    assert ", ".join(found) == wanted


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
