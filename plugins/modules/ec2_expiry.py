#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_expiry
short_description: Schedule the deletion of an unused lab on EC2
version_added: "0.1.0"
description:
  - Keeps two one-time schedules of EventBridge Scheduler for the instance of a lab. One takes a snapshot of its disk
    when nobody has used it for some days, the other terminates it an hour later. Each run that uses the lab moves them.
  - They are in a schedule group of the lab's own, which carries its tags. A group of that name without them is left
    alone.
  - They act by a role that may delete what has the owner's tags, and nothing else. Where there is none, or what is
    needed is not allowed, that is no failure; the result says why nothing will be deleted.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.lab
  - desi.lab.attributes
options:
  owner:
    description: Whose lab it is, as its tags say it. Empty means the caller.
    type: str
    default: ""
  folder:
    description: The directory that keeps the lab's keys, and its record. An instance in the record goes first.
    type: path
    default: ""
  state:
    description: Whether there are to be schedules. V(absent) removes the group, too, if nothing else is in it.
    type: str
    choices: [present, absent]
    default: present
  days:
    description: How many days after its last use a lab counts as forgotten. It goes at the end of that day (UTC).
    type: int
    default: 14
  hours:
    description: For how many hours from now the lab may be in use, at most.
    type: float
    default: 0
  snapshot:
    description: Whether a snapshot of the disk is taken before, and kept.
    type: bool
    default: true
  role:
    description:
      - The name or the ARN of the role. Empty means the owner's own, which role desi.lab.ec2 makes, and without that
        the one by which the lab's schedules act that there are.
    type: str
    default: ""
  only_moves:
    description: Whether only what is scheduled already is moved, for a lab of which it is not known how it was made.
    type: bool
    default: false
  only_later:
    description: Whether nothing is moved to an earlier time, for a lab of which it is not known how long it may run.
    type: bool
    default: false
  role_wait:
    description: How long to wait until a role that was just made can be used, in seconds.
    type: int
    default: 0
  instance_id:
    description:
      - The id of the instance, where that and O(volume_id) are known already, and it is none of the spot market.
        Otherwise, and where O(folder) has no record, EC2 is asked.
    type: str
    default: ""
  volume_id:
    description: The id of its disk.
    type: str
    default: ""
attributes:
  diff_mode:
    support: full
  idempotent:
    details: What is due moves a day at a time.
"""

EXAMPLES = r"""
- name: Delete the lab 14 days after the 12 hours for which it may run now
  desi.lab.ec2_expiry:
    name: desi
    days: 14
    hours: 12

- name: Never delete it by itself
  desi.lab.ec2_expiry:
    name: desi
    state: absent
"""

RETURN = r"""
expires:
  description: When the instance is terminated (UTC). Empty where it is not.
  returned: success
  type: str
is_off:
  description: Whether it is known that nothing is scheduled.
  returned: success
  type: bool
why:
  description: Why that is not so, or what else stands in the way, as a part of a sentence. Empty where nothing does.
  returned: success
  type: str
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.client import clients_of
from ..module_utils._aws.errors import aws_error, botocore_errors
from ..module_utils._aws.tags import caller_of
from ..module_utils._common.errors import LabError
from ..module_utils._common.humanize import time_text
from ..module_utils._ec2.expiry import ExpiryResult, ExpirySpec, ScheduleGroup
from ..module_utils._ec2.record import read

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "default": ""},
    "folder": {"type": "path", "default": ""},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "days": {"type": "int", "default": 14},
    "hours": {"type": "float", "default": 0},
    "snapshot": {"type": "bool", "default": True},
    "role": {"type": "str", "default": ""},
    "only_moves": {"type": "bool", "default": False},
    "only_later": {"type": "bool", "default": False},
    "role_wait": {"type": "int", "default": 0},
    "instance_id": {"type": "str", "default": ""},
    "volume_id": {"type": "str", "default": ""},
}


def work(module: AnsibleAWSModule) -> ExpiryResult:
    """Set or remove the schedules; what AWS does not allow is an outcome, too."""
    given, region = module.params, module.region or ""
    try:
        client = clients_of(module)
        record = read(given["folder"])
        owner = (
            given["owner"] or (record.owner if record else "") or caller_of(client("sts").get_caller_identity()).owner
        )
        clients = {service: client(service) for service in ("ec2", "scheduler", "iam")}
        known = (given["instance_id"], given["volume_id"]) if given["instance_id"] and given["volume_id"] else None
        group = ScheduleGroup(clients, given["name"], owner, region, record=record, instance=known)
        if given["state"] == "absent":
            return group.remove(module.check_mode)
        spec = ExpirySpec(**{name: given[name] for name in ExpirySpec._fields})
        return group.set(spec, module.check_mode)
    except LabError as error:
        return ExpiryResult(False, None, error.why.rstrip("."), {}, {})
    except botocore_errors() as error:
        return ExpiryResult(False, None, aws_error(error, "set the schedule", region).why.rstrip("."), {}, {})


def main() -> None:
    """Ensure or remove the schedules."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    outcome = work(module)
    module.exit_json(
        changed=outcome.changed,
        expires=time_text(outcome.when),
        is_off=outcome.is_off,
        why=outcome.why,
        diff={"before": outcome.before, "after": outcome.after},
    )


if __name__ == "__main__":
    main()
