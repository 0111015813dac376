# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cures for faults of moto's own (5.2.5); each says which. More are in orders.py, catalog.py and gate.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import moto.ec2.models.instances as moto_instances
import moto.ec2.responses.instances as instance_answers
import moto.ec2.responses.security_groups as group_answers
import moto.ec2.utils as moto_utils
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.security_groups import SecurityGroupBackend

from region.catalog import GIB
from region.words import ACCOUNT, AWS_REGION

Answers = instance_answers.InstanceResponse

MODIFY_INSTANCE = Answers.modify_instance_attribute
RUN_INSTANCES = Answers.run_instances
DELETE_GROUP = SecurityGroupBackend._delete_security_group

# By the form's name: the attribute, where moto takes the call for one that sets no security groups at all.
FORGOTTEN = {"InstanceInitiatedShutdownBehavior.Value": "instance_initiated_shutdown_behavior"}
# What can be changed only while an instance is stopped; moto changes it at any time.
AT_REST = ("InstanceType.Value", "UserData.Value", "EbsOptimized.Value", "Kernel.Value")


def install() -> None:
    """Put them in place."""
    Answers.modify_instance_attribute = modify_instance
    Answers.run_instances = run_instances
    Answers.modify_instance_credit_specification = modify_credits
    moto_instances.Instance.setup_defaults = make_root_volume
    moto_instances.InstanceBackend.modify_instance_metadata_options = modify_metadata_options
    for name in ("ingress", "egress"):
        method = f"update_security_group_rule_descriptions_{name}"
        setattr(group_answers.SecurityGroups, method, saying_so(getattr(group_answers.SecurityGroups, method)))
    SecurityGroupBackend._delete_security_group = delete_group
    # DescribeInstances does not know this filter.
    moto_utils.filter_dict_attribute_mapping["client-token"] = "client_token"


def connect_default_vpc() -> None:
    """Let the default VPC lead to the internet, as AWS makes it; moto's leads nowhere."""
    backend = ec2_backends[ACCOUNT][AWS_REGION]
    vpc = backend.get_default_vpc()
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc.id)
    main = next(table for table in backend.route_tables.values() if table.vpc_id == vpc.id)
    backend.create_route(main.id, "0.0.0.0/0", gateway_id=gateway.id)


def modify_instance(answers: Any) -> ActionResult:
    """Set what moto forgets, and refuse what EC2 does not change while an instance runs."""
    number = answers._get_param("InstanceId")
    for name in AT_REST:
        if answers._get_param(name) is not None and answers.ec2_backend.get_instance(number).state != "stopped":
            raise EC2ClientError("IncorrectInstanceState", f"The instance '{number}' is not in the 'stopped' state.")
    for name, attribute in FORGOTTEN.items():
        value = answers._get_param(name)
        if value is not None:
            answers.ec2_backend.modify_instance_attribute(number, attribute, value)
            return EmptyResult()
    return MODIFY_INSTANCE(answers)


def modify_credits(answers: Any) -> ActionResult:
    """Take any choice of CPU credits; moto does not know the call."""
    chosen = answers._get_param("InstanceCreditSpecifications", [])
    done = [{"InstanceId": one["InstanceId"]} for one in chosen]
    return ActionResult(
        {"SuccessfulInstanceCreditSpecifications": done, "UnsuccessfulInstanceCreditSpecifications": []}
    )


def run_instances(answers: Any) -> ActionResult:
    """Launch as many as can be had, where moto launches the least; complete the root volume, as its image says."""
    if answers._get_param("MaxCount") is not None:
        answers.params["MinCount"] = answers._get_param("MaxCount")
    mappings = answers._get_param("BlockDeviceMappings", [])
    image = answers.ec2_backend.amis.get(answers._get_param("ImageId"))
    if mappings and image is not None:
        answers.params["BlockDeviceMappings"] = with_root(mappings, image.root_device_name)
    return RUN_INSTANCES(answers)


def with_root(mappings: list[dict[str, Any]], device: str) -> list[dict[str, Any]]:
    """Return volumes with the root volume first: it goes with its instance, and has the image's size if not told."""
    others = [mapping for mapping in mappings if mapping.get("DeviceName") != device]
    told = next((mapping for mapping in mappings if mapping.get("DeviceName") == device), {})
    volume = {"VolumeSize": GIB, "VolumeType": "gp3", "DeleteOnTermination": True, **told.get("Ebs", {})}
    return [{**told, "DeviceName": device, "Ebs": volume}, *others]


def make_root_volume(instance: Any) -> None:
    """Make the root volume where the image has it; moto has it at /dev/sda1 always."""
    zone = instance.availability_zone
    volume = instance.ec2_backend.create_volume(size=GIB, zone_name=zone, volume_type="gp3")
    instance.ec2_backend.attach_volume(volume.id, instance.id, instance.root_device_name, True)


def modify_metadata_options(backend: Any, instance_id: str, **options: Any) -> Any:
    """Change just the options that were given; moto sets all others to nothing."""
    known = {
        "http_tokens": "http_tokens",
        "hop_limit": "http_put_response_hop_limit",
        "http_endpoint": "http_endpoint",
        "http_protocol": "http_protocol_ipv6",
        "metadata_tags": "instance_metadata_tags",
    }
    kept = backend.get_instance(instance_id).metadata_options
    for name, attribute in known.items():
        if options.get(name) is not None:
            setattr(kept, attribute, options[name])
    return kept


def saying_so(method: Callable[[Any], Any]) -> Callable[[Any], ActionResult]:
    """Return a method that says that it has worked; amazon.aws fails where moto says nothing."""

    def changed(answers: Any) -> ActionResult:
        method(answers)
        return ActionResult({"Return": True})

    return changed


def delete_group(backend: Any, vpc_id: str | None, group_id: str) -> None:
    """Refuse to delete a group that something is in; moto deletes it."""
    users = [one.security_groups for one in backend.all_instances() if one.state != "terminated"]
    users += [interface.group_set for interface in list(backend.enis.values())]
    if any(group.id == group_id for groups in users for group in groups):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    DELETE_GROUP(backend, vpc_id, group_id)
