# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The permissions of a lab at AWS, and dry runs that verify them. docs/iam-policy.json allows just these actions."""

from __future__ import annotations

import re
import typing as t

from .._common.errors import LabError
from .error_messages import FORBIDDEN
from .errors import action_in, botocore_errors, code_of

# What a type with CPU credits is given when it is changed. Without it the machine may cost more, and that is said.
OF_RESIZE = ("ec2:ModifyInstanceCreditSpecification",)

# Ids that nothing has. EC2 looks at permissions before it looks for the resource.
NO_INSTANCE, NO_GROUP = "i-0123456789abcdef0", "sg-0123456789abcdef0"
NO_DISK, NO_REQUEST = "vol-0123456789abcdef0", "sir-01234567"
# Dry runs import nothing, but EC2 wants to see a key.
SOME_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
SOMEBODY = "192.0.2.1/32"

NEW, INSTANCE, GROUP, KEY, DISK, REQUEST = "new", "machine", "group", "key", "disk", "request"
LAUNCH, START, RULES, SPOT = "launch", "start", "rules", "spot"


class DryRunTargets(t.NamedTuple):
    """The parameters of dry runs. Ids of what does not exist yet are empty."""

    launch: t.Mapping[str, t.Any]
    tags: t.Sequence[t.Mapping[str, str]]
    vpc_id: str
    public_key: str
    instance_id: str = ""
    group_id: str = ""
    key_name: str = ""


class Action(t.NamedTuple):
    """A write action of an API: its resources, when a run needs it, and its dry run."""

    name: str
    on: str
    when: str
    parameters: t.Callable[[DryRunTargets], dict[str, t.Any]]

    @property
    def operation(self) -> str:
        """Return what a client of botocore calls it, such as ``run_instances``."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name.partition(":")[2]).lower()


def _tagged(kind: str, targets: DryRunTargets) -> list[dict[str, t.Any]]:
    return [{"ResourceType": kind, "Tags": list(targets.tags)}]


def _instance(targets: DryRunTargets) -> dict[str, t.Any]:
    return {"InstanceIds": [targets.instance_id or NO_INSTANCE]}


def _rule(targets: DryRunTargets, text: str = "") -> dict[str, t.Any]:
    peer = {"CidrIp": SOMEBODY, "Description": text} if text else {"CidrIp": SOMEBODY}
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [peer]}
    return {"GroupId": targets.group_id or NO_GROUP, "IpPermissions": [rule]}


def _text(targets: DryRunTargets) -> dict[str, t.Any]:
    return _rule(targets, "dry run")


CHANGES = (
    Action("ec2:RunInstances", NEW, LAUNCH, lambda targets: dict(targets.launch)),
    Action(
        "ec2:CreateSecurityGroup",
        NEW,
        LAUNCH,
        lambda targets: {
            "GroupName": "desi-lab-dry-run",
            "Description": "dry run",
            "VpcId": targets.vpc_id,
            "TagSpecifications": _tagged("security-group", targets),
        },
    ),
    Action(
        "ec2:ImportKeyPair",
        NEW,
        LAUNCH,
        lambda targets: {
            "KeyName": "desi-lab-dry-run",
            "PublicKeyMaterial": (targets.public_key or SOME_KEY).encode(),
            "TagSpecifications": _tagged("key-pair", targets),
        },
    ),
    Action("ec2:AuthorizeSecurityGroupIngress", GROUP, RULES, _rule),
    Action("ec2:RevokeSecurityGroupIngress", GROUP, RULES, _rule),
    Action("ec2:AuthorizeSecurityGroupEgress", GROUP, LAUNCH, _rule),
    Action("ec2:RevokeSecurityGroupEgress", GROUP, LAUNCH, _rule),
    Action("ec2:UpdateSecurityGroupRuleDescriptionsIngress", GROUP, LAUNCH, _text),
    Action("ec2:UpdateSecurityGroupRuleDescriptionsEgress", GROUP, LAUNCH, _text),
    Action("ec2:DeleteSecurityGroup", GROUP, LAUNCH, lambda targets: {"GroupId": targets.group_id or NO_GROUP}),
    Action("ec2:StartInstances", INSTANCE, START, _instance),
    Action("ec2:StopInstances", INSTANCE, LAUNCH, _instance),
    Action(
        "ec2:ModifyInstanceAttribute",
        INSTANCE,
        LAUNCH,
        lambda targets: {"InstanceId": targets.instance_id or NO_INSTANCE, "InstanceType": {"Value": "t3.micro"}},
    ),
    Action("ec2:TerminateInstances", INSTANCE, LAUNCH, _instance),
    Action(
        "ec2:CreateTags",
        INSTANCE,
        LAUNCH,
        lambda targets: {"Resources": [targets.instance_id or NO_INSTANCE], "Tags": list(targets.tags)},
    ),
    Action("ec2:DeleteKeyPair", KEY, LAUNCH, lambda targets: {"KeyName": targets.key_name or "desi-lab-dry-run"}),
    Action("ec2:DeleteVolume", DISK, LAUNCH, lambda _targets: {"VolumeId": NO_DISK}),
    Action("ec2:ModifyVolume", DISK, LAUNCH, lambda _targets: {"VolumeId": NO_DISK, "Size": 64}),
    Action("ec2:CancelSpotInstanceRequests", REQUEST, SPOT, lambda _targets: {"SpotInstanceRequestIds": [NO_REQUEST]}),
)


class DryRun(t.NamedTuple):
    """The result of a dry run. ``sure`` is whether a refusal means what it says."""

    action: Action
    refused: bool
    sure: bool
    named: str


def needed(state: str, spot: bool = False, rules: bool = True) -> list[Action]:
    """Return what a run may come to do when the instance is in some state, and later runs with what it made.

    ``rules`` is whether those of the security group change.
    """
    times = {RULES} if rules or state == "absent" else set()
    if state in ("stopping", "stopped"):
        times |= {START}
    if state == "absent":
        times |= {START, LAUNCH, *([SPOT] if spot else [])}
    return [action for action in CHANGES if action.when in times]


def dry_run(ec2: t.Any, action: Action, targets: DryRunTargets) -> DryRun:  # noqa: ANN401 - a client of botocore
    """Try something without doing it."""
    try:
        getattr(ec2, action.operation)(DryRun=True, **action.parameters(targets))
    except botocore_errors() as error:
        return read_dry_run(action, targets, error)
    return DryRun(action, False, True, action.name)


def read_dry_run(action: Action, targets: DryRunTargets, error: BaseException) -> DryRun:
    """Return the meaning of a dry run's answer. Anything but a refusal passes: the real call will show.

    A policy may allow an action only on what carries tags of ours, as docs/iam-policy.json does. What does not exist
    carries none, so a refusal is only sure for resources that exist, or are to be made.
    """
    refused = code_of(error) in FORBIDDEN
    there = {NEW: True, INSTANCE: bool(targets.instance_id), GROUP: bool(targets.group_id), KEY: bool(targets.key_name)}
    sure = there.get(action.on, False) or "explicit deny" in str(error)
    return DryRun(action, refused, sure, action_in(str(error), action.name) if refused else action.name)


def judge(outcomes: t.Sequence[DryRun]) -> list[str]:
    """Return notes on permissions that may be missing; refuse if one is missing for sure.

    Where all that is done to something that does not exist yet is refused alike, it may be for its lack of tags. Where
    only some of it is, that is what is missing.
    """
    alike = {kind for kind in (INSTANCE, GROUP, KEY, DISK, REQUEST) if _all_refused(outcomes, kind)}
    missing = [
        outcome.named for outcome in outcomes if outcome.refused and (outcome.sure or outcome.action.on not in alike)
    ]
    if missing:
        raise refusal(missing)
    if INSTANCE in alike:
        return ["Whether you may start, stop and delete the machine cannot be told before there is one."]
    return []


def _all_refused(outcomes: t.Sequence[DryRun], kind: str) -> bool:
    of_kind = [outcome for outcome in outcomes if outcome.action.on == kind and not outcome.sure]
    return bool(of_kind) and all(outcome.refused for outcome in of_kind)


def refusal(missing: t.Sequence[str]) -> LabError:
    """Return the failure that names all permissions that are missing."""
    names = ", ".join(dict.fromkeys(missing))
    return LabError(
        "Your permissions at AWS do not suffice for a lab, so nothing was begun.",
        f"Not allowed: {names}.",
        "ask whoever manages the AWS account to allow this · docs/iam-policy.json has all that DESI Lab needs",
    )
