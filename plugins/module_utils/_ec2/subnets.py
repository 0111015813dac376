# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose subnets with public addresses, in zones that offer the instance type."""

from __future__ import annotations

import typing as t

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance_types import InstanceType
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import Attempt

SPOT, ON_DEMAND = "spot", "on-demand"
Tables = t.Iterable[t.Mapping[str, t.Any]]


class Subnet(t.NamedTuple):
    """A subnet to launch in."""

    zone: str
    subnet_id: str
    vpc_id: str


def usable_subnets(
    given: str,
    vpcs: t.Sequence[t.Mapping[str, t.Any]],
    subnets: t.Sequence[t.Mapping[str, t.Any]],
    region: str,
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


def check_internet_route(given: str, subnets: t.Sequence[t.Mapping[str, t.Any]], tables: Tables | None) -> None:
    """Refuse a given subnet that the internet does not reach; ``tables`` are the route tables of its VPC, or None.

    One that gives instances public addresses is taken at its word.
    """
    subnet = next((subnet for subnet in subnets if subnet.get("SubnetId") == given), {})
    if not given or subnet.get("MapPublicIpOnLaunch") or tables is None:
        return
    linked = [(link, table) for table in tables for link in table.get("Associations") or []]
    table = next((table for link, table in linked if link.get("SubnetId") == given), None)
    # A subnet without a table of its own follows the main one.
    table = table or next((table for link, table in linked if link.get("Main")), {})
    gateways = [str(route.get("GatewayId") or "") for route in table.get("Routes") or []]
    if not any(gateway.startswith("igw-") for gateway in gateways):
        raise LabError(
            f"The machine cannot be put into the subnet {given}.",
            "It is private: it gives machines no public address, and no route leads from it to an internet gateway.",
            "choose a public subnet, or leave lab_subnet out",
        )


def attempts(
    kinds: t.Sequence[InstanceType],
    offered: t.Mapping[str, t.Collection[str]],
    where: t.Sequence[Subnet],
    spot: bool,
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
