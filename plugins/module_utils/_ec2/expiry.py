# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a lab on EC2 that is forgotten is deleted: schedules of EventBridge Scheduler, as they are to be.

Schedules carry no tags, groups of them do. So each lab has a group of its own, with the tags of the lab.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import typing as t

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, is_session, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import DAY, HOUR, parse_time, time_text

GROUPS = "desi-lab-"
# What Scheduler answers where there is no such group, or no such schedule.
ABSENT = "ResourceNotFoundException"
# The snapshot is taken at its very moment, and this is for what may have to be tried again.
BETWEEN = HOUR
SNAPSHOT, DELETE = "snapshot", "delete"
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_ACTIONS = {SNAPSHOT: "createSnapshot", DELETE: "terminateInstances"}
_NO_ROLE_NAME = re.compile(r"[^\w+=,.@-]")


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:8]


def groups_of(owner: str) -> str:
    """Return how the groups of all labs of an owner begin. Owners may have letters that no group may have."""
    return f"{GROUPS}{_digest(owner)}-"


def group_name(owner: str, name: str) -> str:
    """Return what the group of a lab's schedules is called."""
    return f"{groups_of(owner)}{name}"


def role_name(owner: str) -> str:
    """Return what the role is called by which schedules act on what this owner has, and on nothing else.

    No name of an owner is in it: one may be the beginning of another, and a policy that allows names by a pattern would
    take the one for the other.
    """
    return f"desi-lab-expiry-{hashlib.sha256(owner.encode()).hexdigest()[:32]}"


def role_path(owner: str) -> str:
    """Return the path of that role, by which a policy tells whose it is: names of users have no slash in them.

    AWS knows no variable for a session of a role that may stand in a path, so theirs have one in common.
    """
    return (
        "/desi-lab-expiry-of-session/" if is_session(owner) else f"/desi-lab-expiry-of/{_NO_ROLE_NAME.sub('.', owner)}/"
    )


def former_role_name(owner: str) -> str:
    """Return what DESI Lab 0.1.0 called that role."""
    return f"desi-lab-expiry-{_NO_ROLE_NAME.sub('.', owner)[:39]}-{_digest(owner)}"


def schedule_name(what: str, machine: str) -> str:
    """Return what a schedule is called; it is for one machine, so that none is left for the machine after it."""
    return f"{what}-{machine}"


def partition(region: str) -> str:
    """Return the part of AWS that a region is in, as ARNs have it."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(re.sub(r"-[a-z]+-\d+$", "", region), "aws")


def role_arn(role: str, owner: str, account: str, region: str) -> str:
    """Return the ARN of the role that a setting means: an ARN, a name, or empty for the owner's own."""
    if role.startswith("arn:"):
        return role
    return f"arn:{partition(region)}:iam::{account}:role{f'/{role}' if role else role_path(owner) + role_name(owner)}"


def expiry(now: float, hours: float, days: int) -> float:
    """Return when a lab is forgotten that is used for some hours more at most: at the end of that day (UTC).

    To whole days, so that a second run on the same day has nothing to change.
    """
    return float(math.ceil((now + hours * HOUR + days * DAY) / DAY) * DAY)


class Lab(t.NamedTuple):
    """The machine of a lab, its disk, and whose it is."""

    name: str
    owner: str
    machine: str
    disk: str
    region: str


def wanted(lab: Lab, when: float, snapshot: bool, arn: str) -> dict[str, dict[str, t.Any]]:
    """Return the schedules that delete a lab, by name, as CreateSchedule takes them."""
    tags = as_tag_list({**lab_tags(lab.name, lab.owner), "desi-lab:machine": lab.machine})
    told = f"the disk of lab {lab.name}, which was forgotten"
    whole = {
        SNAPSHOT: {
            "VolumeId": lab.disk,
            "Description": told,
            "TagSpecifications": [{"ResourceType": "snapshot", "Tags": tags}],
        },
        DELETE: {"InstanceIds": [lab.machine]},
    }
    found = {}
    for what, given in whole.items():
        if what == SNAPSHOT and not snapshot:
            continue
        found[schedule_name(what, lab.machine)] = {
            "ScheduleExpression": f"at({time_text(when + (BETWEEN if what == DELETE else 0)).rstrip('Z')})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "State": "ENABLED",
            "Description": f"DESI Lab: {what} of lab {lab.name} when it is forgotten",
            "Target": {
                "Arn": f"arn:{partition(lab.region)}:scheduler:::aws-sdk:ec2:{_ACTIONS[what]}",
                "RoleArn": arn,
                "Input": json.dumps(given),
            },
        }
    return found


def same(schedule: t.Mapping[str, t.Any], want: t.Mapping[str, t.Any]) -> bool:
    """Return whether a schedule does what is wanted, when it is wanted."""
    target = schedule.get("Target") or {}
    keys = ("ScheduleExpression", "ScheduleExpressionTimezone", "State")
    return all(schedule.get(key) == want[key] for key in keys) and all(
        target.get(key) == value for key, value in want["Target"].items()
    )


def time_of(schedule: t.Mapping[str, t.Any] | None) -> float | None:
    """Return when a schedule does what it is for; None for one that does not."""
    if not schedule or schedule.get("State") == "DISABLED":
        return None
    found = _AT.fullmatch(str(schedule.get("ScheduleExpression") or ""))
    return parse_time(f"{found[1]}Z") if found else None


def is_for(name: str) -> bool:
    """Return whether a schedule in a group of ours is one that we make."""
    return name.startswith((f"{SNAPSHOT}-i-", f"{DELETE}-i-"))
