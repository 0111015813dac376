# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance of a lab as EC2 describes it. Type, disk and system of an existing one override the settings."""

from __future__ import annotations

import typing as t

from .._aws.tags import ACCESS_TAG, OS_TAG, OWNER_TAG, PORT_TAG, RELEASE_TAG, is_ours, is_worker, lab_option, tags_of
from .launch_errors import several_instances
from .record import LabRecord
from .run_instances import ALIVE, STOPS, facts_of, state_of

ABSENT = "absent"
# These say how the lab on the instance is to be reached, and may become others; the rest is for good.
LIVING_TAGS = (RELEASE_TAG, ACCESS_TAG, PORT_TAG)


class Instance(t.NamedTuple):
    """The instance of a lab. Where there is none, the state is ``absent`` and all else empty."""

    state: str = ABSENT
    id: str = ""
    address: str = ""
    type: str = ""
    zone: str = ""
    market: str = ""
    launched: str = ""
    os: str = ""
    key_name: str = ""
    image_id: str = ""
    root_device: str = ""
    vpc_id: str = ""
    subnet_id: str = ""
    group_ids: tuple[str, ...] = ()
    volume_id: str = ""
    disk_gib: int = 0
    tags: t.Mapping[str, str] = {}
    private_address: str = ""

    @property
    def is_there(self) -> bool:
        """Return whether there is an instance."""
        return self.state != ABSENT

    @property
    def starts(self) -> bool:
        """Return whether it has to be started."""
        return self.state in STOPS


def alive(instances: t.Iterable[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """Return the instances that are not terminated."""
    return [item for item in instances if state_of(item) in ALIVE]


def _own(instances: t.Iterable[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    return [item for item in instances if not is_worker(item)]


def lab_instance(
    instances: t.Iterable[t.Mapping[str, t.Any]], name: str, owner: str, record: LabRecord | None = None
) -> t.Mapping[str, t.Any] | None:
    """Return the one instance of this lab that is not terminated; None where there is none.

    One that is recorded as made from here goes before others with the same tags.
    """
    found = [item for item in _own(instances) if is_ours(item, name, owner) and state_of(item) in ALIVE]
    found = [item for item in found if record is not None and record.knows_instance(item)] or found
    if len(found) > 1:
        raise several_instances(found, name)
    return found[0] if found else None


def root_disk(instance: t.Mapping[str, t.Any]) -> str:
    """Return the root volume of an instance; empty where that is unknown."""
    mappings = instance.get("BlockDeviceMappings") or []
    disks = {str(row.get("DeviceName")): str((row.get("Ebs") or {}).get("VolumeId") or "") for row in mappings}
    # The only one there is, whatever it is called.
    only = next(iter(disks.values())) if len(disks) == 1 else ""
    return disks.get(str(instance.get("RootDeviceName"))) or only


def read_instance(instance: t.Mapping[str, t.Any] | None, volumes: t.Iterable[t.Mapping[str, t.Any]] = ()) -> Instance:
    """Return the facts of an instance; ``volumes`` are the disks that EC2 describes."""
    if instance is None:
        return Instance()
    facts, tags = facts_of(instance), tags_of(instance)
    disk = root_disk(instance)
    return Instance(
        **{
            key: facts[key]
            for key in ("state", "id", "address", "private_address", "type", "zone", "market", "launched")
        },
        os=tags.get(OS_TAG, ""),
        key_name=str(instance.get("KeyName") or ""),
        image_id=str(instance.get("ImageId") or ""),
        root_device=str(instance.get("RootDeviceName") or ""),
        vpc_id=str(instance.get("VpcId") or ""),
        subnet_id=str(instance.get("SubnetId") or ""),
        group_ids=tuple(str(group["GroupId"]) for group in instance.get("SecurityGroups") or []),
        volume_id=disk,
        disk_gib=max((int(row.get("Size") or 0) for row in volumes if row.get("VolumeId") == disk), default=0),
        tags=tags,
    )


def differences(instance: Instance, types: t.Sequence[str], disk_gib: int, system: str, subnet: str) -> list[str]:
    """Return a note on how an instance differs from the settings, which are for new instances only."""
    said = []
    if instance.type not in types:
        said.append(f"a {instance.type}, not a {' or '.join(types)}")
    if instance.disk_gib and instance.disk_gib < disk_gib:
        said.append(f"with {instance.disk_gib} GiB of disk, not {disk_gib}")
    if instance.os and instance.os != system:
        said.append(f"with the system {instance.os}, not {system}")
    if subnet and instance.subnet_id != subnet:
        said.append(f"in {instance.subnet_id}, not in {subnet}")
    if not said:
        return []
    named = lab_option(instance.tags)
    return [
        f"The machine is {', '.join(said)}. It stays so. ./lab update{named} changes type and disk; "
        f"for the rest, run ./lab down{named} and make a new lab."
    ]


def outdated_tags(instance: Instance, desired: t.Mapping[str, str]) -> dict[str, str]:
    """Return the tags of an instance that are out of date, with their values."""
    return {
        tag: desired[tag]
        for tag in LIVING_TAGS
        if instance.is_there and tag in desired and instance.tags.get(tag) != desired[tag]
    }


def other_instances(
    instances: t.Iterable[t.Mapping[str, t.Any]], name: str, owner: str, record: LabRecord | None = None
) -> list[str]:
    """Return notes on other instances with the lab's name, and on one that is being deleted."""
    said, instances = [], _own(instances)
    chosen = lab_instance(instances, name, owner, record)
    for other in instances:
        if is_ours(other, name, owner) and state_of(other) in ALIVE and other is not chosen:
            number = other.get("InstanceId")
            said.append(f"The machine {number} has the tags of this lab, too, and was not made here. It is left alone.")
    owners = {tags_of(item).get(OWNER_TAG, "") for item in instances if state_of(item) in ALIVE}
    for other in sorted(owners - {owner, ""}):
        said.append(f"{other} has a lab {name} in this account, too. It is left alone.")
    leaving = [item for item in instances if is_ours(item, name, owner) and state_of(item) == "shutting-down"]
    if leaving:
        said.append(f"The machine {leaving[0].get('InstanceId')} of this lab is just being deleted.")
    return said
