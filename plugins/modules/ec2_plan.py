#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_plan
short_description: Plan the AWS resources of a lab
version_added: "0.1.0"
description:
  - Queries in parallel the caller and the lab's resources. Where an instance has to be launched, also subnets, types,
    quotas, prices, and by dry runs whether everything is allowed; where one has to be started or rules change, whether
    that is. Asks well-known services for the caller's own address.
  - Then decides, once, what is to be made, started, changed or kept. Whatever comes later is read off the result.
  - Makes nothing. What cannot work is refused here, before anything is made.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.lab
  - desi.lab.aws.instance
  - desi.lab.attributes.info_module
options:
  access:
    description: How the lab is to be reached, which decides what its security group lets in.
    type: str
    choices: [tunnel, direct, https]
    default: tunnel
  port:
    description: The port of the lab. With O(access=direct) it is let in.
    type: int
    default: 8888
  allow_from:
    description: Who is let in, as addresses or ranges. V(auto) is the caller's own address.
    type: list
    elements: str
    default: [auto]
  address_services:
    description:
      - URLs of services that answer with the address they see. Two of them have to agree, or the only one that answers
        is believed.
      - They have to be asked by HTTPS. Only a service on this computer may be asked by HTTP, and answer with an address
        that means nothing on the internet.
    type: list
    elements: str
    required: true
  release:
    description: The data release, for the instance's tags and for what is said of its size.
    type: str
    default: edr
  key_file:
    description: The private key of the lab on this computer. There may be none yet.
    type: path
    default: ""
  prices:
    description:
      - A dated table of prices, for where AWS does not tell them.
      - It has C(date), C(ipv4_hour), and C(regions); each region has C(gib_month) and C(types).
    type: dict
    default: {}
  folder:
    description: The directory that keeps the lab's keys, and what is recorded of it.
    type: path
    default: ""
  idle_minutes:
    description: After how many idle minutes the instance is to stop by itself, which the plan says. V(0) means never.
    type: float
    default: 60
  image:
    description: The image of the lab. V(embedded) is refused for types on which it cannot be built.
    type: str
    default: ""
  workers:
    description:
      - How many Dask workers the lab is to have, each a machine of its own.
      - V(-1) is as many as it was last given, which is recorded in O(folder), or else as there are.
    type: int
    default: -1
  worker_type:
    description: Their instance type. Empty means that of those that there are or were, or the lab's.
    type: str
    default: ""
  worker_memory:
    description: The memory of each of their processes, such as V(2GiB). Empty means what they were last given.
    type: str
    default: ""
  needs:
    description:
      - What an instance that is launched has to have for the lab, as C(data), C(memory) such as V(8GiB), and C(cpus).
      - A path of data is refused, as no new instance has it, and so is a type with less of the others.
    type: dict
    default: {}
    version_added: "0.2.0"
  max_hours:
    description: After how many hours it is to stop in any case, which the plan says. V(0) means never.
    type: float
    default: 12
  unknown_limits:
    description: Which of O(idle_minutes) and O(max_hours) are not known, and left to the watcher of the lab's instance.
    type: list
    elements: str
    choices: [idle_minutes, max_hours]
    default: []
"""

EXAMPLES = r"""
- name: Plan a lab
  desi.lab.ec2_plan:
    name: desi
    instance_types: [t3.xlarge, t3a.xlarge]
    address_services: [https://checkip.amazonaws.com, https://api.ipify.org]
  register: plan

- name: Show the plan
  desi.lab.box:
    lines: "{{ plan.lines }}"
"""

RETURN = r"""
owner:
  description: Whose the lab is, as its tags say it.
  returned: success
  type: str
tags:
  description: The tags of everything that belongs to the lab.
  returned: success
  type: dict
machine_tags:
  description: The tags that its instance has beside them.
  returned: success
  type: dict
key:
  description:
    - The key pair that the lab is entered with, as C(name), C(id) and C(action).
    - "C(action) is V(keep), V(import) the local public key, or V(make) one and then import it; C(import) is whether one
      has to be imported."
  returned: success
  type: dict
group:
  description:
    - The security group, as C(name), C(id) (empty where it is to be made), C(vpc_id), C(description) and C(how) it
      changes.
    - C(rules) and C(rules_egress) are all that it is to have, as C(amazon.aws.ec2_security_group) takes them. What
      people added is among them. C(changes) is whether it has to be made or changed.
  returned: success
  type: dict
machine:
  description:
    - The instance, with C(state), C(id), C(address), C(private_address), C(type), C(zone), C(market), C(launched),
      C(os), C(key_name),
      C(image_id), C(root_device), C(vpc_id), C(subnet_id), C(group_ids), C(volume_id) and C(disk_gib) (0 where that is
      not known).
    - Where there is none, C(state) is V(absent) and all else is empty. C(retag) has the tags that are out of date.
  returned: success
  type: dict
image:
  description:
    - The image that an instance is launched from, or was, as C(id), C(root_device), and the C(user) that SSH enters as.
  returned: success
  type: dict
launch:
  description:
    - How an instance is launched. C(disk_gib) is the size of its disk, and C(attempts) are those of
      M(desi.lab.ec2_launch), the best first; empty where there is an instance.
  returned: success
  type: dict
cost:
  description:
    - What the instance costs in USD, an C(hour) running with its address and disk, and a month stopped
      (C(month_stopped)). Null where that is not known. C(types) has an hour of each type.
    - C(date) and C(source) are of the prices; C(text) and C(about) say it for people.
  returned: success
  type: dict
notes:
  description: What there is to know, as sentences.
  returned: success
  type: list
  elements: str
lines:
  description: The plan for people, as M(desi.lab.box) takes it.
  returned: success
  type: list
  elements: dict
wider:
  description: Who is let in by rules that DESI Lab did not make, as sentences.
  returned: success
  type: list
  elements: str
workers:
  description:
    - The lab's Dask workers. C(number) is how many there are to be, C(launched) how many of them come, C(ended) has
      the ids of those that go, C(type) is the instance type of those that come, or else of those that stay, with its
      C(vcpus), C(disk_gib) is the size of their disk, C(markets) are where they are asked for, C(text) says what they
      cost, and C(notes) whose type is not the one that was asked for. C(recorded) is how many it was last given, and
      C(memory) is that of each process; empty for a share.
  returned: success
  type: dict
unknown:
  description:
    - What has the tags of the lab and is not recorded as made from this computer, in words. It has to be asked for
      before it is used. Empty without O(folder).
  returned: success
  type: list
  elements: str
schedules:
  description: What the group of the lab's schedules is called.
  returned: success
  type: str
record:
  description:
    - What to record of the lab once O(folder) is confirmed. C(things) and C(begun) are those of M(desi.lab.ec2_record),
      and C(new) is whether any of it is not recorded yet. C(before) has the ids of what may be left of earlier runs.
  returned: success
  type: dict
changes:
  description: What would be made, started or changed, in words. Where it is empty there is nothing to ask.
  returned: success
  type: list
  elements: str
"""

import typing as t
from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.account import Account, account_of
from ..module_utils._aws.permissions import judge, needed
from ..module_utils._common.errors import failing
from ..module_utils._ec2.allowed_cidrs import AddressQuery, allowed, needs_own_address
from ..module_utils._ec2.deletion_proof import with_recorded
from ..module_utils._ec2.discovery import AccountState, Discovery, LabSpec
from ..module_utils._ec2.instance import alive
from ..module_utils._ec2.plan import Draft, begin, check, decide, dry_run_targets, group_of, place, workers_need
from ..module_utils._ec2.plan_report import result
from ..module_utils._ec2.record import INSTANCE, endpoint_of, read
from ..module_utils._ec2.resources import ResourceQuery
from ..module_utils._ec2.run_instances import state_of
from ..module_utils._ec2.workers_plan import UNCHANGED, WorkersPlan, lab_workers, number_of, plan_workers, types_of
from ..module_utils._ssh.first_contact import usable_half

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "access": {"type": "str", "choices": ["tunnel", "direct", "https"], "default": "tunnel"},
    "port": {"type": "int", "default": 8888},
    "instance_types": {"type": "list", "elements": "str", "default": ["t2.micro"]},
    "disk_gib": {"type": "int", "default": 30},
    "os": {"type": "str", "choices": ["amazon", "ubuntu"], "default": "amazon"},
    "allow_from": {"type": "list", "elements": "str", "default": ["auto"]},
    "address_services": {"type": "list", "elements": "str", "required": True},
    "security_group": {"type": "str", "default": "jupyter"},
    "subnet": {"type": "str", "default": ""},
    "spot": {"type": "bool", "default": False},
    "release": {"type": "str", "default": "edr"},
    "key_file": {"type": "path", "default": ""},
    "prices": {"type": "dict", "default": {}},
    "folder": {"type": "path", "default": ""},
    "idle_minutes": {"type": "float", "default": 60},
    "max_hours": {"type": "float", "default": 12},
    "unknown_limits": {"type": "list", "elements": "str", "choices": ["idle_minutes", "max_hours"], "default": []},
    "image": {"type": "str", "default": ""},
    "workers": {"type": "int", "default": UNCHANGED},
    "worker_type": {"type": "str", "default": ""},
    "worker_memory": {"type": "str", "default": ""},
    "needs": {"type": "dict", "default": {}},
}


def recorded_instances(account: Account, spec: LabSpec, seen: AccountState) -> list[dict[str, t.Any]]:
    """Return the recorded instances that AWS has by their ids, if it found none by its tags, which may take a while."""
    record = spec.record
    if record is None or any(map(record.knows_instance, alive(seen.named))):
        return []
    query = ResourceQuery(account.ec2, record.owner, spec.name)
    ask = {"recorded": lambda: with_recorded(query, {INSTANCE: []}, record, float("inf"))[INSTANCE]}
    return list(account.query(ask)["recorded"])


def plan(account: Account, spec: LabSpec, address_services: t.Sequence[str]) -> dict[str, t.Any]:
    """Query in as few rounds as the answers allow, and decide."""
    inquiry = AddressQuery(address_services) if needs_own_address(spec.allow_from) else None
    discovery = Discovery(account, spec)
    # An instance that was made from here most likely is there, and needs nothing of what a launch does.
    seen = discovery.first(launch=spec.record is None or not spec.record.ids(INSTANCE))
    seen.named += recorded_instances(account, spec, seen)
    draft = begin(spec, seen, endpoint_of(account.clients["sts"]))
    discovery.complete(seen, draft.instance, draft.owner)
    state = "absent" if draft.instance is None else state_of(draft.instance)
    let_in = allowed(spec.allow_from, inquiry.address() if inquiry else "")
    if draft.instance is None:
        place(spec, seen, draft, let_in.cidrs)
    actions = needed(state, spec.spot, rules=group_of(spec, seen, draft, let_in).changes)
    tried = dict.fromkeys(actions, dry_run_targets(spec, seen, draft))
    draft.notes += judge(discovery.second(seen, draft.instance, draft.image_id, tried))
    workers = workers_of(discovery, spec, seen, draft)
    return result(spec, decide(spec, seen, draft, let_in, workers), seen.account)


def launched_here(spec: LabSpec, instance: dict[str, t.Any]) -> bool:
    """Return whether a worker is one that M(desi.lab.ec2_workers) would take for the lab's; tags alone are none."""
    return spec.record is None or spec.record.knows_instance(instance)


def workers_of(discovery: Discovery, spec: LabSpec, seen: AccountState, draft: Draft) -> WorkersPlan:
    """Return the plan of the workers; AWS is asked only where there are or will be some."""
    existing = [one for one in lab_workers(seen.named, spec.name, draft.owner) if launched_here(spec, one)]
    # What is left of a lab that is gone says nothing of a new one.
    recorded = spec.record.workers if spec.record and draft.instance else None
    number = number_of(spec.workers, recorded, len(existing))
    if not existing and not number:
        return WorkersPlan()
    need = workers_need(spec, seen, draft, number)
    return plan_workers(need, existing, discovery.of_workers(types_of(need, existing), number > len(existing)))


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = {name: module.params[name] for name in ARGUMENTS}
    services, directory, key_file = (given.pop(name) for name in ("address_services", "folder", "key_file"))
    with failing(module):
        key = usable_half(Path(key_file))
        spec = LabSpec(region=module.region or "", directory=directory, record=read(directory), public_key=key, **given)
        check(spec)
        planned = plan(account_of(module), spec, services)
    module.exit_json(changed=False, **planned)


if __name__ == "__main__":
    main()
