# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide how many Dask workers of a lab are launched, kept and terminated, and what they cost."""

from __future__ import annotations

import math
import typing as t
from collections import Counter

from .._aws.error_messages import quota_increase
from .._aws.pricing import Prices, cost_of, money
from .._aws.tags import is_ours, is_worker
from .._common.errors import LabError
from .._common.humanize import amount
from .instance_types import GIB, InstanceType
from .quotas import class_of, code_of, in_use
from .run_instances import RUNS, facts_of, state_of
from .subnets import ON_DEMAND, SPOT

# As many as the lab was last given.
UNCHANGED = -1
# The system and the image of a lab, beside what spills from memory, which is at most as much again.
SYSTEM_GIB, LEAST_GIB = 14, 30

Rows = t.Sequence[t.Mapping[str, t.Any]]


class Alike(t.NamedTuple):
    """Workers of one type, and what one of them costs an hour, None if that is not known."""

    number: int
    type: str
    hour: float | None


class WorkersPlan(t.NamedTuple):
    """The workers of a lab: the desired number, which stay, are terminated or launched, their type and markets.

    ``type`` is that of those that come, or else of those that there are; ``alike`` are all that there are to be.
    """

    number: int = 0
    kept: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    launched: int = 0
    type: str = ""
    vcpus: int = 0
    markets: tuple[str, ...] = ()
    disk_gib: int = LEAST_GIB
    alike: tuple[Alike, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def hour(self) -> float | None:
        """Return what all of them cost an hour, None if that is not known."""
        hours = [(one.number, one.hour) for one in self.alike]
        known = [number * hour for number, hour in hours if hour is not None]
        return round(sum(known), 4) if len(known) == len(hours) else None

    @property
    def words(self) -> str:
        """Return how many of which types."""
        return " and ".join(f"{one.number} x {one.type}" for one in self.alike)


def lab_workers(instances: Rows, name: str, owner: str) -> list[t.Mapping[str, t.Any]]:
    """Return the workers of a lab that run or begin to, the oldest first."""
    found = [one for one in instances if is_worker(one) and is_ours(one, name, owner) and state_of(one) in RUNS]
    return sorted(found, key=lambda one: (facts_of(one)["launched"], facts_of(one)["id"]))


def number_of(asked: int, recorded: int | None, existing: int) -> int:
    """Return the desired number of workers: the requested one, else the recorded one, else the existing one.

    Those of a lab that is stopped are gone, and so are spot machines that AWS took back.
    """
    return asked if asked != UNCHANGED else existing if recorded is None else recorded


def memory_of(asked: str, kind: str, recorded: str, recorded_type: str) -> str:
    """Return the memory of each worker as somebody says, or as those of the same type were last given; else empty."""
    # As the record can have it.
    return "".join(asked.split()) or (recorded if kind == recorded_type else "")


class Need(t.NamedTuple):
    """The request: a number of workers, and their type. ``lab`` is the lab's own type, the default of workers.

    ``launches_lab`` tells whether a machine of it is launched, too, ``zones`` are those where the lab can be, and
    ``image_gib`` is the least that a disk of its image has.
    """

    name: str
    number: int
    type: str
    lab: str
    launches_lab: bool
    zones: t.Sequence[str]
    image_gib: int
    region: str
    recorded_type: str = ""


class Facts(t.NamedTuple):
    """The facts from AWS: types by name, the zones of each, quotas by code, instances that count, and prices."""

    kinds: t.Mapping[str, InstanceType]
    offered: t.Mapping[str, t.Collection[str]]
    quotas: t.Mapping[str, float | None]
    running: Rows
    prices: Prices


def types_of(need: Need, existing: Rows) -> list[str]:
    """Return the types that a plan has to know of: that of workers to launch, the lab's, and those that there are."""
    there = [facts_of(one)["type"] for one in existing]
    requested = need.type or next(iter(there), "") or need.recorded_type or need.lab
    return list(dict.fromkeys([requested, need.lab, *there]))


def disk_of(kind: InstanceType | None, image_gib: int) -> int:
    """Return how large the disk of a worker is, in GiB; nobody keeps files on it."""
    memory = math.ceil(kind.memory_mib / GIB) if kind else 0
    return max(LEAST_GIB, image_gib, SYSTEM_GIB + memory)


def plan_workers(need: Need, existing: Rows, facts: Facts) -> WorkersPlan:
    """Return the plan; refuse what AWS cannot launch. ``existing`` are those of lab_workers."""
    ids = [facts_of(one)["id"] for one in existing]
    launched = max(0, need.number - len(ids))
    requested, stays = types_of(need, existing)[0], Counter(facts_of(one)["type"] for one in existing[: need.number])
    name = requested if launched else next(iter(stays), "") or need.recorded_type or requested
    kind, disk_gib = facts.kinds.get(name), disk_of(facts.kinds.get(name), need.image_gib)
    numbers = (Counter({name: launched}) if launched else Counter()) + stays
    found = WorkersPlan(
        need.number,
        tuple(ids[: need.number]),
        tuple(ids[need.number :]),
        launched,
        name,
        kind.vcpus if kind else 0,
        disk_gib=disk_gib,
        alike=tuple(
            Alike(number, each, cost_of(each, disk_of(facts.kinds.get(each), need.image_gib), facts.prices).hour)
            for each, number in numbers.items()
        ),
        notes=tuple(
            f"{amount(number, 'Dask worker')} {'stays' if number == 1 else 'stay'} {each}. To have {need.type} "
            "instead, end what there is first: -e lab_workers=0"
            for each, number in stays.items()
            if need.type and each != need.type
        ),
    )
    if not launched:
        return found
    if kind is None:
        raise LabError(
            f"{need.region} has no instance type {name} for workers.",
            "AWS does not know that name in this region.",
            "choose one that exists: -e lab_worker_type=m6i.xlarge, or leave it out",
        )
    check_fits(need, kind, facts)
    return found._replace(markets=tuple(_markets(need, kind, launched, facts)))


def check_fits(need: Need, kind: InstanceType, facts: Facts) -> None:
    """Refuse a type that cannot run what the lab runs, or is not offered where the lab is."""
    lab = facts.kinds.get(need.lab)
    if lab is not None and kind.architecture != lab.architecture:
        raise LabError(
            f"Workers of the type {kind.name} cannot run the image of the lab.",
            f"Their processor is {kind.architecture}, that of the lab's {lab.name} is {lab.architecture}.",
            f"choose a type like the lab's, for example -e lab_worker_type={lab.name}",
        )
    zones = sorted(facts.offered.get(kind.name, ()))
    if not set(zones) & set(need.zones):
        where = ", ".join(zones) or "no zone of the region"
        raise LabError(
            f"Workers of the type {kind.name} cannot be had where the lab is.",
            f"The lab is in {', '.join(need.zones)}, and the type is offered in {where}.",
            f"choose another type: -e lab_worker_type={need.lab}",
        )


def _markets(need: Need, kind: InstanceType, launched: int, facts: Facts) -> list[str]:
    """Return the markets whose quota has room for all of them; refuse if none has. Spot is the cheaper one."""
    room = {market: _room(need, kind, market, facts) for market in ([SPOT] if kind.spot else []) + [ON_DEMAND]}
    fitting = [market for market, fits in room.items() if fits is None or fits >= launched]
    if fitting:
        return fitting
    known = {market: fits for market, fits in room.items() if fits is not None}
    market = max(known, key=lambda one: (known[one], one == ON_DEMAND))
    most = known[market]
    code = code_of(kind.name, market)
    raise LabError(
        f"{amount(need.number, 'worker')} of the type {kind.name} exceed what this account may run.",
        f"In {need.region} its quota of {'spot ' * (market == SPOT)}machines of this kind ({class_of(kind.name)}, "
        f"quota {code}) has room for {most or 'none'} of the {launched} more that are needed, with "
        f"{amount(kind.vcpus, 'vCPU')} each.",
        f"say -e lab_workers={need.number - launched + most} · or choose a smaller type: -e lab_worker_type=… · or ask "
        f"for more (it takes a day or so): "
        f"{quota_increase(code, _used(need, code, facts) + launched * kind.vcpus, need.region)}",
    )


def _room(need: Need, kind: InstanceType, market: str, facts: Facts) -> int | None:
    """Return how many workers fit into a quota beside the lab's own machine, None if it is not known."""
    code = code_of(kind.name, market)
    limit = facts.quotas.get(code) if code else None
    return None if limit is None else max(0, int(limit - _used(need, code, facts)) // kind.vcpus)


def _used(need: Need, code: str, facts: Facts) -> int:
    """Return how much of a quota is in use once the lab's own machine runs."""
    vcpus = {name: each.vcpus for name, each in facts.kinds.items()}
    lab = vcpus.get(need.lab, 0) if need.launches_lab and code_of(need.lab, ON_DEMAND) == code else 0
    return in_use(code, facts.running, vcpus) + lab


def changes(plan: WorkersPlan) -> tuple[list[str], list[str]]:
    """Return what is launched, and what is terminated, in words."""
    spot = ", spot or else on demand" if SPOT in plan.markets else ""
    made = f"{amount(plan.launched, 'Dask worker')} {plan.type}{spot}, {plan.disk_gib} GiB encrypted"
    ended = f"{amount(len(plan.ended), 'Dask worker')} {', '.join(plan.ended)}"
    return [made] if plan.launched else [], [ended] if plan.ended else []


def cost_text(plan: WorkersPlan, lab_hour: float | None, hours: float | None) -> str:
    """Return what workers cost beside the lab, and both in the longest case; empty without workers.

    That is in ``hours``, 0 if nothing ends it, and None if that is not known.
    """
    if not plan.number:
        return ""
    if plan.hour is None:
        return f"{plan.words}, whose price is not known here"
    most = "at most " if plan.markets[:1] == (SPOT,) or plan.kept else ""
    text = f"{plan.words}, {most}{money(plan.hour)} USD an hour more"
    if lab_hour is None:
        return text
    both = plan.hour + lab_hour
    if hours is None:
        return f"{text} · with the lab {money(both)}"
    longest = (
        f", in {hours:g} h at most {money(both * hours)} USD" if hours > 0 else ", and nothing ends that by itself"
    )
    return f"{text} · with the lab {money(both)}{longest}"
