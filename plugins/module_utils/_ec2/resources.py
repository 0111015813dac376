# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the EC2 API for everything that carries the tags of labs."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.desi.lab.plugins.module_utils._aws.error_messages import FORBIDDEN
from ansible_collections.desi.lab.plugins.module_utils._aws.errors import AWS_ERRORS, aws_trouble, code_of
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import NAME_TAG, is_ours, our_filters, tags_of
from ansible_collections.desi.lab.plugins.module_utils._ec2.expiry import ABSENT, group_name, groups_of
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import state_of

Thing = t.Mapping[str, t.Any]

POLL_SECONDS = 1.0


class Question(t.NamedTuple):
    """How the EC2 API is asked for things of a kind."""

    kind: str
    operation: str
    key: str
    more: t.Mapping[str, t.Any] = {}


QUESTIONS = (
    Question("machine", "describe_instances", "Reservations"),
    Question("spot request", "describe_spot_instance_requests", "SpotInstanceRequests"),
    Question("disk", "describe_volumes", "Volumes"),
    # Without this, the public snapshots of the whole world are looked through.
    Question("snapshot", "describe_snapshots", "Snapshots", {"OwnerIds": ["self"]}),
    Question("address", "describe_addresses", "Addresses"),
    Question("network interface", "describe_network_interfaces", "NetworkInterfaces"),
    Question("security group", "describe_security_groups", "SecurityGroups"),
    Question("key pair", "describe_key_pairs", "KeyPairs", {"IncludePublicKey": True}),
)
SCHEDULES = "schedule group"
KINDS = [*(question.kind for question in QUESTIONS), SCHEDULES]

# A request in another state makes no machine any more.
OPEN_REQUESTS = ("open", "active", "disabled")


def things_of(question: Question, pages: t.Iterable[Thing]) -> list[dict[str, t.Any]]:
    """Return the things in the answer to a question, without those that are gone already."""
    found = [item for page in pages for item in page.get(question.key) or []]
    if question.key == "Reservations":
        found = [item for reservation in found for item in reservation.get("Instances") or []]
    return [item for item in found if _exists(question.kind, item)]


def _exists(kind: str, thing: Thing) -> bool:
    # AWS goes on telling of some things for a while after they are gone.
    if kind == "machine":
        return state_of(thing) != "terminated"
    if kind == "spot request":
        return thing.get("State") in OPEN_REQUESTS
    return not (kind == "disk" and thing.get("State") in ("deleting", "deleted"))


class Asker:
    """Asks for the things of one lab of an owner, or without a name for those of all of them."""

    def __init__(
        self,
        ec2: t.Any,  # noqa: ANN401 - a client of botocore, which makes its class at run time
        owner: str,
        name: str = "",
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
        scheduler: t.Any = None,  # noqa: ANN401 - as above
    ) -> None:
        self.ec2, self.owner, self.name, self.sleep, self.clock = ec2, owner, name, sleep, clock
        self.scheduler = scheduler
        self.unseen: dict[str, str] = {}

    def everything(self, kinds: t.Container[str] = KINDS) -> dict[str, list[dict[str, t.Any]]]:
        """Return all things of some kinds, by kind. The questions are asked side by side."""
        questions = [question for question in QUESTIONS if question.kind in kinds]
        with ThreadPoolExecutor(max_workers=len(KINDS)) as pool:
            groups = pool.submit(self._groups) if SCHEDULES in kinds and self.scheduler is not None else None
            found = dict(zip((question.kind for question in questions), pool.map(self._ask, questions)))
            return found if groups is None else {**found, SCHEDULES: groups.result()}

    def wait(self, kinds: t.Container[str], seconds: float) -> None:
        """Wait until there is nothing of some kinds, or the time is up."""
        end = self.clock() + seconds
        while any(self.everything(kinds).values()) and self.clock() < end:
            self.sleep(POLL_SECONDS)

    def _ask(self, question: Question) -> list[dict[str, t.Any]]:
        parameters = {"Filters": our_filters(self.owner, self.name), **question.more}
        if self.ec2.can_paginate(question.operation):
            pages = self.ec2.get_paginator(question.operation).paginate(**parameters)
        else:
            pages = [getattr(self.ec2, question.operation)(**parameters)]
        found = things_of(question, pages)
        # What is not ours must not be taken away by mistake.
        return [item for item in found if is_ours(item, self.name or tags_of(item).get(NAME_TAG, ""), self.owner)]

    def _groups(self) -> list[dict[str, t.Any]]:
        """Return the groups of schedules. Whoever may not see them has made none, and can have a lab all the same."""
        try:
            return [group for group in map(self._group, self._named_groups()) if group]
        except AWS_ERRORS as error:
            if code_of(error) not in FORBIDDEN:
                raise
            self.unseen[SCHEDULES] = aws_trouble(error, "see schedules").why
            return []

    def _named_groups(self) -> list[str]:
        if self.name:
            return [group_name(self.owner, self.name)]
        pages = self.scheduler.get_paginator("list_schedule_groups").paginate(NamePrefix=groups_of(self.owner))
        return [group["Name"] for page in pages for group in page["ScheduleGroups"]]

    def _group(self, name: str) -> dict[str, t.Any] | None:
        try:
            found = self.scheduler.get_schedule_group(Name=name)
            tags = self.scheduler.list_tags_for_resource(ResourceArn=found["Arn"])["Tags"]
        except AWS_ERRORS as error:
            if code_of(error) == ABSENT:
                return None
            raise
        group = {"Name": name, "State": found.get("State"), "Tags": tags}
        if found.get("State") == "DELETING" or not is_ours(group, tags_of(group).get(NAME_TAG, ""), self.owner):
            return None
        pages = self.scheduler.get_paginator("list_schedules").paginate(GroupName=name)
        return {**group, "Schedules": [row["Name"] for page in pages for row in page["Schedules"]]}
