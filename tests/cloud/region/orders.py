# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What RunInstances is asked for, looked over and completed as EC2 does, where moto takes anything."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError


def check(backend: Any, image: str, more: dict[str, Any]) -> None:
    """Raise as EC2 does if an order cannot be carried out."""
    found = backend.describe_images(ami_ids=[image]) if image else []
    if not found:
        raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
    if more.get("key_name"):
        backend.describe_key_pairs(key_names=[more["key_name"]])
    _check_type(backend, found[0], more["instance_type"], zone_of(backend, more))
    for mapping in more.get("block_device_mappings", []):
        _check_volume(found[0], mapping)


def _check_type(backend: Any, image: Any, name: str, zone: str) -> None:
    offers = backend.describe_instance_type_offerings("availability-zone", {"instance-type": [name]})
    if not offers:
        raise EC2ClientError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
    zones = sorted(offer["Location"] for offer in offers)
    if zone not in zones:
        raise EC2ClientError(
            "Unsupported",
            f"Your requested instance type ({name}) is not supported in your requested Availability Zone ({zone}). "
            f"Please retry your request by not specifying an Availability Zone or choosing {', '.join(zones)}.",
        )
    types = backend.describe_instance_types([name])
    architectures = types[0]["ProcessorInfo"]["SupportedArchitectures"] if types else [image.architecture]
    if image.architecture not in architectures:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture '{','.join(architectures)}' of the specified instance type does not match the "
            f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI that have "
            "matching architectures, and try again.",
        )


def _check_volume(image: Any, mapping: dict[str, Any]) -> None:
    least = image.block_device_mappings[0]["Ebs"]["VolumeSize"]
    size = mapping["Ebs"].get("VolumeSize")
    if mapping["DeviceName"] == image.root_device_name and size is not None and int(size) < least:
        raise EC2ClientError(
            "InvalidBlockDeviceMapping",
            f"Volume of size {size}GB is smaller than snapshot '{image.ebs_snapshot.id}', expect size >= {least}GB",
        )


def zone_of(backend: Any, more: dict[str, Any]) -> str:
    """Return the zone in which an order wants its instances."""
    subnet = subnet_of(more)
    if subnet:
        return str(backend.get_subnet(subnet).availability_zone)
    return more.get("placement") or f"{backend.region_name}a"


def subnet_of(more: dict[str, Any]) -> str:
    """Return the subnet that an order names, at whichever place."""
    named = (interface.get("SubnetId") for interface in more.get("nics", []))
    return more.get("subnet_id") or next((subnet for subnet in named if subnet), "")


def complete(backend: Any, more: dict[str, Any]) -> None:
    """Put instances into the default subnet of their zone, where moto would let them be in none."""
    if not subnet_of(more) and backend.get_default_vpc() is not None:
        subnet = backend.get_default_subnets().get(zone_of(backend, more))
        if subnet is not None and not more.get("nics"):
            more["subnet_id"] = subnet.id
        elif subnet is not None:
            more["nics"][0]["SubnetId"] = subnet.id


def settle(instance: Any, more: dict[str, Any]) -> None:
    """Complete an instance that was made."""
    # The instance's own groups are the one truth, also where they were given with its network interface: moto would
    # report none, and would keep those of the interface in force when the instance is given others.
    if not instance.security_groups:
        instance.security_groups = list(instance.nics[0]._group_set)
    told = {int(interface["DeviceIndex"]): interface for interface in more.get("nics", [])}
    for index, interface in instance.nics.items():
        interface._group_set = []
        if "NetworkInterfaceId" in told.get(index, {}):
            continue
        # One that is made with its instance goes with it; moto leaves it.
        interface.delete_on_termination = told.get(index, {}).get("DeleteOnTermination", True)
        interface.add_tags(more.get("tags", {}).get("network-interface", {}))
