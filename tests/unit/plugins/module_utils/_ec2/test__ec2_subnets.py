# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from little_ec2 import subnet

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import subnets as network
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance_types import InstanceType
from ansible_collections.desi.lab.plugins.module_utils._ec2.subnets import Subnet

VPCS = [{"VpcId": "vpc-1"}]
A, B = Subnet("us-west-2a", "subnet-a", "vpc-1"), Subnet("us-west-2b", "subnet-b", "vpc-1")


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


def table(*routes, of="", vpc="vpc-1", state="associated"):
    link = {"SubnetId": of, "Main": False} if of else {"Main": True}
    return {
        "RouteTableId": "rtb-1",
        "VpcId": vpc,
        "Associations": [{**link, "AssociationState": {"State": state}}],
        "Routes": [{"DestinationCidrBlock": "172.31.0.0/16", "GatewayId": "local", "State": "active"}, *routes],
    }


def route(state="active", to="0.0.0.0/0", **target):
    return {"DestinationCidrBlock": to, "State": state, **(target or {"GatewayId": "igw-1"})}


NAT, OUT = route(NatGatewayId="nat-1"), route()
BLACKHOLE = route("blackhole")
V6 = {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1", "State": "active"}
# The gateway of S3, which is for the bucket alone.
S3 = {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1", "State": "active"}


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ([table(OUT)], ""),
        ([table(OUT, of="subnet-b"), table()], ""),
        ([table(OUT), table(of="subnet-a")], ""),
        # Half of the internet each, and a firewall in between.
        ([table(route(to="0.0.0.0/1"), route(to="128.0.0.0/1"))], ""),
        ([table(route(GatewayId="vpce-1"))], ""),
        # Nobody knows.
        (None, ""),
        ([], ""),
        ([table()], "subnet-b is private: its route table rtb-1 has no route to an internet gateway"),
        ([table(V6)], "no route to an internet gateway"),
        ([table(OUT, vpc="vpc-2"), table()], "no route"),
        ([table(of="subnet-b"), table(OUT)], "no route"),
        ([table(OUT, of="subnet-b", state="disassociated"), table()], "no route"),
        ([table(OUT, of="subnet-a"), table(NAT)], "through nat-1, which lets nobody in"),
        ([table(NAT, S3)], "through nat-1"),
        ([table(route(TransitGatewayId="tgw-1"))], "through tgw-1"),
        ([table(route(GatewayId="vgw-1"))], "through vgw-1"),
        ([table(BLACKHOLE)], "not there any more (blackhole)"),
    ],
)
def test_route_out_of_a_subnet_is_that_of_its_own_table_or_of_the_main_one(tables, why):
    found = network.route_error(subnet("b"), tables)
    assert why in found
    assert bool(why) is bool(found)


def test_subnet_of_ipv6_alone_gives_no_address():
    assert "IPv6" in network.route_error({**subnet("b"), "Ipv6Native": True}, [table(OUT)])


def acl(*rules):
    """Return an ACL from rules such as "in allow 22 0.0.0.0/0", the first of which decides; all else is denied."""
    entries = []
    for number, rule in enumerate([*rules, "in deny all 0.0.0.0/0", "out deny all 0.0.0.0/0"]):
        way, action, ports, cidr = rule.split()
        first, _dash, last = ports.partition("-")
        span = {} if ports == "all" else {"PortRange": {"From": int(first), "To": int(last or first)}}
        more = {"RuleNumber": number, "CidrBlock": cidr, "Protocol": "6" if span else "-1", **span}
        entries.append({"Egress": way == "out", "RuleAction": action, **more})
    return [{"NetworkAclId": "acl-1", "Associations": [{"SubnetId": "subnet-a"}], "Entries": entries[::-1]}]


ALL = ["in allow all 0.0.0.0/0", "out allow all 0.0.0.0/0"]
OPEN = ["in allow 1024-65535 0.0.0.0/0", "out allow 443 0.0.0.0/0", "out allow 1024-65535 192.0.2.0/24"]


@pytest.mark.parametrize(
    ("acls", "why"),
    [
        (None, ""),
        ([], ""),
        (acl(*ALL), ""),
        (acl("in allow 22 192.0.2.0/24", *OPEN), ""),
        (acl("in deny 3389 0.0.0.0/0", "in deny 22 198.51.100.0/24", *ALL), ""),
        # Part of the replies' ports is enough, since nobody knows which the other side takes.
        (acl("out deny 1024-2000 0.0.0.0/0", *ALL), ""),
        (acl(*OPEN), "keeps 192.0.2.7/32 out at port 22"),
        (acl("in deny 22 192.0.2.0/24", *ALL), "at port 22"),
        (acl(), "at port 22"),
        (acl("in allow all 0.0.0.0/0", "out allow 443 0.0.0.0/0"), "no answers out to 192.0.2.7/32"),
        (acl("in allow all 0.0.0.0/0", "out allow 1024-65535 192.0.2.0/24"), "fetch anything"),
        (acl("in allow 22 0.0.0.0/0", "out allow all 0.0.0.0/0"), "fetch anything"),
    ],
)
def test_network_acl_is_read_as_aws_reads_it(acls, why):
    found = network.acl_error(subnet(), acls, [(22, "192.0.2.7/32")])
    assert why in found
    assert bool(why) is bool(found)


def test_default_subnets_that_lead_nowhere_are_left_out_and_if_there_is_no_other_refused():
    both = [subnet("a"), subnet("b")]
    assert network.reachable(both, [table(OUT, of="subnet-b"), table()], None, []) == both[1:]
    with pytest.raises(LabError, match="default VPC vpc-1 could not be reached") as caught:
        network.reachable(both, [table()], None, [])
    assert "-e lab_subnet=" in caught.value.do
    with pytest.raises(LabError, match="subnet subnet-a could not be reached"):
        network.reachable(both[:1], [table(OUT)], acl(), [(22, "192.0.2.7/32")], "subnet-a")


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
