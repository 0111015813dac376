# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is made, started, changed or kept for a lab on EC2, from the state of the account."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._aws.permissions import DryRunTargets
from .._aws.pricing import Cost, Prices, cost_of, from_table, joined
from .._aws.tags import Caller, as_tag_list, is_ours, lab_tags
from .._common.errors import LabError
from . import instance as instances
from . import instance_types as types
from . import security_group as groups
from . import subnets as network
from .allowed_cidrs import Allowed, allowed
from .ami import Image, check_disk, disk_of, image_id, read_image
from .discovery import AccountState, LabSpec
from .instance import Instance
from .key_pair import KeyPair, check_public_key, plan_key_pair
from .quotas import within_quota
from .record import NOTHING, KnownResources, known, legacy_owner_note, owner_of_lab
from .run_instances import Attempt, InstanceSpec, run_parameters
from .workers import SCHEDULER_PORTS
from .workers_plan import Need, WorkersPlan

ROOT_NOTE = (
    "You are the root user of this account, who may do everything and cannot be limited. "
    "A user with docs/iam-policy.json would do."
)


NO_WORKERS = WorkersPlan()


@dataclass
class Draft:
    """What is decided from the first round of queries, and what the second depends on."""

    owner: str
    instance: t.Mapping[str, t.Any] | None
    kinds: list[types.InstanceType] = field(default_factory=list)
    usable_subnets: list[network.Subnet] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    image_id: str = ""
    notes: list[str] = field(default_factory=list)
    who: str = ""

    @property
    def vpc_id(self) -> str:
        return str(self.instance.get("VpcId") or "") if self.instance else self.usable_subnets[0].vpc_id


@dataclass(frozen=True)
class Plan:
    draft: Draft
    instance: Instance
    key: KeyPair
    group: groups.SecurityGroup
    image: Image
    disk_gib: int
    costs: dict[str, Cost]
    notes: list[str]
    known: KnownResources
    wider: list[str]
    workers: WorkersPlan = NO_WORKERS


def check(spec: LabSpec) -> None:
    """Refuse settings that cannot work, before AWS is asked."""
    types.check_names(spec.instance_types)
    check_disk(spec.disk_gib)
    check_public_key(spec.public_key)
    groups.check_name(spec.security_group)
    # Whatever the own address is, it is an address.
    allowed(spec.allow_from, "192.0.2.1")
    if spec.access == "direct" and spec.port == groups.SSH_PORT:
        why = "SSH has that port on the machine already."
        raise LabError("The lab cannot be reached at port 22.", why, "choose another: -e lab_port=8888")
    if spec.worker_type:
        types.check_names([spec.worker_type])


def begin(spec: LabSpec, seen: AccountState, endpoint: str | None = None) -> Draft:
    """Decide the owner, and find the instance. ``endpoint`` is what answers in the place of AWS, None if unknown."""
    caller = Caller(seen.arn, seen.account, seen.user_id)
    if spec.record is not None:
        spec.record.check(caller, spec.region, endpoint)
    if not caller.owner:
        why = f"AWS calls you {seen.arn.rpartition(':')[2] or 'nothing'}, which names nobody."
        raise LabError("Whose the lab is cannot be told.", why, "use the credentials of a user or of a role")
    owner = spec.record.owner if spec.record else owner_of_lab(caller, instances.alive(seen.named))
    instance = instances.lab_instance(seen.named, spec.name, owner, spec.record)
    others = instances.other_instances(seen.named, spec.name, owner, spec.record)
    root = [ROOT_NOTE] if owner == "root" else []
    return Draft(owner, instance, notes=[*others, *root, *legacy_owner_note(caller, owner)], who=caller.name)


def place(spec: LabSpec, seen: AccountState, draft: Draft, cidrs: t.Sequence[str] = ()) -> None:
    """Decide where an instance may be launched, and from what image; ``cidrs`` are those that may reach it over SSH."""
    data = str(spec.needs.get("data", ""))
    if data.startswith("/"):
        raise LabError(
            f"The lab {spec.name} cannot be made with lab_data={data}.",
            "Its machine is made anew, and has no data of yours.",
            "leave lab_data out, which streams the data. Once the machine has yours, run this again with lab_data",
        )
    names = list(dict.fromkeys(spec.instance_types))
    kinds = types.chosen(names, map(types.read_instance_type, seen.types), seen.all_types, spec.region)
    types.check_image(kinds[0], spec.image)
    first = kinds[0].architecture
    alike = [kind for kind in kinds if kind.architecture == first]
    for kind in alike:
        types.check_needs(kind, spec.needs)
    draft.notes += [
        f"{kind.name} is left out: its processor is {kind.architecture}, that of {kinds[0].name} is {first}."
        for kind in kinds
        if kind not in alike
    ]
    vpc_id = network.usable_subnets(spec.subnet, seen.vpcs, seen.subnets, spec.region)[0].vpc_id
    here = [subnet for subnet in seen.subnets if subnet.get("VpcId") == vpc_id]
    ways_in = [(int(rule.first or 0), rule.peer) for rule in groups.ingress_rules(spec.access, spec.port, cidrs)]
    public = network.reachable(here, seen.tables, seen.acls, ways_in, spec.subnet)
    draft.usable_subnets = network.usable_subnets(spec.subnet, seen.vpcs, public, spec.region)
    every = network.attempts(alike, seen.offered, draft.usable_subnets, spec.spot)
    draft.notes += network.unavailable_types(alike, every)
    by_name = {kind.name: kind for kind in alike}
    draft.attempts, left_out = within_quota(every, by_name, seen.quotas, seen.running, spec.region)
    draft.notes += left_out
    tried = [attempt.type for attempt in draft.attempts]
    # In the order in which they are tried: the first most likely will run.
    draft.kinds = [by_name[name] for name in dict.fromkeys(tried)]
    draft.image_id = image_id(spec.os, first, seen.parameters, spec.region)


def dry_run_targets(spec: LabSpec, seen: AccountState, draft: Draft) -> DryRunTargets:
    """Return what dry runs are made with. A launch is tried without key and group, which may not exist yet."""
    instance, launch = draft.instance or {}, {}
    tags = as_tag_list(lab_tags(spec.name, draft.owner))
    if draft.instance is None:
        requested = InstanceSpec(spec.name, draft.owner, (), draft.image_id, "/dev/xvda", spec.disk_gib, "", "")
        launch = run_parameters(requested, draft.attempts[0], 0)
        for name in ("KeyName", "ClientToken"):
            launch.pop(name, None)
        launch["NetworkInterfaces"][0].pop("Groups", None)
    attached = instances.read_instance(draft.instance).group_ids
    group = groups.lab_group(spec.name, draft.owner, spec.security_group, seen.groups, draft.vpc_id, attached)
    key = next((key for key in seen.keys if is_ours(key, spec.name, draft.owner)), {})
    return DryRunTargets(
        launch,
        tags,
        draft.vpc_id,
        spec.public_key,
        str(instance.get("InstanceId") or ""),
        str(group.get("GroupId") or ""),
        str(key.get("KeyName") or ""),
    )


def check_start(spec: LabSpec, seen: AccountState, instance: Instance) -> None:
    """Refuse to start an instance for which the account's quota has no room."""
    kind = next((kind for kind in map(types.read_instance_type, seen.types) if kind.name == instance.type), None)
    if instance.starts and kind is not None:
        attempt = Attempt(instance.type, instance.zone, instance.subnet_id, instance.market)
        within_quota([attempt], {kind.name: kind}, seen.quotas, seen.running, spec.region)


def group_of(spec: LabSpec, seen: AccountState, draft: Draft, let_in: Allowed) -> groups.SecurityGroup:
    """Return the security group to use."""
    return groups.plan_security_group(
        spec.name,
        draft.owner,
        spec.security_group,
        seen.groups,
        draft.vpc_id,
        groups.ingress_rules(spec.access, spec.port, let_in.cidrs),
        instances.read_instance(draft.instance).group_ids,
        seen.account,
    )


def workers_need(spec: LabSpec, seen: AccountState, draft: Draft, number: int) -> Need:
    """Return what is asked for of a number of workers."""
    if spec.access == "direct" and spec.port in SCHEDULER_PORTS and number:
        why = "The scheduler of its workers has that port on the machine."
        raise LabError(f"The lab cannot be reached at port {spec.port}.", why, "choose another: -e lab_port=8888")
    instance = instances.read_instance(draft.instance)
    there = instance.is_there
    return Need(
        spec.name,
        number,
        spec.worker_type,
        instance.type if there else draft.kinds[0].name,
        not there or instance.starts,
        [instance.zone] if there else list(dict.fromkeys(attempt.zone for attempt in draft.attempts)),
        0 if there else read_image(draft.image_id, seen.images).least_gib,
        spec.region,
        spec.record.worker_type if spec.record else "",
    )


def decide(spec: LabSpec, seen: AccountState, draft: Draft, let_in: Allowed, workers: WorkersPlan = NO_WORKERS) -> Plan:
    """Return the plan, when all questions are answered."""
    instance = instances.read_instance(draft.instance, seen.volumes)
    key = plan_key_pair(spec.name, draft.owner, spec.public_key, seen.keys, draft.instance)
    group = group_of(spec, seen, draft, let_in)
    wider = [group.foreign_rules_note] if group.foreign_rules_note else []
    if instance.is_there:
        check_start(spec, seen, instance)
        image = Image(instance.image_id, instance.root_device, 0)
        disk = instance.disk_gib or spec.disk_gib
        names = [instance.type]
        notes = instances.differences(instance, spec.instance_types, spec.disk_gib, spec.os, spec.subnet)
        if group.id not in instance.group_ids:
            notes.append(f"The machine is not in the security group {group.name} of this lab; its own is not changed.")
        beside = groups.own_workers_group(spec.name, draft.owner, seen.groups)
        more = [one for one in instance.group_ids if one not in (group.id, beside)]
        if group.id in instance.group_ids and more:
            wider.append(f"The machine has more security groups, which may let others in: {', '.join(more)}.")
    else:
        image = read_image(draft.image_id, seen.images)
        disk = disk_of(spec.disk_gib, image)
        names = [kind.name for kind in draft.kinds]
        notes = types.notes(draft.kinds[0], disk, spec.release, spec.region)
        if disk > spec.disk_gib:
            notes.append(f"The disk is {disk} GiB, because the system's image is no smaller.")
    prices = joined(Prices(seen.type_prices, seen.disk_price, None), from_table(spec.prices, spec.region, names))
    costs = {name: cost_of(name, disk, prices) for name in names}
    said = [*draft.notes, *key.notes, *group.notes, *wider, *notes, *workers.notes, *let_in.notes, *seen.notes]
    about = known(spec.record, draft.instance, group, key) if spec.directory else NOTHING
    return Plan(draft, instance, key, group, image, disk, costs, list(dict.fromkeys(said)), about, wider, workers)
