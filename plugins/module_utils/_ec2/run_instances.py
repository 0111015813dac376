# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parameters of RunInstances, and the meaning of its errors for the next attempt."""

from __future__ import annotations

import hashlib
import json
import math
import re
import typing as t
from dataclasses import dataclass, field

from .._aws.errors import aws_error, botocore_errors, code_of, unwrapped
from .._aws.tags import as_tag_list, lab_tags, our_filters
from .._common.errors import LabError

RUNS = ("pending", "running")
STOPS = ("stopping", "stopped")
ALIVE = (*RUNS, *STOPS)

Verdict = t.Literal["elsewhere", "used", "differs", "again", "stop"]


@dataclass(frozen=True)
class Attempt:
    """Type, zone, subnet and market of one attempt."""

    type: str
    zone: str
    subnet_id: str
    market: str = "on-demand"

    @property
    def spot(self) -> bool:
        return self.market == "spot"


@dataclass(frozen=True)
class InstanceSpec:
    name: str
    owner: str
    attempts: tuple[Attempt, ...]
    image_id: str
    root_device: str
    disk_gib: int
    key_name: str
    group_id: str
    tags: t.Mapping[str, str] = field(default_factory=dict)
    # It holds a key, if one that is of no use any more soon.
    user_data: str = field(default="", repr=False)
    # Machines of a lab that have nothing of their own, and end for good: this many at once.
    workers: int = 0
    # Those that it has.
    beside: tuple[str, ...] = ()
    look_seconds: float = 120
    wait_seconds: float = 180

    def __post_init__(self) -> None:
        """Refuse a spec whose instance nobody would find again."""
        if not (self.name and self.owner):
            why = "Its tags would not say whose it is, so that nobody could find it again."
            raise LabError("No machine is made.", why, "give the name of the lab and its owner")


# Otherwise AWS charges for what t3, t3a and t4g compute beyond their share, which no price of an hour has in it.
STANDARD_CREDITS = {"CpuCredits": "standard"}
_WITH_CREDITS = re.compile(r"t[2-9][a-z]*\.")


def has_cpu_credits(name: str) -> bool:
    """Return whether instances of a type have a share of their processors, and earn credits for more."""
    return bool(_WITH_CREDITS.match(name))


def client_token(group_id: str, attempt: Attempt, generation: int, more: t.Sequence[t.Any] = ()) -> str:
    """Return what makes EC2 take two equal requests for one.

    A security group is made once in the life of a lab, so two computers that want the same lab say the same.
    """
    parts = [group_id, attempt.market, attempt.type, attempt.zone, attempt.subnet_id, generation, *more]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def run_parameters(spec: InstanceSpec, attempt: Attempt, generation: int) -> dict[str, t.Any]:
    shared = as_tag_list(lab_tags(spec.name, spec.owner))
    tagged = {
        "instance": as_tag_list(lab_tags(spec.name, spec.owner, spec.tags)),
        "volume": shared,
        "network-interface": shared,
    }
    more = (spec.workers, spec.beside) if spec.workers else ()
    parameters: dict[str, t.Any] = {
        "ImageId": spec.image_id,
        "InstanceType": attempt.type,
        "KeyName": spec.key_name,
        "MinCount": 1,
        # AWS makes as many of several as there is room for.
        "MaxCount": spec.workers or 1,
        "ClientToken": client_token(spec.group_id, attempt, generation, more),
        "InstanceInitiatedShutdownBehavior": "terminate" if spec.workers else "stop",
        # With one hop, containers on the instance do not reach its metadata.
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [
            {
                "DeviceName": spec.root_device,
                "Ebs": {
                    "VolumeSize": spec.disk_gib,
                    "VolumeType": "gp3",
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                },
            }
        ],
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": attempt.subnet_id,
                "Groups": [spec.group_id],
                "AssociatePublicIpAddress": True,
                "DeleteOnTermination": True,
            }
        ],
    }
    if has_cpu_credits(attempt.type):
        parameters["CreditSpecification"] = STANDARD_CREDITS
    if spec.user_data:
        parameters["UserData"] = spec.user_data
    if attempt.spot:
        tagged["spot-instances-request"] = shared
        # Only a persistent request lets its instance be stopped and started again.
        options = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
        if spec.workers:
            options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        parameters["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": options}
    parameters["TagSpecifications"] = [{"ResourceType": kind, "Tags": tags} for kind, tags in tagged.items()]
    return parameters


# At each boot, as long as nothing else ends the use of the instance; systemd-run would wait for what waits for this.
_LONGEST = "systemctl is-active --quiet desi-lab-watch.timer || systemctl poweroff"


def user_data(keys: t.Mapping[str, t.Any], longest_hours: float) -> str:
    """Return user data for cloud-init: host keys, and a longest time for an instance whose setup never ends.

    JSON is YAML, too. Whoever may describe the instance can read it.
    """
    config: dict[str, t.Any] = dict(keys)
    if longest_hours > 0:
        timer = [f"--on-active={math.ceil(longest_hours * 60)}min", "--unit=desi-lab-longest-time", "--no-block"]
        config["bootcmd"] = [["systemd-run", *timer, "sh", "-c", _LONGEST]]
    return f"#cloud-config\n{json.dumps(config)}\n" if config else ""


ELSEWHERE = {
    "InsufficientInstanceCapacity": "no capacity",
    "InsufficientHostCapacity": "no capacity",
    "InsufficientCapacity": "no capacity",
    "Unsupported": "the type is not offered there",
    "InsufficientFreeAddressesInSubnet": "the subnet has no free address",
    "SpotMaxPriceTooLow": "spot costs more than on demand",
    "MaxSpotInstanceCountExceeded": "the quota for spot is used up",
}
"""Why an instance is not available in one way, but may be in another."""

_LOST_CODES = {
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
    "Unavailable",
    "RequestLimitExceeded",
    "RequestTimeout",
    "Throttling",
    "ThrottlingException",
}
# The request had been sent, or may have been, when these were raised.
_LOST_CLASSES = {"ConnectionClosedError", "ReadTimeoutError", "ResponseParserError", "ResponseStreamingError"}


def verdict_on(error: BaseException) -> Verdict:
    """Return what a refused RunInstances means.

    ``elsewhere``: ask in the next way. ``used``: the token belonged to an instance that is gone. ``differs``: the token
    was used with another spec. ``again``: nobody knows whether it worked. ``stop``: asking again does not help.
    """
    error, code = unwrapped(error), code_of(error)
    if code in ELSEWHERE:
        return "elsewhere"
    if code == "IdempotentInstanceTerminated":
        return "used"
    if code == "IdempotentParameterMismatch":
        return "differs"
    if code in _LOST_CODES or _status(error) >= 500:
        return "again"
    return "again" if _LOST_CLASSES & {kind.__name__ for kind in type(error).__mro__} else "stop"


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None) or {}
    status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else 0


def tagged_instances(ec2: t.Any, spec: InstanceSpec, doing: str, region: str) -> list[dict[str, t.Any]]:  # noqa: ANN401 - of botocore
    """Return the instances that the API finds by the tags of a lab; ``doing`` is as aws_error takes it."""
    try:
        pages = ec2.get_paginator("describe_instances").paginate(Filters=our_filters(spec.owner, spec.name))
        return [item for page in pages for reservation in page["Reservations"] for item in reservation["Instances"]]
    except botocore_errors() as error:
        raise aws_error(error, doing, region) from error


def state_of(instance: t.Mapping[str, t.Any]) -> str:
    """Return the state of an instance, such as ``running``."""
    return str((instance.get("State") or {}).get("Name") or "unknown")


def market_of(instance: t.Mapping[str, t.Any]) -> str:
    """Return the market of an instance, ``spot`` or ``on-demand``."""
    return "spot" if instance.get("InstanceLifecycle") == "spot" else "on-demand"


def reason_code(instance: t.Mapping[str, t.Any]) -> str:
    """Return the code of the reason for which an instance stopped or ended, such as ``Server.InternalError``."""
    return str((instance.get("StateReason") or {}).get("Code") or "")


def waits_for_room(instance: t.Mapping[str, t.Any]) -> bool:
    """Return whether AWS has interrupted a spot instance, which AWS starts again by itself, and nobody else can."""
    stopped = state_of(instance) == "stopped" and reason_code(instance).startswith("Server.")
    return stopped and market_of(instance) == "spot"


def facts_of(instance: t.Mapping[str, t.Any]) -> dict[str, str]:
    launched = instance.get("LaunchTime") or ""
    return {
        "id": str(instance.get("InstanceId") or ""),
        "state": state_of(instance),
        "address": str(instance.get("PublicIpAddress") or ""),
        "private_address": str(instance.get("PrivateIpAddress") or ""),
        "public_dns": str(instance.get("PublicDnsName") or ""),
        "type": str(instance.get("InstanceType") or ""),
        "zone": str((instance.get("Placement") or {}).get("AvailabilityZone") or ""),
        "market": market_of(instance),
        "launched": launched.isoformat() if hasattr(launched, "isoformat") else str(launched),
    }
