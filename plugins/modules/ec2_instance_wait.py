#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_instance_wait
short_description: Wait until the instance of a lab on EC2 is running or stopped
version_added: "0.1.0"
description:
  - An instance that is starting or being stopped can be neither started nor stopped. This waits, within bounds, until
    it is running or stopped.
  - Where there is no instance, that is the answer. With O(folder), it fails where others are asked than those with whom
    the lab was made.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.lab
  - desi.lab.attributes.info_module
options:
  folder:
    description: The directory that keeps the lab's keys, and what is recorded of it.
    type: path
    default: ""
  disk:
    description: Whether the size of its disk is asked for. Its id is known without that.
    type: bool
    default: true
  timeout:
    description: How long to wait, in seconds.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Wait until it neither starts nor stops
  desi.lab.ec2_instance_wait:
    name: desi
  register: found
"""

RETURN = r"""
machine:
  description:
    - A row as RV(desi.lab.ec2_lab_info#module:labs) has them. Empty where there is no instance.
    - It also has C(disk_gib) (0 where it is not known, or was not asked for) and C(volume_id), C(owner) as its tags say
      it, C(known) for whether it was launched from this computer, and C(things) for M(desi.lab.ec2_record).
    - C(waits_for_room) is whether it is a spot instance that AWS has interrupted and starts again by itself.
    - C(workers) are the ids of the instances of its Dask workers that run and were launched from this computer.
  returned: success
  type: dict
asked_as:
  description: Who asked AWS, for people.
  returned: success
  type: str
notes:
  description: What there is to know of the lab, as sentences.
  returned: success
  type: list
  elements: str
was:
  description: The state that it was in before, such as V(stopping). Empty where there was nothing to wait for.
  returned: success
  type: str
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.client import aws_client, failing
from ..module_utils._aws.tags import OWNER_TAG, tags_of
from ..module_utils._ec2.instance_wait import instance_row, wait_until_at_rest
from ..module_utils._ec2.record import age, legacy_owner_note, read_as_caller, resources_of_instance
from ..module_utils._ec2.resources import ResourceQuery

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "folder": {"type": "path", "default": ""},
    "disk": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 300},
}


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given, region = module.params, module.region or ""
    with failing(module, f"inspect the machine of lab {given['name']}"):
        record, caller = read_as_caller(given["folder"], aws_client(module, "sts"), region)
        ec2, disks, more, notes = aws_client(module, "ec2"), [], {}, []
        query = ResourceQuery(ec2, record.owner if record else caller.owner, given["name"])
        rest = wait_until_at_rest(query, given["timeout"], record=record, age=age(given["folder"], time.time()))
        if rest.instance is None and record is None and caller.former:
            rest = wait_until_at_rest(ResourceQuery(ec2, caller.former, given["name"]), given["timeout"])
        if rest.instance is not None:
            if given["disk"]:
                ours = [{"Name": "attachment.instance-id", "Values": [rest.instance["InstanceId"]]}]
                disks = ec2.describe_volumes(Filters=ours)["Volumes"]
            more = {
                "known": record is not None and record.knows_instance(rest.instance),
                "things": resources_of_instance(rest.instance),
                "owner": tags_of(rest.instance)[OWNER_TAG],
                "workers": list(rest.workers),
            }
            notes = legacy_owner_note(caller, more["owner"])
    module.exit_json(
        changed=False,
        machine={**instance_row(rest.instance, disks, region), **more},
        was=rest.was,
        notes=notes,
        asked_as=caller.words,
    )


if __name__ == "__main__":
    main()
