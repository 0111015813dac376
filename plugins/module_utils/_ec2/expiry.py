# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete a forgotten lab on EC2 by schedules of EventBridge Scheduler.

Schedules carry no tags, groups of them do. So each lab has a group of its own, with the tags of the lab.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._aws.error_messages import FORBIDDEN
from .._aws.errors import botocore_errors, code_of, message_of
from .._aws.tags import as_tag_list, is_ours, is_session, lab_tags, our_filters
from .._common.errors import LabError
from .._common.humanize import DAY, HOUR, parse_time, time_text
from .instance import lab_instance, root_disk
from .record import LabRecord

GROUPS = "desi-lab-"
# What Scheduler answers where there is no such group, or no such schedule.
ABSENT = "ResourceNotFoundException"
# The snapshot is taken at its very moment, and this is for what may have to be tried again.
BETWEEN = HOUR
# AWS puts another machine in the place of one that was terminated, unless the request for spot is canceled first. That
# terminates a machine that is stopped.
CANCEL_BEFORE = HOUR / 6
SNAPSHOT, CANCEL, DELETE = "snapshot", "cancel", "delete"
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_ACTIONS = {SNAPSHOT: "createSnapshot", CANCEL: "cancelSpotInstanceRequests", DELETE: "terminateInstances"}
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/[\w+=,.@/-]{1,512}")
_NO_ROLE_NAME = re.compile(r"[^\w+=,.@-]")


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:8]


def groups_of(owner: str) -> str:
    """Return the prefix of the schedule groups of an owner, who may have letters that no group may have."""
    return f"{GROUPS}{_digest(owner)}-"


def group_name(owner: str, name: str) -> str:
    """Return the name of a lab's schedule group."""
    return f"{groups_of(owner)}{name}"


def role_name(owner: str) -> str:
    """Return the name of the role by which schedules act on resources of this owner alone.

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
    """Return the name of that role in DESI Lab 0.1.0."""
    return f"desi-lab-expiry-{_NO_ROLE_NAME.sub('.', owner)[:39]}-{_digest(owner)}"


def schedule_name(what: str, instance: str) -> str:
    """Return the name of a schedule; it is for one instance, so that none is left for the next one."""
    return f"{what}-{instance}"


def partition(region: str) -> str:
    """Return the partition of a region, as ARNs have it."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(re.sub(r"-[a-z]+-\d+$", "", region), "aws")


def role_arn(role: str, owner: str, account: str, region: str) -> str:
    """Return the ARN of the role that a setting means: an ARN, a name, or empty for the owner's own."""
    if role.startswith("arn:"):
        return role
    return f"arn:{partition(region)}:iam::{account}:role{f'/{role}' if role else role_path(owner) + role_name(owner)}"


def expiry(now: float, hours: float, days: int) -> float:
    """Return the time of deletion of a lab in use for some hours more: the end of that day (UTC).

    To whole days, so that a second run on the same day has nothing to change.
    """
    return float(math.ceil((now + hours * HOUR + days * DAY) / DAY) * DAY)


class LabInstance(t.NamedTuple):
    """The instance of a lab, its disk, its owner, and the request for spot that it came of; empty on demand."""

    name: str
    owner: str
    instance: str
    disk: str
    region: str
    request: str = ""


def desired_schedules(lab: LabInstance, when: float, snapshot: bool, arn: str) -> dict[str, dict[str, t.Any]]:
    """Return the schedules that delete a lab, by name, as CreateSchedule takes them."""
    tags = as_tag_list({**lab_tags(lab.name, lab.owner), "desi-lab:machine": lab.instance})
    expressions = f"the disk of lab {lab.name}, which was forgotten"
    whole = {
        SNAPSHOT: {
            "VolumeId": lab.disk,
            "Description": expressions,
            "TagSpecifications": [{"ResourceType": "snapshot", "Tags": tags}],
        },
        CANCEL: {"SpotInstanceRequestIds": [lab.request]},
        DELETE: {"InstanceIds": [lab.instance]},
    }
    after = {SNAPSHOT: 0.0, CANCEL: BETWEEN - CANCEL_BEFORE, DELETE: BETWEEN}
    found = {}
    for what, given in whole.items():
        if not {SNAPSHOT: snapshot, CANCEL: lab.request}.get(what, True):
            continue
        found[schedule_name(what, lab.instance)] = {
            "ScheduleExpression": f"at({time_text(when + after[what]).rstrip('Z')})",
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


def same(schedule: t.Mapping[str, t.Any], desired: t.Mapping[str, t.Any]) -> bool:
    """Return whether a schedule has the desired action and time."""
    target = schedule.get("Target") or {}
    keys = ("ScheduleExpression", "ScheduleExpressionTimezone", "State")
    return all(schedule.get(key) == desired[key] for key in keys) and all(
        target.get(key) == value for key, value in desired["Target"].items()
    )


def time_of(schedule: t.Mapping[str, t.Any] | None) -> float | None:
    """Return the time at which a schedule acts; None for one that does not."""
    if not schedule or schedule.get("State") == "DISABLED":
        return None
    found = _AT.fullmatch(str(schedule.get("ScheduleExpression") or ""))
    return parse_time(f"{found[1]}Z") if found else None


def role_of(schedules: t.Mapping[str, t.Mapping[str, t.Any]], account: str) -> str:
    """Return the ARN of the role that existing schedules use; empty without one of this account."""
    arns = (str((row.get("Target") or {}).get("RoleArn") or "") for row in schedules.values())
    matches = (_ROLE_ARN.fullmatch(arn) for arn in arns)
    return next((match[0] for match in matches if match and match[1] == account), "")


def is_for(name: str) -> bool:
    """Return whether a schedule in a group of ours is one that we make."""
    return name.startswith(tuple(f"{what}-i-" for what in _ACTIONS))


def described_group(scheduler: t.Any, name: str) -> dict[str, t.Any] | None:  # noqa: ANN401 - of botocore
    """Return name, state and tags of a schedule group; None where there is none."""
    try:
        found = scheduler.get_schedule_group(Name=name)
        tags = scheduler.list_tags_for_resource(ResourceArn=found["Arn"])["Tags"]
    except botocore_errors() as error:
        if code_of(error) == ABSENT:
            return None
        raise
    return {"Name": name, "State": found.get("State"), "Tags": tags}


def schedules_in(scheduler: t.Any, group: str) -> list[dict[str, t.Any]]:  # noqa: ANN401 - of botocore
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    return [row for page in pages for row in page["Schedules"]]


# IAM takes some seconds to tell others of a role that was just made.
POLL_SECONDS = 2.0

Schedules = t.Dict[str, t.Dict[str, t.Any]]  # noqa: UP006 - evaluated by Python 3.9, too


class ExpirySpec(t.NamedTuple):
    """For how many hours a lab may be in use, after how many days it is deleted, and by which role.

    With ``only_moves``, nothing is scheduled that was not: what the lab was made with is not known. With
    ``only_later``, nothing is moved to an earlier time: for how long it may be in use is not known.
    """

    hours: float
    days: int
    snapshot: bool
    role: str
    role_wait: float = 0.0
    only_moves: bool = False
    only_later: bool = False


class ExpiryResult(t.NamedTuple):
    """The result. ``when`` is the time of deletion, None where there is none or it is not known; ``why`` says why.

    ``is_off`` is whether it is known that nothing is scheduled.
    """

    changed: bool
    when: float | None
    why: str
    before: dict[str, str]
    after: dict[str, str]
    is_off: bool = False


class ScheduleGroup:
    """The schedules of one lab. ``clients`` are those of ec2, scheduler and iam, by name.

    ``instance`` is its id and that of its disk, where they are known already and no request for spot has to be known.
    """

    def __init__(
        self,
        clients: t.Mapping[str, t.Any],
        name: str,
        owner: str,
        region: str,
        clock: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
        record: LabRecord | None = None,
        instance: tuple[str, str] | None = None,
    ) -> None:
        self.ec2, self.scheduler, self.iam = (clients.get(name) for name in ("ec2", "scheduler", "iam"))
        self.name, self.owner, self.region, self.clock, self.sleep = name, owner, region, clock, sleep
        self.group, self.record, self.instance = group_name(owner, name), record, instance

    def existing(self) -> Schedules | None:
        """Return the schedules in the group, by name; None where there is no group.

        A group of that name that lacks our tags is not ours to use.
        """
        group = described_group(self.scheduler, self.group)
        if group is None:
            return None
        if group["State"] == "DELETING":
            raise LabError("", "the schedules of before are just being deleted", "")
        if not is_ours(group, self.name, self.owner):
            raise LabError(
                f"The schedule group {self.group} cannot be used.",
                "It has the name that this lab's would have, and lacks the lab's tags.",
                "Check in the console (EventBridge, Scheduler) whose it is",
            )
        return {row["Name"]: row for row in schedules_in(self.scheduler, self.group)}

    def set(self, spec: ExpirySpec, check: bool = False) -> ExpiryResult:
        """Ensure the schedules that delete the lab; where that is not possible, return why."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            role_answer = pool.submit(self._role, spec)
            (lab, account), role = self._instance(), role_answer.result()
        if lab is None:
            return ExpiryResult(False, None, "there is no machine", {}, {})
        try:
            there = self.existing()
        except botocore_errors() as error:
            # Without a role there are none, whoever may see them.
            if role is not None or code_of(error) not in FORBIDDEN:
                raise
            there = None
        names = [name for name in there or {} if is_for(name)]
        before = {name: dict(self.scheduler.get_schedule(GroupName=self.group, Name=name)) for name in names}
        if spec.only_moves and not before:
            return ExpiryResult(False, None, "it was not scheduled before", {}, {}, is_off=True)
        kept = "" if spec.role else role_of(before, account)
        arn = kept if role is None else role_arn(role, self.owner, account, self.region)
        if not arn:
            named = spec.role or role_name(self.owner)
            why = f"there is no role {named} for that; -e lab_expire_role=make makes it"
            return ExpiryResult(False, None, why, {}, {}, is_off=not before)
        if spec.snapshot and not lab.disk:
            why = "AWS does not tell of which disk there would be a snapshot"
            return ExpiryResult(False, None, why, {}, {}, is_off=not before)
        when = expiry(self.clock(), spec.hours, spec.days)
        if spec.only_later:
            deletes = [time_of(row) for name, row in before.items() if name == schedule_name(DELETE, lab.instance)]
            when = max([when, *(due - BETWEEN for due in deletes if due)])
        desired = desired_schedules(lab, when, spec.snapshot, arn)
        stale = [name for name in before if name not in desired]
        differ = [name for name in desired if name not in before or not same(before[name], desired[name])]
        if not check and (stale or differ):
            try:
                self._make(there is None, before, desired, differ, spec.role_wait)
            except botocore_errors() as error:
                # A lab that is in use must not go at a time that may no longer be moved.
                for name in before if code_of(error) in FORBIDDEN else ():
                    self._delete(name)
                raise
            for name in stale:
                self._delete(name)
        expressions = [{name: each["ScheduleExpression"] for name, each in rows.items()} for rows in (before, desired)]
        return ExpiryResult(bool(stale or differ), when + BETWEEN, "", expressions[0], expressions[1])

    def remove(self, check: bool = False) -> ExpiryResult:
        """Remove the schedules that are ours, and the group when nothing else is in it."""
        there = self.existing()
        if there is None:
            return ExpiryResult(False, None, "", {}, {})
        ours = [name for name in there if is_for(name)]
        if not check:
            for name in ours:
                self._delete(name)
            if len(ours) == len(there):
                self._gone(self.scheduler.delete_schedule_group, Name=self.group)
        why = "" if len(ours) == len(there) else f"{len(there) - len(ours)} in it not made by DESI Lab"
        return ExpiryResult(bool(ours) or not why, None, why, dict.fromkeys(ours, "set"), {})

    def _instance(self) -> tuple[LabInstance | None, str]:
        if self.instance and self.record:
            return LabInstance(self.name, self.owner, *self.instance, self.region), self.record.account
        pages = self.ec2.get_paginator("describe_instances").paginate(Filters=our_filters(self.owner, self.name))
        found = [row for page in pages for row in page["Reservations"]]
        instance = lab_instance([one for row in found for one in row["Instances"]], self.name, self.owner, self.record)
        if instance is None:
            return None, ""
        account = next(str(row.get("OwnerId") or "") for row in found if instance in row["Instances"])
        request = str(instance.get("SpotInstanceRequestId") or "")
        return LabInstance(
            self.name, self.owner, instance["InstanceId"], root_disk(instance), self.region, request
        ), account

    def _role(self, spec: ExpirySpec) -> str | None:
        """Return the role, as role_arn takes it; None where there is none.

        Whoever may not look finds out when it is used. The one of DESI Lab 0.1.0 does, too.
        """
        former = "" if spec.role else former_role_name(self.owner)
        for role in [spec.role, former] if former else [spec.role]:
            try:
                self.iam.get_role(RoleName=role.rpartition("/")[2] or role_name(self.owner))
            except botocore_errors() as error:
                if code_of(error) in ("NoSuchEntity", "NoSuchEntityException"):
                    continue
                return spec.role
            return role
        return None

    def _make(self, no_group: bool, before: Schedules, desired: Schedules, differ: list[str], wait: float) -> None:
        if no_group:
            tags = as_tag_list(lab_tags(self.name, self.owner))
            self.scheduler.create_schedule_group(Name=self.group, Tags=tags)
        # Whatever fails in between, nothing is deleted of which there was to be a snapshot and is none.
        both = [(time_of(before[name]) or 0, time_of(desired[name]) or 0) for name in before if name in desired]
        later = all(was < will for was, will in both)
        moved = sorted((name for name in differ if name in before), reverse=not later)
        made = sorted((name for name in differ if name not in before), reverse=True)
        try:
            for name in made:
                create = functools.partial(self.scheduler.create_schedule, GroupName=self.group, Name=name)
                self._again(wait, functools.partial(create, **desired[name]))
            for name in moved:
                self.scheduler.update_schedule(GroupName=self.group, Name=name, **desired[name])
        except botocore_errors():
            if no_group:
                self._gone(self.scheduler.delete_schedule_group, Name=self.group)
            raise

    def _again(self, seconds: float, work: t.Callable[[], None]) -> None:
        end = self.clock() + seconds
        while True:
            try:
                return work()
            except botocore_errors() as error:
                if "assume" not in message_of(error) or self.clock() >= end:
                    raise
                self.sleep(POLL_SECONDS)

    def _delete(self, name: str) -> None:
        self._gone(self.scheduler.delete_schedule, GroupName=self.group, Name=name)

    @staticmethod
    def _gone(call: t.Callable[..., t.Any], **arguments: str) -> None:
        try:
            call(**arguments)
        except botocore_errors() as error:
            # One that was due goes by itself.
            if code_of(error) != ABSENT:
                raise
