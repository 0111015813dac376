# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schedules that do what they are for when it is time, as far as their role may. moto keeps them, and never acts.

Of EventBridge Scheduler there are one-time schedules (in UTC) and what DESI Lab lets them do; of IAM, inline policies
with conditions on tags.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.scheduler.models import scheduler_backends

from region.words import ACCOUNT

AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
PREFIX = "arn:aws:scheduler:::aws-sdk:"


class NotAllowedError(Exception):
    """The role may not do that."""


def due(until: float) -> list[tuple[float, str, Any, Any]]:
    """Return the schedules whose time comes until then, the first one first: time, AWS region, group, schedule."""
    found = []
    for place, backend in list(scheduler_backends[ACCOUNT].items()):
        for group in list(backend.schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                at = AT.fullmatch(schedule.schedule_expression)
                when = datetime.fromisoformat(at[1]).replace(tzinfo=timezone.utc).timestamp() if at else None
                if when is not None and when <= until and schedule.state == "ENABLED":
                    found.append((when, place, group, schedule))
    return sorted(found, key=lambda each: (each[0], each[3].name))


def let_time_pass(until: float) -> list[dict[str, str]]:
    """Let everything happen that is due until then; return what did, and what came of it."""
    told = []
    for when, place, group, schedule in due(until):
        try:
            outcome = act(place, schedule.target)
        except Exception as error:  # whatever it is: a schedule that fails tells nobody but a queue for the dead
            outcome = f"{type(error).__name__}: {error}"
        if schedule.action_after_completion == "DELETE":
            group.schedules.pop(schedule.name, None)
        at = datetime.fromtimestamp(when, timezone.utc).isoformat()
        told.append({"at": at, "group": group.name, "schedule": schedule.name, "outcome": outcome})
    return told


def act(place: str, target: Mapping[str, Any]) -> str:
    """Do what a schedule is for."""
    known: Mapping[str, Callable[[Any, dict[str, Any], str], str]] = {
        f"{PREFIX}ec2:createSnapshot": create_snapshot,
        f"{PREFIX}ec2:cancelSpotInstanceRequests": cancel_spot_requests,
        f"{PREFIX}ec2:terminateInstances": terminate_instances,
    }
    return known[target["Arn"]](ec2_backends[ACCOUNT][place], json.loads(target["Input"]), target["RoleArn"])


def create_snapshot(backend: Any, given: dict[str, Any], role: str) -> str:
    """Take a snapshot of a disk."""
    volume = backend.get_volume(given["VolumeId"])
    tags = {tag["Key"]: tag["Value"] for spec in given["TagSpecifications"] for tag in spec["Tags"]}
    where = f"arn:aws:ec2:{backend.region_name}"
    demand(role, "ec2:CreateSnapshot", f"{where}:{ACCOUNT}:volume/{volume.id}", resource_tags(volume))
    demand(role, "ec2:CreateSnapshot", f"{where}::snapshot/*", {f"aws:RequestTag/{key}": tags[key] for key in tags})
    demand(role, "ec2:CreateTags", f"{where}::snapshot/*", {"ec2:CreateAction": "CreateSnapshot"})
    snapshot = backend.create_snapshot(volume.id, given["Description"], owner_id=ACCOUNT)
    snapshot.add_tags(tags)
    return str(snapshot.id)


def terminate_instances(backend: Any, given: dict[str, Any], role: str) -> str:
    """Terminate machines."""
    for number in given["InstanceIds"]:
        arn = f"arn:aws:ec2:{backend.region_name}:{ACCOUNT}:instance/{number}"
        demand(role, "ec2:TerminateInstances", arn, resource_tags(backend.get_instance(number)))
    backend.terminate_instances(given["InstanceIds"])
    return ",".join(given["InstanceIds"])


def cancel_spot_requests(backend: Any, given: dict[str, Any], role: str) -> str:
    """Cancel requests for machines of the spot market."""
    for number in given["SpotInstanceRequestIds"]:
        arn = f"arn:aws:ec2:{backend.region_name}:{ACCOUNT}:spot-instances-request/{number}"
        tags = backend.describe_tags({"resource-id": [number]})
        facts = {f"aws:ResourceTag/{tag['key']}": tag["value"] for tag in tags}
        demand(role, "ec2:CancelSpotInstanceRequests", arn, facts)
    backend.cancel_spot_instance_requests(given["SpotInstanceRequestIds"])
    return ",".join(given["SpotInstanceRequestIds"])


def resource_tags(thing: Any) -> dict[str, str]:
    """Return the tags of a thing as conditions see them."""
    return {f"aws:ResourceTag/{tag['key']}": tag["value"] for tag in thing.get_tags()}


def demand(role_arn: str, action: str, resource: str, facts: Mapping[str, str]) -> None:
    """Raise if a role may not do something, or Scheduler may not act by it."""
    roles = iam_backends[ACCOUNT]["aws"].roles.values()
    role = next((one for one in roles if one.arn == role_arn), None)
    if role is None or "scheduler.amazonaws.com" not in str(role.assume_role_policy_document):
        raise NotAllowedError(f"Scheduler cannot be {role_arn}")
    if not any(allows(statement, action, resource, facts) for statement in statements(role)):
        raise NotAllowedError(f"{role.name} may not do {action} on {resource}")


def statements(role: Any) -> Iterator[dict[str, Any]]:
    """Yield what the inline policies of a role allow."""
    for policy in role.policies.values():
        yield from (one for one in json.loads(policy)["Statement"] if one["Effect"] == "Allow")


def allows(statement: Mapping[str, Any], action: str, resource: str, facts: Mapping[str, str]) -> bool:
    """Return whether a statement allows something. What is not known of conditions is not allowed."""
    conditions = statement.get("Condition", {})
    return (
        statement["Action"] == action
        and fnmatchcase(resource, statement["Resource"])
        and set(conditions) <= {"StringEquals"}
        and all(facts.get(key) == value for key, value in conditions.get("StringEquals", {}).items())
    )
