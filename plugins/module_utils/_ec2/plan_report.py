# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report a plan for a lab on EC2, for people and for later tasks."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from .._aws.pricing import cost_line, hour_text
from .._aws.tags import ACCESS_TAG, OS_TAG, PORT_TAG, RELEASE_TAG, lab_tags
from .._common.humanize import amount, stops_when
from .ami import USERS
from .discovery import LabSpec
from .expiry import group_name
from .instance import Instance, outdated_tags
from .plan import Plan
from .record import ids_before
from .security_group import SecurityGroup, rules_text
from .workers_plan import changes as worker_changes
from .workers_plan import cost_text as worker_cost
from .workers_plan import memory_of


def rules_change(group: SecurityGroup) -> str:
    """Return how the rules of a group that is there change; empty where they do not."""
    words = []
    if not group.id:
        return ""
    if group.opened and group.closed:
        words = [f"{rules_text(group.opened)} instead of {rules_text(group.closed)}"]
    elif group.opened:
        words = [f"lets in {rules_text(group.opened)}"]
    elif group.closed:
        words = [f"no longer lets in {rules_text(group.closed)}"]
    return ", ".join([*words, *group.also])


def to_make(plan: Plan) -> list[str]:
    """Return the resources that are missing, in words."""
    made = []
    if plan.key.action != "keep":
        made.append(f"key pair {plan.key.name}")
    if not plan.group.id:
        made.append(f"security group {plan.group.name}: {rules_text(plan.group.rules)}")
    if not plan.instance.is_there:
        spot = ", spot or else on demand" if _is_spot(plan) else ""
        made.append(f"{' or else '.join(plan.costs)}{spot}, {plan.disk_gib} GiB encrypted")
    return made + worker_changes(plan.workers)[0]


def _is_spot(plan: Plan) -> bool:
    return any(attempt.spot for attempt in plan.draft.attempts[:1]) or plan.instance.market == "spot"


def instance_text(instance: Instance) -> str:
    disk = f", {instance.disk_gib} GiB" if instance.disk_gib else ""
    return f"{instance.type} {instance.id}{disk}"


def to_change(plan: Plan) -> list[str]:
    """Return the changes of existing resources, in words."""
    change = rules_change(plan.group)
    return [f"security group {plan.group.name}: {change}"] if change else []


def kept(plan: Plan) -> list[str]:
    """Return what stays as it is."""
    stays = []
    if plan.key.action == "keep":
        stays.append(f"key pair {plan.key.name}")
    if plan.group.id and not plan.group.changes and not plan.known.of(plan.group.id):
        stays.append(f"security group {plan.group.name}: {rules_text(plan.group.rules)}")
    if plan.instance.is_there and not plan.instance.starts and not plan.known.of(plan.instance.id):
        stays.append(instance_text(plan.instance))
    if plan.workers.kept:
        stays.append(amount(len(plan.workers.kept), "Dask worker"))
    return stays


def started(plan: Plan) -> list[str]:
    return [instance_text(plan.instance)] if plan.instance.starts else []


def lines(spec: LabSpec, plan: Plan, account: str) -> list[dict[str, str]]:
    """Return the lines of the plan for people."""
    rows = [("Plan", [f'for lab "{spec.name}" in {spec.region} (account …{account[-4:]}, user {plan.draft.who})'])]
    rows += [("ask", [f"{words}: not made from this computer as far as it knows" for words in plan.known.unknown])]
    rows += [("make", to_make(plan)), ("start", started(plan)), ("change", to_change(plan)), ("keep", kept(plan))]
    rows += [("end", worker_changes(plan.workers)[1])]
    report = [{"label": label, "text": " · ".join(texts), "about": ""} for label, texts in rows if texts]
    report.append(cost_line(plan.costs, _is_spot(plan)))
    longest = None if "max_hours" in spec.unknown_limits else spec.max_hours
    beside = worker_cost(plan.workers, next(iter(plan.costs.values())).hour, longest)
    report += [{"label": "workers", "text": beside, "about": ""}] if beside else []
    stops = stops_when(spec.idle_minutes, spec.max_hours, spec.unknown_limits)
    report.append({"label": "safety", "text": stops, "about": ""})
    return report + [{"label": "note", "text": note, "about": ""} for note in plan.notes]


def result(spec: LabSpec, plan: Plan, account: str) -> dict[str, t.Any]:
    """Return the plan as later tasks need it."""
    rows = lines(spec, plan, account)
    beside = next((row["text"] for row in rows if row["label"] == "workers"), "")
    cost = next(row for row in rows if row["label"] == "cost")
    first = next(iter(plan.costs.values()))
    owner, group = plan.draft.owner, plan.group
    tags = {OS_TAG: spec.os, RELEASE_TAG: spec.release.lower(), ACCESS_TAG: spec.access, PORT_TAG: str(spec.port)}
    # That of the instance's own system, where there is an instance.
    user = USERS.get(plan.instance.os) or USERS[spec.os]
    return {
        "owner": owner,
        "tags": lab_tags(spec.name, owner),
        "machine_tags": tags,
        "key": {
            "name": plan.key.name,
            "id": plan.key.id,
            "action": plan.key.action,
            "import": plan.key.action != "keep",
        },
        "group": {
            "name": group.name,
            "id": group.id,
            "vpc_id": group.vpc_id,
            "description": group.description,
            "rules": [rule.as_task() for rule in group.rules],
            "rules_egress": [rule.as_task() for rule in group.egress_rules],
            "how": rules_change(group) or rules_text(group.rules),
            "changes": group.changes,
        },
        "machine": {
            **{key: value for key, value in plan.instance._asdict().items() if key not in ("group_ids", "tags")},
            "group_ids": list(plan.instance.group_ids),
            "retag": outdated_tags(plan.instance, tags),
        },
        "image": {"id": plan.image.id, "root_device": plan.image.root_device, "user": user},
        "launch": {"attempts": [asdict(attempt) for attempt in plan.draft.attempts], "disk_gib": plan.disk_gib},
        "cost": {
            **first._asdict(),
            "text": hour_text(plan.costs, _is_spot(plan)),
            "about": cost["about"],
            "types": {name: each.hour for name, each in plan.costs.items()},
        },
        "notes": plan.notes,
        "lines": rows,
        "schedules": group_name(owner, spec.name),
        "wider": plan.wider,
        "unknown": plan.known.unknown,
        "record": {
            "things": plan.known.resources,
            "begun": plan.known.begun,
            "new": plan.known.new,
            "before": ids_before(spec.record, group, plan.key),
        },
        "workers": {
            "number": plan.workers.number,
            "recorded": (spec.record.workers if spec.record else None) or 0,
            "launched": plan.workers.launched,
            "ended": list(plan.workers.ended),
            "type": plan.workers.type,
            "memory": memory_of(
                spec.worker_memory,
                plan.workers.type,
                spec.record.worker_memory if spec.record else "",
                spec.record.worker_type if spec.record else "",
            ),
            "markets": list(plan.workers.markets),
            "vcpus": plan.workers.vcpus,
            "disk_gib": plan.workers.disk_gib,
            "notes": list(plan.workers.notes),
            "text": beside,
        },
        "changes": [
            *to_make(plan),
            *(f"start {text}" for text in started(plan)),
            *to_change(plan),
            *(f"end {text}" for text in worker_changes(plan.workers)[1]),
        ],
    }
