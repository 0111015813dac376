# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of a lab at AWS: the one place where they are named. docs/iam-policy.json allows just these."""

from __future__ import annotations

import typing as t

# What only looks. The first are needed; without the others something cannot be told, and that is said.
READS = (
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcs",
    "ssm:GetParameters",
    "sts:GetCallerIdentity",
)
READS_OF_DOWN = (
    "ec2:DescribeAddresses",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSpotInstanceRequests",
)
READS_THAT_MAY_LACK = (
    "ec2:DescribeRouteTables",
    "ec2:DescribeVolumes",
    "pricing:GetProducts",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
)
# What lets a lab be deleted that is forgotten. Without these it is not, and that is said.
EXPIRY = (
    "iam:GetRole",
    "iam:PassRole",
    "scheduler:CreateSchedule",
    "scheduler:CreateScheduleGroup",
    "scheduler:DeleteSchedule",
    "scheduler:DeleteScheduleGroup",
    "scheduler:GetSchedule",
    "scheduler:GetScheduleGroup",
    "scheduler:ListSchedules",
    "scheduler:ListScheduleGroups",
    "scheduler:ListTagsForResource",
    "scheduler:TagResource",
    "scheduler:UpdateSchedule",
)
# What takes away what is left of a lab that was deleted so, on request.
OF_PURGE = ("ec2:DeleteSnapshot",)
# Asked of AWS by AWS itself when an account takes its first spot machine.
INDIRECT = ("iam:CreateServiceLinkedRole",)

# Ids that nothing has. EC2 looks at permissions before it looks for the thing.
NO_MACHINE, NO_GROUP = "i-0123456789abcdef0", "sg-0123456789abcdef0"
NO_DISK, NO_REQUEST = "vol-0123456789abcdef0", "sir-01234567"
# Dry runs import nothing, but EC2 wants to see a key.
SOME_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
SOMEBODY = "192.0.2.1/32"

NEW, MACHINE, GROUP, KEY, DISK, REQUEST = "new", "machine", "group", "key", "disk", "request"
LAUNCH, START, ALWAYS, SPOT = "launch", "start", "always", "spot"


class Things(t.NamedTuple):
    """What dry runs are made with. Ids of what does not exist yet are empty."""

    launch: t.Mapping[str, t.Any]
    tags: t.Sequence[t.Mapping[str, str]]
    vpc_id: str
    public_key: str
    machine_id: str = ""
    group_id: str = ""
    key_name: str = ""


class Action(t.NamedTuple):
    """Something that changes something: what it is done to, when a run needs it, and how it is tried."""

    name: str
    on: str
    when: str
    operation: str
    parameters: t.Callable[[Things], dict[str, t.Any]]


def _tagged(kind: str, things: Things) -> list[dict[str, t.Any]]:
    return [{"ResourceType": kind, "Tags": list(things.tags)}]


def _machine(things: Things) -> dict[str, t.Any]:
    return {"InstanceIds": [things.machine_id or NO_MACHINE]}


def _rule(things: Things, text: str = "") -> dict[str, t.Any]:
    peer = {"CidrIp": SOMEBODY, "Description": text} if text else {"CidrIp": SOMEBODY}
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [peer]}
    return {"GroupId": things.group_id or NO_GROUP, "IpPermissions": [rule]}


def _text(things: Things) -> dict[str, t.Any]:
    return _rule(things, "dry run")


CHANGES = (
    Action("ec2:RunInstances", NEW, LAUNCH, "run_instances", lambda things: dict(things.launch)),
    Action(
        "ec2:CreateSecurityGroup",
        NEW,
        LAUNCH,
        "create_security_group",
        lambda things: {
            "GroupName": "desi-lab-dry-run",
            "Description": "dry run",
            "VpcId": things.vpc_id,
            "TagSpecifications": _tagged("security-group", things),
        },
    ),
    Action(
        "ec2:ImportKeyPair",
        NEW,
        LAUNCH,
        "import_key_pair",
        lambda things: {
            "KeyName": "desi-lab-dry-run",
            "PublicKeyMaterial": (things.public_key or SOME_KEY).encode(),
            "TagSpecifications": _tagged("key-pair", things),
        },
    ),
    Action("ec2:AuthorizeSecurityGroupIngress", GROUP, ALWAYS, "authorize_security_group_ingress", _rule),
    Action("ec2:RevokeSecurityGroupIngress", GROUP, ALWAYS, "revoke_security_group_ingress", _rule),
    Action("ec2:AuthorizeSecurityGroupEgress", GROUP, LAUNCH, "authorize_security_group_egress", _rule),
    Action("ec2:RevokeSecurityGroupEgress", GROUP, LAUNCH, "revoke_security_group_egress", _rule),
    Action(
        "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        GROUP,
        LAUNCH,
        "update_security_group_rule_descriptions_ingress",
        _text,
    ),
    Action(
        "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
        GROUP,
        LAUNCH,
        "update_security_group_rule_descriptions_egress",
        _text,
    ),
    Action(
        "ec2:DeleteSecurityGroup",
        GROUP,
        LAUNCH,
        "delete_security_group",
        lambda things: {"GroupId": things.group_id or NO_GROUP},
    ),
    Action("ec2:StartInstances", MACHINE, START, "start_instances", _machine),
    Action("ec2:StopInstances", MACHINE, LAUNCH, "stop_instances", _machine),
    Action(
        "ec2:ModifyInstanceAttribute",
        MACHINE,
        LAUNCH,
        "modify_instance_attribute",
        lambda things: {"InstanceId": things.machine_id or NO_MACHINE, "InstanceType": {"Value": "t3.micro"}},
    ),
    Action("ec2:TerminateInstances", MACHINE, LAUNCH, "terminate_instances", _machine),
    Action(
        "ec2:CreateTags",
        MACHINE,
        LAUNCH,
        "create_tags",
        lambda things: {"Resources": [things.machine_id or NO_MACHINE], "Tags": list(things.tags)},
    ),
    Action(
        "ec2:DeleteKeyPair",
        KEY,
        LAUNCH,
        "delete_key_pair",
        lambda things: {"KeyName": things.key_name or "desi-lab-dry-run"},
    ),
    Action("ec2:DeleteVolume", DISK, LAUNCH, "delete_volume", lambda _things: {"VolumeId": NO_DISK}),
    Action("ec2:ModifyVolume", DISK, LAUNCH, "modify_volume", lambda _things: {"VolumeId": NO_DISK, "Size": 64}),
    Action(
        "ec2:CancelSpotInstanceRequests",
        REQUEST,
        SPOT,
        "cancel_spot_instance_requests",
        lambda _things: {"SpotInstanceRequestIds": [NO_REQUEST]},
    ),
)
