#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_lab_info
short_description: List labs on EC2 and their resources
version_added: "0.1.0"
description:
  - Asks EC2 for everything in a region that carries the tags of a lab. What lacks them is not looked at.
  - With O(folder), it tells of each resource whether this computer has recorded having made it, fails where others are
    asked than those with whom the lab was made, and tells whether AWS says of all that was made that it is gone.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.attributes.info_module
options:
  name:
    description: The name of the lab. Empty means all labs of the owner.
    type: str
    default: ""
  folder:
    description: The directory that keeps the lab's keys, and what is recorded of it. Needs O(name).
    type: path
    default: ""
  prices:
    description: A dated table of prices, as M(desi.lab.ec2_plan) takes it.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: See what belongs to the lab
  desi.lab.ec2_lab_info:
    name: desi
  register: found

- name: See all labs
  desi.lab.ec2_lab_info:
  register: all

- name: Inspect what belongs to the lab, and which of it was made here
  desi.lab.ec2_lab_info:
    name: desi
    folder: ~/.config/desi-lab/us-west-2/desi
  register: found
"""

RETURN = r"""
owner:
  description: Whose labs these are.
  returned: success
  type: str
labs:
  description:
    - A row for each instance that is not terminated, as M(desi.lab.labs_info) has them of labs on this computer.
    - It has C(name), C(where), C(state), C(since), C(release), C(access), C(port), C(address), C(os), C(user), C(id),
      C(type), C(zone) and C(market).
  returned: success
  type: list
  elements: dict
left:
  description: A row for each resource that carries the tags.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description:
        - V(machine), V(spot request), V(disk), V(snapshot), V(address), V(network interface), V(security group),
          V(key pair) or V(schedule group).
      type: str
    id:
      description: Its id.
      type: str
    name:
      description: What it is called; the id where it has no name of its own.
      type: str
    lab:
      description: The lab that it belongs to.
      type: str
    state:
      description: Its state, where it has one.
      type: str
    in_use:
      description: Whether an instance of the lab makes use of it, stopped or not.
      type: bool
    billed:
      description: Whether AWS charges for it as it is.
      type: bool
    usd_month:
      description: What a month of a disk or of a snapshot costs, at most. Null where that is not known.
      type: float
    words:
      description: The resource, in words for people.
      type: str
    known:
      description: Whether it was made from this computer, as O(folder) tells.
      type: bool
things:
  description: What of it is not recorded yet, as M(desi.lab.ec2_record) takes it.
  returned: success
  type: list
  elements: dict
fits:
  description: Whether what was found is the lab whose key is in O(folder). True where there is no key.
  returned: success
  type: bool
kept_for:
  description:
    - Why what O(folder) keeps must not be removed though nothing is found. Empty where something is found, and where
      AWS says of all that was made that it is gone.
  returned: success
  type: str
notes:
  description: What there is to know of the lab, as sentences.
  returned: success
  type: list
  elements: str
unseen:
  description: Why some kinds of resources cannot be seen, by kind. Only schedule groups may lack.
  returned: success
  type: dict
"""

import time
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.client import aws_client, failing
from ..module_utils._aws.pricing import from_table
from ..module_utils._aws.tags import Caller, is_worker
from ..module_utils._common.names import verify_lab_name
from ..module_utils._ec2.deletion_proof import deletion_doubt, fits, known_rows, local_key, nothing_known, with_recorded
from ..module_utils._ec2.record import KINDS as REMEMBERED
from ..module_utils._ec2.record import LabRecord, age, legacy_owner_note, read_as_caller
from ..module_utils._ec2.resources import ResourceQuery, lab_rows

ARGUMENTS = {
    "name": {"type": "str", "default": ""},
    "folder": {"type": "path", "default": ""},
    "prices": {"type": "dict", "default": {}},
}


def notes_of(record: LabRecord | None, caller: Caller, owner: str) -> list[str]:
    """Return notes on the owner of the lab."""
    if record is not None and record.arn != caller.arn and record.owner != caller.owner:
        return [f"It was made by {record.maker}. Who asks now is {caller.words}."]
    return legacy_owner_note(caller, owner)


def inspect(module: AnsibleAWSModule) -> dict[str, t.Any]:
    """Return the resources of the caller's labs."""
    given, region, directory = module.params, module.region or "", module.params["folder"]
    if directory:
        verify_lab_name(given["name"])
    record, caller = read_as_caller(directory, aws_client(module, "sts"), region)
    ec2, scheduler = aws_client(module, "ec2"), aws_client(module, "scheduler")
    query = ResourceQuery(ec2, record.owner if record else caller.owner, given["name"], scheduler=scheduler)
    found = query.everything()
    if record is not None:
        found = with_recorded(query, found, record, age(directory, time.time()))
    if given["name"] and caller.former and record is None and not any(found.values()):
        query = ResourceQuery(ec2, caller.former, given["name"], scheduler=scheduler)
        found = query.everything()
    key = local_key(directory) if directory else ""
    left = known_rows(found, record, key, from_table(given["prices"], region, []))
    return {
        "owner": query.owner,
        "labs": lab_rows([one for one in found["machine"] if not is_worker(one)], region),
        "left": left,
        "things": [
            {"kind": row["kind"], "id": row["id"]}
            for row in left
            if row["kind"] in REMEMBERED and not (record and record.knows(row["kind"], row["id"]))
        ],
        "fits": record is not None or fits(directory, found),
        "kept_for": deletion_doubt(ec2, directory, record, caller) if directory and nothing_known(left, record) else "",
        "notes": notes_of(record, caller, query.owner),
        "unseen": query.unseen,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    with failing(module, "see what there is of labs"):
        found = inspect(module)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
