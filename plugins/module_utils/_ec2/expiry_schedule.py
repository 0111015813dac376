# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set, move and remove the schedules that delete a lab when it is forgotten."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.desi.lab.plugins.module_utils._aws.error_messages import FORBIDDEN
from ansible_collections.desi.lab.plugins.module_utils._aws.errors import AWS_ERRORS, code_of, message_of
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, is_ours, lab_tags, our_filters
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import expiry
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance import ours_alive
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import Memory

# IAM takes some seconds to tell others of a role that was just made.
POLL_SECONDS = 2.0

Schedules = t.Dict[str, t.Dict[str, t.Any]]  # noqa: UP006 - evaluated by Python 3.9, too


class Wish(t.NamedTuple):
    """For how long a lab is in use at most, after how many days more it goes, and by which role."""

    hours: float
    days: int
    snapshot: bool
    role: str
    role_wait: float = 0.0


class Outcome(t.NamedTuple):
    """What came of it. ``when`` is when the lab goes, None where it does not; ``why`` says why it does not."""

    changed: bool
    when: float | None
    why: str
    before: dict[str, str]
    after: dict[str, str]


def root_disk(machine: t.Mapping[str, t.Any]) -> str:
    """Return the disk that a machine boots from; empty where that is not told."""
    mappings = machine.get("BlockDeviceMappings") or []
    disks = {str(row.get("DeviceName")): str((row.get("Ebs") or {}).get("VolumeId") or "") for row in mappings}
    # The only one there is, whatever it is called.
    only = next(iter(disks.values())) if len(disks) == 1 else ""
    return disks.get(str(machine.get("RootDeviceName"))) or only


class Group:
    """The schedules of one lab. ``clients`` are those of ec2, scheduler and iam, by name."""

    def __init__(
        self,
        clients: t.Mapping[str, t.Any],
        name: str,
        owner: str,
        region: str,
        clock: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
        memory: Memory | None = None,
    ) -> None:
        self.ec2, self.scheduler, self.iam = (clients.get(name) for name in ("ec2", "scheduler", "iam"))
        self.name, self.owner, self.region, self.clock, self.sleep = name, owner, region, clock, sleep
        self.group, self.memory = expiry.group_name(owner, name), memory

    def there(self) -> Schedules | None:
        """Return the schedules in the group, by name; None where there is no group.

        A group of that name that lacks our tags is not ours to use.
        """
        try:
            found = self.scheduler.get_schedule_group(Name=self.group)
            tags = self.scheduler.list_tags_for_resource(ResourceArn=found["Arn"])
        except AWS_ERRORS as error:
            if code_of(error) == expiry.ABSENT:
                return None
            raise
        if found.get("State") == "DELETING":
            raise LabError("", "the schedules of before are just being deleted", "")
        if not is_ours(tags, self.name, self.owner):
            raise LabError(
                f"The schedule group {self.group} cannot be used.",
                "It has the name that this lab's would have, and lacks the lab's tags.",
                "Look in the console (EventBridge, Scheduler) whose it is",
            )
        pages = self.scheduler.get_paginator("list_schedules").paginate(GroupName=self.group)
        return {row["Name"]: row for page in pages for row in page["Schedules"]}

    def set(self, wish: Wish, check: bool = False) -> Outcome:
        """Let the lab go some days after its last use; where that is not possible, say why."""
        with ThreadPoolExecutor(max_workers=3) as pool:
            machine_asked, there_asked = pool.submit(self._machine), pool.submit(self.there)
            role_asked = pool.submit(self._role, wish)
            (lab, account), there, role = machine_asked.result(), there_asked.result(), role_asked.result()
        if lab is None:
            return Outcome(False, None, "there is no machine", {}, {})
        if role is None:
            named = wish.role or expiry.role_name(self.owner)
            why = f"there is no role {named} for that; -e lab_expire_role=make makes it"
            return Outcome(False, None, why, {}, {})
        if wish.snapshot and not lab.disk:
            return Outcome(False, None, "AWS does not tell of which disk there would be a snapshot", {}, {})
        when = expiry.expiry(self.clock(), wish.hours, wish.days)
        want = expiry.wanted(lab, when, wish.snapshot, expiry.role_arn(role, self.owner, account, self.region))
        before = {name: self._get(name) for name in there or {} if expiry.is_for(name)}
        stale = [name for name in before if name not in want]
        differ = [name for name in want if name not in before or not expiry.same(before[name], want[name])]
        if not check and (stale or differ):
            try:
                self._make(there is None, before, want, differ, wish.role_wait)
            except AWS_ERRORS as error:
                # A lab that is in use must not go at a time that may no longer be moved.
                for name in before if code_of(error) in FORBIDDEN else ():
                    self._delete(name)
                raise
            for name in stale:
                self._delete(name)
        told = [{name: each["ScheduleExpression"] for name, each in rows.items()} for rows in (before, want)]
        return Outcome(bool(stale or differ), when + expiry.BETWEEN, "", told[0], told[1])

    def remove(self, check: bool = False) -> Outcome:
        """Remove the schedules that are ours, and the group when nothing else is in it."""
        there = self.there()
        if there is None:
            return Outcome(False, None, "", {}, {})
        ours = [name for name in there if expiry.is_for(name)]
        if not check:
            for name in ours:
                self._delete(name)
            if len(ours) == len(there):
                self._gone(self.scheduler.delete_schedule_group, Name=self.group)
        why = "" if len(ours) == len(there) else f"{len(there) - len(ours)} in it not made by DESI Lab"
        return Outcome(bool(ours) or not why, None, why, dict.fromkeys(ours, "set"), {})

    def _machine(self) -> tuple[expiry.Lab | None, str]:
        pages = self.ec2.get_paginator("describe_instances").paginate(Filters=our_filters(self.owner, self.name))
        found = [row for page in pages for row in page["Reservations"]]
        machine = ours_alive([one for row in found for one in row["Instances"]], self.name, self.owner, self.memory)
        if machine is None:
            return None, ""
        account = next(str(row.get("OwnerId") or "") for row in found if machine in row["Instances"])
        return expiry.Lab(self.name, self.owner, machine["InstanceId"], root_disk(machine), self.region), account

    def _role(self, wish: Wish) -> str | None:
        """Return which role it is, as role_arn takes it; None where there is none.

        Whoever may not look finds out when it is used. The one of DESI Lab 0.1.0 does, too.
        """
        former = "" if wish.role else expiry.former_role_name(self.owner)
        for role in [wish.role, former] if former else [wish.role]:
            try:
                self.iam.get_role(RoleName=role.rpartition("/")[2] or expiry.role_name(self.owner))
            except AWS_ERRORS as error:
                if code_of(error) in ("NoSuchEntity", "NoSuchEntityException"):
                    continue
                return wish.role
            return role
        return None

    def _get(self, name: str) -> dict[str, t.Any]:
        return dict(self.scheduler.get_schedule(GroupName=self.group, Name=name))

    def _make(self, no_group: bool, before: Schedules, want: Schedules, differ: list[str], wait: float) -> None:
        if no_group:
            tags = as_tag_list(lab_tags(self.name, self.owner))
            self.scheduler.create_schedule_group(Name=self.group, Tags=tags)
        # Whatever fails in between, nothing is deleted of which there was to be a snapshot and is none.
        both = [(expiry.time_of(before[name]) or 0, expiry.time_of(want[name]) or 0) for name in before if name in want]
        later = all(was < will for was, will in both)
        moved = sorted((name for name in differ if name in before), reverse=not later)
        made = sorted((name for name in differ if name not in before), reverse=True)
        try:
            for name in made:
                self._again(wait, lambda name=name: self._create(name, want[name]))
            for name in moved:
                self.scheduler.update_schedule(GroupName=self.group, Name=name, **want[name])
        except AWS_ERRORS:
            if no_group:
                self._gone(self.scheduler.delete_schedule_group, Name=self.group)
            raise

    def _create(self, name: str, want: t.Mapping[str, t.Any]) -> None:
        self.scheduler.create_schedule(GroupName=self.group, Name=name, **want)

    def _again(self, seconds: float, work: t.Callable[[], None]) -> None:
        end = self.clock() + seconds
        while True:
            try:
                return work()
            except AWS_ERRORS as error:
                if "assume" not in message_of(error) or self.clock() >= end:
                    raise
                self.sleep(POLL_SECONDS)

    def _delete(self, name: str) -> None:
        self._gone(self.scheduler.delete_schedule, GroupName=self.group, Name=name)

    @staticmethod
    def _gone(call: t.Callable[..., t.Any], **arguments: str) -> None:
        try:
            call(**arguments)
        except AWS_ERRORS as error:
            # One that was due goes by itself.
            if code_of(error) != expiry.ABSENT:
                raise
