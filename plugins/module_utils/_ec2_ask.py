# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""Ask the EC2 API for everything that carries the tags of labs."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.desi.lab.plugins.module_utils._ec2_labs import NAME_TAG, is_ours, our_filters, tags_of
from ansible_collections.desi.lab.plugins.module_utils._ec2_request import state_of

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
    Question("key pair", "describe_key_pairs", "KeyPairs"),
)
KINDS = [question.kind for question in QUESTIONS]

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
    ) -> None:
        self.ec2, self.owner, self.name, self.sleep, self.clock = ec2, owner, name, sleep, clock

    def everything(self, kinds: t.Container[str] = KINDS) -> dict[str, list[dict[str, t.Any]]]:
        """Return all things of some kinds, by kind. The questions are asked side by side."""
        questions = [question for question in QUESTIONS if question.kind in kinds]
        with ThreadPoolExecutor(max_workers=len(QUESTIONS)) as pool:
            return dict(zip((question.kind for question in questions), pool.map(self._ask, questions)))

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
