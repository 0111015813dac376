# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tagged AWS resources that no lab uses: their costs, and the commands that remove them."""

from __future__ import annotations

import typing as t

from .._aws.pricing import HOURS_A_MONTH, Prices
from .._aws.tags import NAME_TAG, is_worker, tags_of
from .._common.names import LAB_NAME
from .._common.text import name_option
from .._ec2.record import LabRecord, knows_resource
from .._ec2.resources import Found, id_of, resource_rows
from .findings import OK, WARNING, Finding

TITLE = "Left behind at AWS"
# What ./lab down does not remove.
BY_HAND = {
    "address": "aws ec2 release-address --allocation-id {id} --region {region}",
    "network interface": "aws ec2 delete-network-interface --network-interface-id {id} --region {region}",
}
# What it would only remove together with the lab, where that has a machine again.
BESIDE_A_LAB = {
    **BY_HAND,
    "disk": "aws ec2 delete-volume --volume-id {id} --region {region}",
    "snapshot": "aws ec2 delete-snapshot --snapshot-id {id} --region {region}",
}


def orphans(
    found: Found,
    region: str,
    prices: Prices,
    busy: t.Container[str] = (),
    record_of: t.Callable[[str], LabRecord | None] = lambda _lab: None,
) -> list[dict[str, t.Any]]:
    """Return resources that no lab uses; a lab has an instance that is not terminated, or a running command (``busy``).

    Of a lab with an instance, what is billed and not used by it is left of an earlier one of that name, if it is
    recorded (``record_of``): others may set tags.
    """
    own = [instance for instance in found.get("machine") or [] if not is_worker(instance)]
    living = {tags_of(instance).get(NAME_TAG, "") for instance in own}
    rows = resource_rows(found, prices)
    read = {lab: record_of(lab) for lab in {row["lab"] for row in rows} if LAB_NAME.fullmatch(lab)}
    records = {lab: record and record.with_launched(found.get("machine") or ()) for lab, record in read.items()}
    known = {
        id_of(kind, one)
        for kind in found
        for one in found[kind]
        if knows_resource(records.get(tags_of(one).get(NAME_TAG, "")), kind, one)
    }
    of_present = _snapshots_of(found, own)
    return [
        {
            **{name: row[name] for name in ("kind", "id", "name", "lab", "words")},
            "region": region,
            "usd_month": _usd_month(row, prices) if row["billed"] else 0.0,
            "command": command_for(row, region, row["lab"] in living, row["id"] in known),
            "lab_has_machine": row["lab"] in living,
        }
        for row in rows
        if row["lab"] not in busy
        and (row["lab"] not in living or (row["billed"] and not row["in_use"] and row["id"] not in of_present))
    ]


def _snapshots_of(found: Found, instances: t.Iterable[t.Mapping[str, t.Any]]) -> set[str]:
    """Return the snapshots of the disks that instances have."""
    mapped = [disk.get("Ebs") or {} for one in instances for disk in one.get("BlockDeviceMappings") or []]
    attached = [disk for disk in found.get("disk") or [] if disk.get("Attachments")]
    disks = {disk.get("VolumeId") for disk in [*mapped, *attached]}
    return {one["SnapshotId"] for one in found.get("snapshot") or [] if one.get("VolumeId") in disks - {None}}


def _usd_month(row: t.Mapping[str, t.Any], prices: Prices) -> float | None:
    """Return what a resource costs a month as it lies; None without a known price.

    A worker whose lab is gone ends by itself within minutes.
    """
    if row["kind"] == "address":
        return round(prices.ipv4_hour.usd * HOURS_A_MONTH, 2) if prices.ipv4_hour else None
    return row["usd_month"]


def command_for(row: t.Mapping[str, t.Any], region: str, lab_has_machine: bool, known: bool) -> str:
    """Return the command that removes a resource, and nothing of a lab that has a machine.

    It is empty where AWS would remove it at once and this computer does not know it as its own, and for a name in a tag
    that no lab has.
    """
    by_hand = BESIDE_A_LAB if lab_has_machine else BY_HAND
    if row["kind"] in by_hand:
        return by_hand[row["kind"]].format(id=row["id"], region=region) if known else ""
    if not LAB_NAME.fullmatch(row["lab"]):
        return ""
    placed = "" if region == "us-west-2" else f" -e lab_region={region}"
    # A snapshot may be the last copy of somebody's work, so its removal takes a flag.
    purging = " -e lab_purge=true" if row["kind"] == "snapshot" else ""
    return f"./lab down -e lab_where=ec2{name_option(row['lab'])}{placed}{purging}"


def judge_orphans(rows: t.Sequence[t.Mapping[str, t.Any]], regions: t.Sequence[str]) -> list[Finding]:
    """Return one finding for each removing command."""
    if not rows:
        return [Finding("orphans", TITLE, OK, f"nothing in {', '.join(regions)}", facts={"things": []})]
    by_command: dict[tuple[str, ...], list[t.Mapping[str, t.Any]]] = {}
    for row in rows:
        by_command.setdefault((row["command"], row["lab"], row["region"]), []).append(row)
    return [_group(command, resources) for (command, *_of), resources in by_command.items()]


def _group(command: str, resources: t.Sequence[t.Mapping[str, t.Any]]) -> Finding:
    first, costs = resources[0], [resource["usd_month"] for resource in resources]
    total = sum(cost for cost in costs if cost)
    summary = ", ".join(f"{resource['words']}, {cost_text(resource)}" for resource in resources)
    lab, region = first["lab"], first["region"]
    why = f"Lab {lab} has no machine in {region} any more, and nothing uses them."
    if not command:
        why = f"Its tags name lab {lab} in {region}, and anybody with the right to set tags may have set them: this"
        why += " computer does not remember having made it."
        command = "see in the AWS console what it is, before you remove anything"
    elif first["lab_has_machine"]:
        why = f"An earlier machine of lab {lab} left it in {region}, and the present one does not use it."
        why += " See first whether you need what is on it." if first["kind"] in ("disk", "snapshot") else ""
    if total:
        why += f" Together {total:.2f} USD a month."
    facts = {"things": [dict(resource) for resource in resources], "usd_month": round(total, 2)}
    return Finding("orphans", TITLE, WARNING, summary, why, command, facts)


def cost_text(resource: t.Mapping[str, t.Any]) -> str:
    cost = resource["usd_month"]
    if cost is None:
        return "of a price that is not known here"
    if not cost:
        # An open request may launch an instance at any time.
        return "free until it makes a machine" if resource["kind"] == "spot request" else "free"
    return f"{'at most ' if resource['kind'] == 'snapshot' else ''}{cost:.2f} USD a month"
