# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this computer records of a lab on EC2 that it made: whose account, and the id of each resource.

Tags say what a resource claims to be, and others in the account may set them. Ids say what was made here.
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import Caller, tags_of
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.files import open_directory, read_below, write_beside
from ansible_collections.desi.lab.plugins.module_utils._ec2.key_pair import KeyPair
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import facts_of
from ansible_collections.desi.lab.plugins.module_utils._ec2.security_group import SecurityGroup, rules_text

FILE = "made.json"
MACHINE, REQUEST, DISK, GROUP, KEY = "machine", "spot request", "disk", "security group", "key pair"
SCHEDULES, ROLE = "schedule group", "role"
KINDS = (MACHINE, REQUEST, DISK, GROUP, KEY, SCHEDULES, ROLE)
_LIMIT = 256 * 1024
_TEXT = re.compile(r"[\w.:/=+@,-]{0,512}")
_TEXTS = ("account", "partition", "arn", "region", "name", "owner")
_LISTS = ("tokens", "begun")

Resource = t.Mapping[str, t.Any]
Ids = t.Mapping[str, t.Tuple[str, ...]]  # noqa: UP006 - evaluated by Python 3.9, too


@dataclass(frozen=True)
class LabRecord:
    """The record of a lab. ``tokens`` are those of launches, ``begun`` the groups about to be made."""

    account: str
    partition: str
    arn: str
    region: str
    name: str
    owner: str
    made: Ids = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()

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

    def knows_instance(self, machine: Resource) -> bool:
        """Return whether an instance was made here. A launch whose answer was lost is known by its token."""
        token = str(machine.get("ClientToken") or "")
        return self.knows(MACHINE, str(machine.get("InstanceId") or "")) or bool(token and token in self.tokens)

    def with_resources(self, things: t.Iterable[t.Mapping[str, str]]) -> LabRecord:
        """Return the record with more resources, each a kind and an id."""
        made = {kind: list(ids) for kind, ids in self.made.items()}
        for thing in things:
            ids = made.setdefault(str(thing["kind"]), [])
            if thing["id"] not in ids:
                ids.append(str(thing["id"]))
        return replace(self, made={kind: tuple(ids) for kind, ids in made.items()})

    def check(self, caller: Caller, region: str = "") -> None:
        """Refuse another account, partition or region than the lab was made in.

        What they do not know of is not gone.
        """
        same = (caller.account, caller.partition) == (self.account, self.partition)
        if same and region in ("", self.region):
            return
        where = f" and region {region}" if same else ""
        raise LabError(
            f"The lab {self.name} in {self.region} cannot be seen with these credentials.",
            f"It was made by {self.maker}. Who asks now is {caller.words}{where}, where nothing is known of it.",
            "Use the credentials that it was made with, for example AWS_PROFILE=NAME in front of the same command. "
            "Nothing was changed, neither at AWS nor here",
        )


def begin(caller: Caller, region: str, name: str, owner: str) -> LabRecord:
    """Return the record of a lab before anything is made."""
    return LabRecord(caller.account, caller.partition, caller.arn, region, name, owner)


def read(folder: str) -> LabRecord | None:
    """Return the record in the directory of a lab; None where there is none."""
    if not folder or not Path(folder).is_dir():
        return None
    descriptor = open_directory(folder)
    try:
        content = read_below(descriptor, FILE, _LIMIT)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(folder, str(error)) from error
    finally:
        os.close(descriptor)
    return parse(content, folder)


def parse(content: bytes, folder: str = "") -> LabRecord:
    """Parse a record, and refuse whatever is not of its shape."""
    try:
        found = json.loads(content)
        given: dict[str, t.Any] = {key: _text(found[key]) for key in _TEXTS}
        given.update({key: tuple(_text(one) for one in _list(found.get(key, []))) for key in _LISTS})
        made = found.get("made", {})
        if not isinstance(made, dict) or not set(made) <= set(KINDS):
            raise ValueError("made")
        given["made"] = {kind: tuple(_text(one) for one in _list(ids)) for kind, ids in made.items()}
        return LabRecord(**given)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(folder, "it is damaged") from error


def _text(value: t.Any) -> str:  # noqa: ANN401 - whatever JSON has
    if not isinstance(value, str) or not _TEXT.fullmatch(value):
        raise ValueError(value)
    return value


def _list(value: t.Any) -> list[t.Any]:  # noqa: ANN401 - whatever JSON has
    if not isinstance(value, list) or len(value) > 10_000:
        raise ValueError("list")
    return value


def _unreadable(folder: str, why: str) -> LabError:
    return LabError(
        "What this computer remembers of the lab cannot be read.",
        f"{Path(folder, FILE)}: {why}.",
        "Put the file back from a backup, or move it away: then it is asked what belongs to the lab",
    )


def write(folder: str, memory: LabRecord) -> None:
    """Write the record into the directory of a lab, which exists."""
    descriptor = open_directory(folder)
    try:
        write_beside(descriptor, FILE, (json.dumps(asdict(memory), indent=1, sort_keys=True) + "\n").encode())
    finally:
        os.close(descriptor)


class LaunchRecord:
    """Record a launch while it is under way. Without a directory all is known and nothing written."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder
        self.memory = read(folder)

    def knows(self, machine: Resource) -> bool:
        """Return whether an instance was launched from here."""
        return not self.folder or bool(self.memory and self.memory.knows_instance(machine))

    def add_launch(self, token: str) -> None:
        """Record a launch before it is asked for."""
        if self.memory and token not in self.memory.tokens:
            self._keep(replace(self.memory, tokens=(*self.memory.tokens, token)))

    def drop_launch(self, token: str) -> None:
        """Forget a launch: its token turned out to be that of somebody else's request."""
        if self.memory:
            self._keep(replace(self.memory, tokens=tuple(one for one in self.memory.tokens if one != token)))

    def add_instance(self, machine: Resource) -> None:
        """Record an instance, its disks and its spot request."""
        if self.memory:
            self._keep(self.memory.with_resources(resources_of_instance(machine)))

    def _keep(self, memory: LabRecord) -> None:
        if memory != self.memory:
            write(self.folder, memory)
            self.memory = memory


def resources_of_instance(machine: Resource) -> list[dict[str, str]]:
    """Return an instance and what it brings along, as with_resources takes them."""
    found = [(MACHINE, machine.get("InstanceId")), (REQUEST, machine.get("SpotInstanceRequestId"))]
    found += [(DISK, (row.get("Ebs") or {}).get("VolumeId")) for row in machine.get("BlockDeviceMappings") or []]
    return [{"kind": kind, "id": str(number)} for kind, number in found if number]


def knows_resource(memory: LabRecord | None, kind: str, thing: Resource, local_key: str = "") -> bool:
    """Return whether a resource, as the EC2 API describes it, is one that was made here or belongs to one."""
    if memory is None:
        return False
    machines = [str(item.get("InstanceId") or "") for item in thing.get("Attachments") or []]
    machines += [str((thing.get("Attachment") or {}).get("InstanceId") or ""), str(thing.get("InstanceId") or "")]
    by_machine = any(memory.knows(MACHINE, number) for number in machines)
    if kind == MACHINE:
        return memory.knows_instance(thing)
    if kind == GROUP:
        return memory.knows(GROUP, str(thing.get("GroupId") or ""))
    if kind == KEY:
        material = " ".join(str(thing.get("PublicKey") or "").split()[:2])
        return memory.knows(KEY, str(thing.get("KeyPairId") or "")) or bool(local_key and material == local_key)
    if kind == "snapshot":
        return memory.knows(DISK, str(thing.get("VolumeId") or ""))
    if kind == SCHEDULES:
        return memory.knows(SCHEDULES, str(thing.get("Name") or ""))
    number = {DISK: "VolumeId", REQUEST: "SpotInstanceRequestId"}.get(kind, "")
    return by_machine or memory.knows(kind, str(thing.get(number) or ""))


def legacy_owner_note(caller: Caller, owner: str) -> list[str]:
    """Return a note on a lab whose owner tag is that of DESI Lab 0.1.0."""
    if owner != caller.former:
        return []
    return [
        f"This lab was made by DESI Lab 0.1.0, whose tags call you {owner}. A policy cannot tell by that name whose it "
        "is: docs/iam-policy.json does not let sessions of roles change it any more. Make it anew when you can."
    ]


def owner_of_lab(caller: Caller, things: t.Iterable[Resource]) -> str:
    """Return the owner of a lab: the caller, or as DESI Lab 0.1.0 named the caller if all its tags say so."""
    found = {tags_of(thing).get("desi-lab:owner", "") for thing in things}
    return caller.former if caller.former in found and caller.owner not in found and caller.former else caller.owner


Resources = t.List[t.Dict[str, str]]  # noqa: UP006 - evaluated by Python 3.9, too


class KnownResources(t.NamedTuple):
    """``unknown`` is what has to be asked for, in words; ``things`` is what is to be recorded once that is done.

    ``begun`` are groups that are about to be made.
    """

    unknown: list[str]
    things: Resources
    begun: list[str]
    new: bool

    def of(self, number: str) -> bool:
        """Return whether a resource is one that has to be asked for."""
        return any(number in words.split() for words in self.unknown)


# Whoever has no directory for it has recorded nothing, and is not asked.
NOTHING = KnownResources([], [], [], False)


def known(
    memory: LabRecord | None, instance: t.Mapping[str, t.Any] | None, group: SecurityGroup, key: KeyPair
) -> KnownResources:
    """Return which of an instance, its group and its key are recorded."""
    unknown, things, begun = [], [], []
    if instance is not None:
        things += resources_of_instance(instance)
        if memory is None or not memory.knows_instance(instance):
            view = facts_of(instance)
            unknown.append(f"machine {view['id']} ({view['type']}, {view['state']})")
    if group.id:
        things.append({"kind": GROUP, "id": group.id})
        if memory is None or not (memory.knows(GROUP, group.id) or _was_begun(memory, group)):
            unknown.append(f"security group {group.id} ({group.name}: {rules_text(group.rules) or 'lets nobody in'})")
    else:
        begun.append(begun_name(group))
    # Its public half is that of the private key here, so it can be nobody else's.
    if key.id:
        things.append({"kind": KEY, "id": key.id})
    new = memory is None or any(not memory.knows(one["kind"], one["id"]) for one in things)
    return KnownResources(unknown, things, begun, new or any(name not in memory.begun for name in begun if memory))


def begun_name(group: SecurityGroup) -> str:
    """Return how a group that is about to be made is recorded."""
    return f"{group.vpc_id}/{group.name}"


def _was_begun(memory: LabRecord, group: SecurityGroup) -> bool:
    """Return whether a group is the one of a run that ended between making it and remembering it: as we make it."""
    return begun_name(group) in memory.begun and not memory.ids(GROUP) and not group.foreign
