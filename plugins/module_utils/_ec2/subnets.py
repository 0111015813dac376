# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose subnets with public addresses, in zones that offer the instance type."""

from __future__ import annotations

import typing as t
from ipaddress import ip_network

from .._common.errors import LabError
from .instance_types import InstanceType
from .run_instances import Attempt

SPOT, ON_DEMAND = "spot", "on-demand"
Rows = t.Sequence[t.Mapping[str, t.Any]]


class Subnet(t.NamedTuple):
    zone: str
    subnet_id: str
    vpc_id: str


def usable_subnets(
    given: str, vpcs: t.Sequence[t.Mapping[str, t.Any]], subnets: t.Sequence[t.Mapping[str, t.Any]], region: str
) -> list[Subnet]:
    """Return the given subnet, else the default subnets of the default VPC, by zone."""
    if given:
        return [_given_place(given, subnets, region)]
    if not vpcs:
        raise LabError(
            f"{region} has no default VPC to put the machine into.",
            "Somebody has deleted it, or the account was made without one.",
            f"make one: aws ec2 create-default-vpc --region {region} · or give a subnet: -e lab_subnet=subnet-…",
        )
    vpc_id = str(vpcs[0]["VpcId"])
    here = [subnet for subnet in subnets if subnet.get("VpcId") == vpc_id]
    # Where none is public by itself, the instance asks for an address all the same.
    public = [subnet for subnet in here if subnet.get("MapPublicIpOnLaunch")] or here
    usable = [subnet for subnet in public if subnet.get("AvailableIpAddressCount", 1) > 0]
    if not usable:
        raise LabError(
            f"The default VPC of {region} has no subnet that a lab can be in.",
            "None of its default subnets has a free address." if public else "Its default subnets were deleted.",
            f"make one: aws ec2 create-default-subnet --availability-zone {region}a --region {region} · "
            "or give another: -e lab_subnet=subnet-…",
        )
    return sorted(Subnet(str(subnet["AvailabilityZone"]), str(subnet["SubnetId"]), vpc_id) for subnet in usable)


def _given_place(given: str, subnets: t.Sequence[t.Mapping[str, t.Any]], region: str) -> Subnet:
    what = f"The machine cannot be put into the subnet {given}."
    subnet = next((subnet for subnet in subnets if subnet.get("SubnetId") == given), None)
    if subnet is None:
        do = "list those that there are: aws ec2 describe-subnets --query 'Subnets[].[SubnetId,AvailabilityZone]'"
        raise LabError(what, f"{region} has no such subnet in this account.", f"{do} --region {region}")
    if subnet.get("AvailableIpAddressCount", 1) < 1:
        raise LabError(what, "It has no free address left.", "choose another, or leave lab_subnet out")
    return Subnet(str(subnet["AvailabilityZone"]), given, str(subnet["VpcId"]))


ANYWHERE = "0.0.0.0/0"
# Of ends of connections that begin elsewhere, and of what an instance asks the internet.
REPLIES, HTTPS = (1024, 65535), (443, 443)
_EXITS = ("NatGatewayId", "TransitGatewayId", "GatewayId", "NetworkInterfaceId", "InstanceId", "VpcPeeringConnectionId")


def reachable(
    subnets: t.Sequence[t.Mapping[str, t.Any]],
    tables: Rows | None,
    acls: Rows | None,
    ways_in: t.Iterable[tuple[int, str]],
    given: str = "",
) -> list[t.Mapping[str, t.Any]]:
    """Return the subnets whose instances the internet reaches; refuse if there are none.

    ``tables`` and ``acls`` are the route tables and network ACLs of the VPC, None where nobody may see them.
    ``ways_in`` are ports, and the CIDRs that come in by them.
    """
    ways = list(ways_in)
    errors = [route_error(subnet, tables) or acl_error(subnet, acls, ways) for subnet in subnets]
    found = [subnet for subnet, error in zip(subnets, errors) if not error]
    if subnets and not found:
        where = f"the subnet {given}" if given else f"the default VPC {subnets[0].get('VpcId', '')}"
        do = "choose a public subnet, or leave lab_subnet out" if given else "give a public one: -e lab_subnet=subnet-…"
        raise LabError(
            f"A machine in {where} could not be reached.",
            f"{errors[0]}.",
            f"{do} · or see to it in the AWS console (VPC, {'Network ACLs' if 'ACL' in errors[0] else 'Route tables'})",
        )
    return found


def route_error(subnet: t.Mapping[str, t.Any], tables: Rows | None) -> str:
    """Return why the internet does not reach a subnet by its routes; empty where it does, or that is unknown."""
    name = str(subnet.get("SubnetId") or "")
    if subnet.get("Ipv6Native"):
        return f"{name} has IPv6 alone, and gives machines no public IPv4 address"
    every = [(link, table) for table in tables or () for link in table.get("Associations") or []]
    linked = [row for row in every if (row[0].get("AssociationState") or {}).get("State") in (None, "associated")]
    own = next((table for link, table in linked if link.get("SubnetId") == name), None)
    # A subnet without a table of its own follows the main one.
    main = (table for link, table in linked if link.get("Main") and table.get("VpcId") in (None, subnet.get("VpcId")))
    table = own or next(main, None)
    if table is None:
        return ""
    routes = [route for route in table.get("Routes") or [] if not route.get("DestinationIpv6CidrBlock")]
    alive = [route for route in routes if route.get("State", "active") == "active"]
    if any(str(route.get("GatewayId") or "").startswith("igw-") for route in alive):
        return ""
    default = next((route for route in routes if route.get("DestinationCidrBlock") == ANYWHERE), {})
    # A firewall may stand in between.
    if default in alive and str(default.get("GatewayId") or "").startswith("vpce-"):
        return ""
    called = f"its route table {table.get('RouteTableId') or ''}".rstrip()
    if default and default not in alive:
        return f"{name} is cut off: {called} leads to an internet gateway that is not there any more (blackhole)"
    by = next((str(default[key]) for key in _EXITS if default.get(key)), "something else") if default else ""
    leads = f"leads out through {by}, which lets nobody in" if by else "has no route to an internet gateway"
    return f"{name} is private: {called} {leads}"


def acl_error(subnet: t.Mapping[str, t.Any], acls: Rows | None, ways_in: t.Sequence[tuple[int, str]]) -> str:
    """Return who is blocked by the network ACL of a subnet; empty where nobody is, or it is unknown."""
    name = str(subnet.get("SubnetId") or "")
    linked = ((link, acl) for acl in acls or () for link in acl.get("Associations") or [])
    acl = next((acl for link, acl in linked if link.get("SubnetId") == name), None)
    if acl is None:
        return ""
    entries = sorted(acl.get("Entries") or [], key=lambda entry: int(entry.get("RuleNumber") or 0))
    inward = [entry for entry in entries if not entry.get("Egress")]
    outward = [entry for entry in entries if entry.get("Egress")]
    called = f"The network ACL {acl.get('NetworkAclId') or ''} of {name}"
    for port in dict.fromkeys(port for port, _cidr in ways_in):
        peers = [cidr for number, cidr in ways_in if number == port]
        if not any(_admits(inward, (port, port), cidr) for cidr in peers):
            return f"{called} keeps {', '.join(peers)} out at port {port}"
        if not any(_admits(outward, REPLIES, cidr) for cidr in peers):
            return f"{called} lets no answers out to {', '.join(peers)}"
    if not (_admits(outward, HTTPS, ANYWHERE) and _admits(inward, REPLIES, ANYWHERE)):
        return f"{called} does not let machines fetch anything from the internet"
    return ""


def _admits(entries: t.Iterable[t.Mapping[str, t.Any]], ports: tuple[int, int], cidr: str) -> bool:
    """Return whether any TCP port of a range is open for any address of a CIDR; the first entry that fits decides."""
    try:
        peers = ip_network(cidr, strict=False)
    except ValueError:
        return True
    for entry in entries:
        among = str(entry.get("CidrBlock") or "")
        if not among or str(entry.get("Protocol")) not in ("-1", "6"):
            continue
        span, network = entry.get("PortRange") or {}, ip_network(among, strict=False)
        first, last = int(span.get("From", 0)), int(span.get("To", 65535))
        if peers.version != network.version or not peers.overlaps(network) or last < ports[0] or first > ports[1]:
            continue
        if entry.get("RuleAction") == "allow":
            return True
        if peers.subnet_of(network) and first <= ports[0] and ports[1] <= last:  # type: ignore[arg-type]
            return False
    return False


def attempts(
    kinds: t.Sequence[InstanceType], offered: t.Mapping[str, t.Collection[str]], where: t.Sequence[Subnet], spot: bool
) -> list[Attempt]:
    """Return every attempt, in order; ``offered`` has the zones of each type.

    Where spot instances are wanted they come first, with on-demand as the fallback.
    """
    markets = [(SPOT, [kind for kind in kinds if kind.spot])] if spot else []
    markets.append((ON_DEMAND, list(kinds)))
    found = [
        Attempt(kind.name, place.zone, place.subnet_id, market)
        for market, of in markets
        for kind in of
        for place in where
        if place.zone in offered.get(kind.name, ())
    ]
    if not found:
        names = " nor ".join(kind.name for kind in kinds)
        zones = sorted({zone for kind in kinds for zone in offered.get(kind.name, ())})
        here = ", ".join(place.zone for place in where)
        why = f"It is offered in {', '.join(zones)}." if zones else "It is offered in no zone of the region."
        do = "choose another type: -e lab_instance_type=t3.micro"
        raise LabError(f"{names} cannot be had in {here}.", why, f"{do}, or a subnet in another zone" if zones else do)
    return found


def unavailable_types(kinds: t.Sequence[InstanceType], found: t.Sequence[Attempt]) -> list[str]:
    """Return notes on types that none of the subnets' zones offers."""
    tried = {attempt.type for attempt in found}
    return [
        f"{kind.name} is not offered where this lab can be, and is left out."
        for kind in kinds
        if kind.name not in tried
    ]
