# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this computer records of a lab on EC2 that it made: whose account, and the id of each resource.

Tags say what a resource claims to be, and others in the account may set them. Ids say what was made here.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from .._aws.tags import Caller, caller_of, tags_of
from .._common.errors import LabError
from .._common.files import closing, open_directory, read_below, write_beside
from .._common.names import whole_number
from .key_pair import KeyPair, material
from .run_instances import facts_of
from .security_group import SecurityGroup, rules_text

FILE = "made.json"
INSTANCE, REQUEST, DISK, GROUP, KEY = "machine", "spot request", "disk", "security group", "key pair"
SCHEDULES, ROLE = "schedule group", "role"
KINDS = (INSTANCE, REQUEST, DISK, GROUP, KEY, SCHEDULES, ROLE)
_LIMIT = 256 * 1024
_MOST_WORKERS = 256
_TEXT = re.compile(r"[\w.:/=+@,-]{0,512}")
_TEXTS = ("account", "partition", "arn", "region", "name", "owner")
_LISTS = ("tokens", "begun")
_AWS_HOST = re.compile(r"(^|\.)(amazonaws\.(com|com\.cn|eu)|api\.(aws|amazonwebservices\.com\.cn)|\w+\.gov)$")

Resource = t.Mapping[str, t.Any]
Ids = t.Mapping[str, t.Tuple[str, ...]]  # noqa: UP006 - evaluated by Python 3.9, too


@dataclass(frozen=True)
class LabRecord:
    """The record of a lab. ``begun`` are the groups about to be made.

    ``tokens`` are those of launches of which no instance is recorded yet. ``endpoint`` is what answered in the place of
    AWS, empty for AWS itself; None in records of before it was kept. ``workers`` is how many Dask workers the lab was
    last given, each a machine of ``worker_type`` with ``worker_memory`` for each process; None where nobody has said.
    """

    account: str
    partition: str
    arn: str
    region: str
    name: str
    owner: str
    made: Ids = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    endpoint: str | None = None
    workers: int | None = None
    worker_type: str = ""
    worker_memory: str = ""

    @property
    def maker(self) -> str:
        """Return the caller who made the lab, for people."""
        return Caller(self.arn, self.account, "").words

    def ids(self, kind: str) -> tuple[str, ...]:
        """Return the ids of what was made of a kind."""
        return tuple(self.made.get(kind, ()))

    def knows(self, kind: str, number: str) -> bool:
        """Return whether a resource was made here, or was confirmed to be ours."""
        return bool(number) and number in self.ids(kind)

    def knows_instance(self, instance: Resource) -> bool:
        """Return whether an instance was made here. A launch whose answer was lost is known by its token."""
        token = str(instance.get("ClientToken") or "")
        return self.knows(INSTANCE, str(instance.get("InstanceId") or "")) or bool(token and token in self.tokens)

    def with_resources(self, resources: t.Iterable[t.Mapping[str, str]]) -> LabRecord:
        """Return the record with more resources, each a kind and an id."""
        made = {kind: list(ids) for kind, ids in self.made.items()}
        for resource in resources:
            ids = made.setdefault(str(resource["kind"]), [])
            if resource["id"] not in ids:
                ids.append(str(resource["id"]))
        return replace(self, made={kind: tuple(ids) for kind, ids in made.items()})

    def with_launched(self, instances: t.Iterable[Resource]) -> LabRecord:
        """Return the record with those of the instances that were made here, and what they brought along."""
        ours = [one for one in instances if self.knows_instance(one)]
        return self.with_resources(row for one in ours for row in resources_of_instance(one))

    def check(self, caller: Caller, region: str = "", endpoint: str | None = None) -> None:
        """Refuse another account, partition, region or endpoint than the lab was made in.

        What they do not know of is not gone.
        """
        what = f"The lab {self.name} in {self.region} cannot be seen with these credentials."
        same = (caller.account, caller.partition) == (self.account, self.partition)
        if not same or region not in ("", self.region):
            where = f" and region {region}" if same else ""
            raise LabError(
                what,
                f"It was made by {self.maker}. Who asks now is {caller.words}{where}, where nothing is known of it.",
                "Use the credentials that it was made with, for example AWS_PROFILE=NAME in front of the same command. "
                "Nothing was changed, neither at AWS nor here",
            )
        if None not in (endpoint, self.endpoint) and endpoint != self.endpoint:
            remedy = f"Set AWS_ENDPOINT_URL to {self.endpoint}" if self.endpoint else "Unset AWS_ENDPOINT_URL"
            raise LabError(
                what,
                f"It was made at {self.endpoint or 'AWS'}. Who answers now is {endpoint or 'AWS'}, where nothing is "
                "known of it.",
                f"{remedy}, then run the same command again. Nothing was changed, neither there nor here",
            )


def endpoint_of(client: t.Any) -> str:  # noqa: ANN401 - of botocore
    """Return the host and port that a client asks in the place of AWS; empty for AWS itself."""
    # Of a password with a raw / or # in it, urlsplit would take the beginning for the host.
    place = re.split("[/?#]", client.meta.endpoint_url.partition("://")[2].rpartition("@")[2])[0]
    return "" if _AWS_HOST.search(urlsplit(f"//{place}").hostname or "") else re.sub(r"[^\w.:-]", "", place)


def begin(caller: Caller, region: str, name: str, owner: str, endpoint: str | None = None) -> LabRecord:
    """Return the record of a lab before anything is made."""
    return LabRecord(caller.account, caller.partition, caller.arn, region, name, owner, endpoint=endpoint)


def read(directory: str) -> LabRecord | None:
    """Return the record in the directory of a lab; None where there is none."""
    if not directory or not Path(directory).is_dir():
        return None
    with closing(open_directory(directory)) as here:
        try:
            content = read_below(here, FILE, _LIMIT)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(directory, str(error)) from error
    return parse(content, directory)


def read_or_none(*directory: str) -> LabRecord | None:
    """Return the record as read does, from a directory given in parts.

    None where it cannot be read or a part is empty, too, for whoever only looks.
    """
    try:
        return read(str(Path(*directory))) if all(directory) else None
    except (LabError, OSError):
        return None


def read_for(directory: str, caller: Caller, region: str, endpoint: str | None = None) -> LabRecord | None:
    """Return the record in the directory of a lab, None where there is none; refuse what its check refuses."""
    record = read(directory)
    if record is not None:
        record.check(caller, region, endpoint)
    return record


def read_as_caller(directory: str, sts: t.Any, region: str) -> tuple[LabRecord | None, Caller]:  # noqa: ANN401 - of botocore
    """Return the record as read_for does, and the caller as a client of STS tells it."""
    record = read(directory)
    caller = caller_of(sts.get_caller_identity())
    if record is not None:
        record.check(caller, region, endpoint_of(sts))
    return record, caller


def parse(content: bytes, directory: str = "") -> LabRecord:
    """Parse a record, and refuse whatever is not of its shape."""
    try:
        found = json.loads(content)
        given: dict[str, t.Any] = {key: _text(found[key]) for key in _TEXTS}
        given.update({key: tuple(_text(one) for one in _list(found.get(key, []))) for key in _LISTS})
        given["endpoint"] = None if found.get("endpoint") is None else _text(found["endpoint"])
        given["workers"] = None if found.get("workers") is None else whole_number(found["workers"], 0, _MOST_WORKERS)
        given.update({key: _text(found.get(key, "")) for key in ("worker_type", "worker_memory")})
        made = found.get("made", {})
        if not isinstance(made, dict) or not set(made) <= set(KINDS):
            raise ValueError("made")
        given["made"] = {kind: tuple(_text(one) for one in _list(ids)) for kind, ids in made.items()}
        return LabRecord(**given)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(directory, "it is damaged") from error


def _text(value: t.Any) -> str:  # noqa: ANN401 - whatever JSON has
    if not isinstance(value, str) or not _TEXT.fullmatch(value):
        raise ValueError(value)
    return value


def _list(value: t.Any) -> list[t.Any]:  # noqa: ANN401 - whatever JSON has
    if not isinstance(value, list) or len(value) > 10_000:
        raise ValueError("list")
    return value


def _unreadable(directory: str, why: str) -> LabError:
    return LabError(
        "What this computer remembers of the lab cannot be read.",
        f"{Path(directory, FILE)}: {why}.",
        "Put the file back from a backup, or move it away: then it is asked what belongs to the lab",
    )


def age(directory: str, now: float) -> float:
    """Return the age of the record in a directory, in seconds; infinite without one."""
    try:
        # A clock that was set back since, or that of a file server, may date it in the future.
        return max(0.0, now - Path(directory, FILE).stat().st_mtime)
    except OSError:
        return float("inf")


def write(directory: str, record: LabRecord) -> None:
    """Write the record into the directory of a lab, which exists."""
    with closing(open_directory(directory)) as here:
        write_beside(here, FILE, (json.dumps(asdict(record), indent=1, sort_keys=True) + "\n").encode())


class LaunchRecord:
    """Record a launch while it is under way. Without a directory all is known and nothing written."""

    def __init__(self, directory: str = "") -> None:
        self.directory = directory
        self.record = read(directory)

    def knows(self, instance: Resource) -> bool:
        """Return whether an instance was launched from here."""
        return not self.directory or bool(self.record and self.record.knows_instance(instance))

    def add_launch(self, token: str) -> bool:
        """Record a launch before it is asked for. Return whether none with this token was before."""
        if self.record is None or token in self.record.tokens:
            return False
        self._keep(replace(self.record, tokens=(*self.record.tokens, token)))
        return True

    def drop_launch(self, token: str) -> None:
        """Forget a launch: nothing was made by it, or its token turned out to be that of somebody else's request."""
        if self.record:
            self._keep(replace(self.record, tokens=tuple(one for one in self.record.tokens if one != token)))

    def add_instances(self, instances: t.Sequence[Resource]) -> None:
        """Record instances, their disks and their spot requests. Ids take the place of tokens."""
        if self.record:
            found = self.record.with_resources(row for one in instances for row in resources_of_instance(one))
            tokens = {one.get("ClientToken") for one in instances}
            self._keep(replace(found, tokens=tuple(one for one in found.tokens if one not in tokens)))

    def add_resources(self, resources: t.Iterable[t.Mapping[str, str]]) -> None:
        """Record what was made, each a kind and an id."""
        if self.record:
            self._keep(self.record.with_resources(resources))

    def set_workers(self, number: int, kind: str, memory: str) -> None:
        """Record how many workers the lab is to have, of what type and memory, until others are asked for."""
        if self.record:
            self._keep(replace(self.record, workers=number, worker_type=kind, worker_memory=memory))

    def _keep(self, record: LabRecord) -> None:
        if record != self.record:
            write(self.directory, record)
            self.record = record


def resources_of_instance(instance: Resource) -> list[dict[str, str]]:
    """Return an instance and what it brings along, as with_resources takes them."""
    found = [(INSTANCE, instance.get("InstanceId")), (REQUEST, instance.get("SpotInstanceRequestId"))]
    found += [(DISK, (row.get("Ebs") or {}).get("VolumeId")) for row in instance.get("BlockDeviceMappings") or []]
    return [{"kind": kind, "id": str(number)} for kind, number in found if number]


def knows_resource(record: LabRecord | None, kind: str, resource: Resource, local_key: str = "") -> bool:
    """Return whether a resource, as the EC2 API describes it, is one that was made here or belongs to one."""
    if record is None:
        return False
    instances = [str(item.get("InstanceId") or "") for item in resource.get("Attachments") or []]
    instances += [
        str((resource.get("Attachment") or {}).get("InstanceId") or ""),
        str(resource.get("InstanceId") or ""),
    ]
    by_instance = any(record.knows(INSTANCE, number) for number in instances)
    if kind == INSTANCE:
        return record.knows_instance(resource)
    if kind == GROUP:
        return record.knows(GROUP, str(resource.get("GroupId") or ""))
    if kind == KEY:
        same = material(str(resource.get("PublicKey") or "")) == local_key
        return record.knows(KEY, str(resource.get("KeyPairId") or "")) or bool(local_key and same)
    if kind == "snapshot":
        return record.knows(DISK, str(resource.get("VolumeId") or ""))
    if kind == SCHEDULES:
        return record.knows(SCHEDULES, str(resource.get("Name") or ""))
    number = {DISK: "VolumeId", REQUEST: "SpotInstanceRequestId"}.get(kind, "")
    return by_instance or record.knows(kind, str(resource.get(number) or ""))


def legacy_owner_note(caller: Caller, owner: str) -> list[str]:
    """Return a note on a lab whose owner tag is that of DESI Lab 0.1.0."""
    if owner != caller.former:
        return []
    return [
        f"This lab was made by the first release (0.1.0), whose tags call you {owner}. A policy cannot tell by that "
        "name whose it is: docs/iam-policy.json does not let sessions of roles change it any more. Make a new one "
        "when you can."
    ]


def owner_of_lab(caller: Caller, resources: t.Iterable[Resource]) -> str:
    """Return the owner of a lab: the caller, or as DESI Lab 0.1.0 named the caller if all its tags say so."""
    found = {tags_of(resource).get("desi-lab:owner", "") for resource in resources}
    return caller.former if caller.former in found and caller.owner not in found and caller.former else caller.owner


Resources = t.List[t.Dict[str, str]]  # noqa: UP006 - evaluated by Python 3.9, too


class KnownResources(t.NamedTuple):
    """``unknown`` are resources to confirm, in words; ``resources`` are recorded once they are confirmed.

    ``begun`` are groups that are about to be made.
    """

    unknown: list[str]
    resources: Resources
    begun: list[str]
    new: bool

    def of(self, number: str) -> bool:
        """Return whether a resource has to be confirmed."""
        return any(number in words.split() for words in self.unknown)


# Whoever has no directory for it has recorded nothing, and is not asked.
NOTHING = KnownResources([], [], [], False)


def known(
    record: LabRecord | None, instance: t.Mapping[str, t.Any] | None, group: SecurityGroup, key: KeyPair
) -> KnownResources:
    """Return which of an instance, its group and its key are recorded."""
    unknown, resources, begun = [], [], []
    if instance is not None:
        resources += resources_of_instance(instance)
        if record is None or not record.knows_instance(instance):
            view = facts_of(instance)
            unknown.append(f"machine {view['id']} ({view['type']}, {view['state']})")
    if group.id:
        resources.append({"kind": GROUP, "id": group.id})
        if record is None or not (record.knows(GROUP, group.id) or _was_begun(record, group)):
            unknown.append(f"security group {group.id} ({group.name}: {rules_text(group.rules) or 'lets nobody in'})")
    else:
        begun.append(begun_name(group))
    # Its public half is that of the private key here, so it can be nobody else's.
    if key.id:
        resources.append({"kind": KEY, "id": key.id})
    new = record is None or any(not record.knows(one["kind"], one["id"]) for one in resources)
    return KnownResources(unknown, resources, begun, new or any(name not in record.begun for name in begun if record))


def ids_before(record: LabRecord | None, group: SecurityGroup, key: KeyPair) -> list[str]:
    """Return the ids of what may be left of an earlier run; a failure of this one must not take it away.

    Schedules are for an instance, and of no use once that is gone.
    """
    made = record.made if record else {}
    ids = [number for kind in made if kind not in (SCHEDULES, ROLE) for number in made[kind]]
    return [number for number in dict.fromkeys([*ids, group.id, key.id]) if number]


def begun_name(group: SecurityGroup) -> str:
    """Return how a group that is about to be made is recorded."""
    return f"{group.vpc_id}/{group.name}"


def _was_begun(record: LabRecord, group: SecurityGroup) -> bool:
    """Return whether a group is of a run that stopped after creating and before recording it: it is as we make it."""
    return begun_name(group) in record.begun and not record.ids(GROUP) and not group.foreign
