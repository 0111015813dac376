# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Query everything that carries the tags of labs on EC2, and describe it in rows."""

from __future__ import annotations

import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from .._aws.error_messages import FORBIDDEN
from .._aws.errors import aws_error, botocore_errors, code_of
from .._aws.pricing import Prices
from .._aws.tags import ACCESS_TAG, NAME_TAG, OS_TAG, OWNER_TAG, PORT_TAG, RELEASE_TAG, is_ours, our_filters, tags_of
from .._common.humanize import time_text
from .ami import USERS
from .expiry import described_group, group_name, groups_of, is_for, schedules_in
from .run_instances import RUNS, facts_of, market_of, state_of

Resource = t.Mapping[str, t.Any]

FIRST_PAUSE, LONGEST_PAUSE, FACTOR = 1.0, 5.0, 1.5


def pauses() -> t.Iterator[float]:
    """Return how long to wait before each query for what takes AWS seconds or minutes."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * FACTOR, LONGEST_PAUSE)


class Query(t.NamedTuple):
    """A query for resources of a kind."""

    kind: str
    operation: str
    key: str
    more: t.Mapping[str, t.Any] = {}


ADDRESS, INTERFACE, SNAPSHOT = "address", "network interface", "snapshot"
QUERIES = (
    Query("machine", "describe_instances", "Reservations"),
    Query("spot request", "describe_spot_instance_requests", "SpotInstanceRequests"),
    Query("disk", "describe_volumes", "Volumes"),
    # Without this, the public snapshots of the whole world are looked through.
    Query(SNAPSHOT, "describe_snapshots", "Snapshots", {"OwnerIds": ["self"]}),
    Query(ADDRESS, "describe_addresses", "Addresses"),
    Query(INTERFACE, "describe_network_interfaces", "NetworkInterfaces"),
    Query("security group", "describe_security_groups", "SecurityGroups"),
    Query("key pair", "describe_key_pairs", "KeyPairs", {"IncludePublicKey": True}),
)
SCHEDULES = "schedule group"
KINDS = [*(question.kind for question in QUERIES), SCHEDULES]

# A request in another state makes no instance any more.
OPEN_REQUESTS = ("open", "active", "disabled")


def resources_in(question: Query, pages: t.Iterable[Resource]) -> list[dict[str, t.Any]]:
    """Return the resources in the answer to a question, also those that are gone already."""
    found = [item for page in pages for item in page.get(question.key) or []]
    if question.key == "Reservations":
        found = [item for reservation in found for item in reservation.get("Instances") or []]
    return found


def exists(kind: str, resource: Resource) -> bool:
    """Return whether a resource exists. AWS lists some for a while after their deletion."""
    if kind == "machine":
        return state_of(resource) != "terminated"
    if kind == "spot request":
        return resource.get("State") in OPEN_REQUESTS
    return not (kind == "disk" and resource.get("State") in ("deleting", "deleted"))


class ResourceQuery:
    """Query the resources of one lab of an owner, or of all labs without a name."""

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
        """Return all resources of some kinds, by kind, queried in parallel."""
        questions = [question for question in QUERIES if question.kind in kinds]
        with ThreadPoolExecutor(max_workers=len(KINDS)) as pool:
            groups = pool.submit(self._groups) if SCHEDULES in kinds and self.scheduler is not None else None
            found = dict(zip((question.kind for question in questions), pool.map(self._existing, questions)))
            return found if groups is None else {**found, SCHEDULES: groups.result()}

    def instances(self) -> list[dict[str, t.Any]]:
        """Return the instances, also those that are terminated."""
        return self._tagged(QUERIES[0])

    def _existing(self, question: Query) -> list[dict[str, t.Any]]:
        return [item for item in self._tagged(question) if exists(question.kind, item)]

    def _tagged(self, question: Query) -> list[dict[str, t.Any]]:
        parameters = {"Filters": our_filters(self.owner, self.name), **question.more}
        if self.ec2.can_paginate(question.operation):
            pages = self.ec2.get_paginator(question.operation).paginate(**parameters)
        else:
            pages = [getattr(self.ec2, question.operation)(**parameters)]
        found = resources_in(question, pages)
        # What is not ours must not be taken away by mistake.
        return [item for item in found if is_ours(item, self.name or tags_of(item).get(NAME_TAG, ""), self.owner)]

    def _groups(self) -> list[dict[str, t.Any]]:
        """Return the groups of schedules. Whoever may not see them has made none, and can have a lab all the same."""
        try:
            return [group for group in map(self._group, self._named_groups()) if group]
        except botocore_errors() as error:
            if code_of(error) not in FORBIDDEN:
                raise
            self.unseen[SCHEDULES] = aws_error(error, "see schedules").why
            return []

    def _named_groups(self) -> list[str]:
        if self.name:
            return [group_name(self.owner, self.name)]
        pages = self.scheduler.get_paginator("list_schedule_groups").paginate(NamePrefix=groups_of(self.owner))
        return [group["Name"] for page in pages for group in page["ScheduleGroups"]]

    def _group(self, name: str) -> dict[str, t.Any] | None:
        group = described_group(self.scheduler, name) or {"State": "DELETING"}
        if group["State"] == "DELETING" or not is_ours(group, tags_of(group).get(NAME_TAG, ""), self.owner):
            return None
        return {**group, "Schedules": [row["Name"] for row in schedules_in(self.scheduler, name)]}


Found = t.Mapping[str, t.Sequence[Resource]]


_WHEN = re.compile(r"\((\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) GMT\)")


def lab_rows(instances: t.Iterable[Resource], region: str) -> list[dict[str, t.Any]]:
    """Return a row for each instance, with the keys of labs on this computer."""
    return sorted((_lab_row(instance, region) for instance in instances), key=lambda row: (row["name"], row["id"]))


def _lab_row(instance: Resource, region: str) -> dict[str, t.Any]:
    tags, view = tags_of(instance), facts_of(instance)
    port = tags.get(PORT_TAG, "")
    return {
        "name": tags.get(NAME_TAG, ""),
        "owner": tags.get(OWNER_TAG, ""),
        "where": f"ec2 {region}",
        "state": view["state"],
        "since": _since(instance),
        "release": tags.get(RELEASE_TAG, ""),
        "image": "",
        "image_newer": None,
        "data": "",
        "mount": "",
        "mount_answers": None,
        "folder": "",
        "address": view["address"],
        "port": int(port) if port.isascii() and port.isdigit() else 0,
        "server_answers": None,
        "workers": 0,
        "dask": None,
        "access": tags.get(ACCESS_TAG, ""),
        "os": tags.get(OS_TAG, ""),
        "user": USERS.get(tags.get(OS_TAG, ""), USERS["amazon"]),
        "id": view["id"],
        "type": view["type"],
        "zone": view["zone"],
        "market": view["market"],
    }


def _since(instance: Resource) -> str:
    """Return when the state of an instance began, as far as AWS reports it."""
    if state_of(instance) in RUNS:
        launched = instance.get("LaunchTime")
        return time_text(launched) if isinstance(launched, datetime) else str(launched or "")
    found = _WHEN.search(str(instance.get("StateTransitionReason") or ""))
    return f"{found[1]}T{found[2]}Z" if found else ""


def resource_rows(found: Found, prices: Prices | None = None) -> list[dict[str, t.Any]]:
    """Return a row for each resource with our tags: kind, owner, and whether it is billed and in use.

    ``usd_month`` is what it costs in a month as it lies; None where that is not known.
    """
    living = {tags_of(instance).get(NAME_TAG, "") for instance in found.get("machine") or []}
    rows = []
    for kind in KINDS:
        for resource in found.get(kind) or []:
            lab = tags_of(resource).get(NAME_TAG, "")
            row = _ROWS[kind](resource)
            usual = {"name": row["id"], "state": "", "in_use": lab in living, "billed": False}
            row = {"kind": kind, "lab": lab, **usual, **row}
            about, gib = row.pop("about"), row.pop("gib", None)
            price = {"disk": prices.gib_month, "snapshot": prices.snapshot_gib_month}.get(kind) if prices else None
            row["usd_month"] = round(gib * price.usd, 2) if gib and price else None
            rows.append({**row, "words": f"{kind} {row['name']} ({about})"})
    return rows


def id_of(kind: str, resource: Resource) -> str:
    return str(_ROWS[kind](resource)["id"])


def _instance(resource: Resource) -> dict[str, t.Any]:
    view = facts_of(resource)
    about = f"{view['type']}, {view['state']}" + (", spot" if market_of(resource) == "spot" else "")
    return {"id": view["id"], "state": view["state"], "billed": view["state"] in RUNS, "about": about}


def _request(resource: Resource) -> dict[str, t.Any]:
    state = str(resource.get("State") or "")
    about = f"{state}, makes a machine again" if state != "disabled" else "its machine is stopped"
    return {"id": resource["SpotInstanceRequestId"], "state": state, "about": about}


def _disk(resource: Resource) -> dict[str, t.Any]:
    instance = next(
        (str(item.get("InstanceId")) for item in resource.get("Attachments") or [] if item.get("InstanceId")), ""
    )
    about = f"{resource.get('Size', '?')} GiB, {f'of {instance}' if instance else 'of no machine'}"
    row = {"id": resource["VolumeId"], "state": str(resource.get("State") or ""), "billed": True, "about": about}
    return {**row, "in_use": bool(instance), "gib": resource.get("Size")}


def _snapshot(resource: Resource) -> dict[str, t.Any]:
    row = {"id": resource["SnapshotId"], "state": str(resource.get("State") or ""), "billed": True, "in_use": False}
    return {**row, "about": f"{resource.get('VolumeSize', '?')} GiB", "gib": resource.get("VolumeSize")}


def _address(resource: Resource) -> dict[str, t.Any]:
    used = bool(resource.get("AssociationId"))
    name = str(resource.get("PublicIp") or "")
    row = {"id": str(resource.get("AllocationId") or name), "name": name, "billed": True, "in_use": used}
    return {**row, "about": "in use" if used else "not in use"}


def _interface(resource: Resource) -> dict[str, t.Any]:
    state = str(resource.get("Status") or "")
    return {"id": resource["NetworkInterfaceId"], "state": state, "about": state or "unknown"}


def _group(resource: Resource) -> dict[str, t.Any]:
    name = str(resource.get("GroupName") or resource["GroupId"])
    return {"id": resource["GroupId"], "name": name, "about": resource["GroupId"]}


def _key(resource: Resource) -> dict[str, t.Any]:
    identity = str(resource.get("KeyPairId") or resource["KeyName"])
    return {"id": identity, "name": resource["KeyName"], "about": identity}


def _schedules(resource: Resource) -> dict[str, t.Any]:
    names = resource.get("Schedules") or []
    others = [name for name in names if not is_for(name)]
    about = f"{len(names)} schedule{'s' * (len(names) != 1)}"
    about = f"with {', '.join(others)} in it, not made by DESI Lab" if others else about
    return {"id": resource["Name"], "about": about}


_ROWS: dict[str, t.Callable[[Resource], dict[str, t.Any]]] = {
    "machine": _instance,
    "spot request": _request,
    "disk": _disk,
    "snapshot": _snapshot,
    "address": _address,
    "network interface": _interface,
    "security group": _group,
    "key pair": _key,
    SCHEDULES: _schedules,
}
