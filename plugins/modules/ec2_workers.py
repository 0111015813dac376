#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_workers
short_description: Ensure the EC2 instances of a lab's Dask workers
version_added: "0.2.0"
description:
  - Launches in one request what a lab lacks, of the lab's own AMI, key pair and subnet, and waits until they run.
  - Ensures a security group that lets in nobody but its members, which are the lab's instance and its workers.
  - Takes what AWS has, if that are at least O(least). Otherwise none is launched.
  - Terminates none unless O(state=absent), and then those of O(ids) alone.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.owned_lab
  - desi.lab.attributes
options:
  state:
    description: Whether workers are ensured, or terminated.
    type: str
    choices: [running, absent]
    default: running
  ids:
    description: The instances to terminate.
    type: list
    elements: str
    default: []
  instance_id:
    description: The lab's own instance, which runs. Needed for O(state=running).
    type: str
    default: ""
  count:
    description: How many workers there are to be.
    type: int
    default: 0
  least:
    description: With how many to be content.
    type: int
    default: 1
  type:
    description: Their instance type.
    type: str
    default: ""
  memory:
    description: The memory of each of their processes, which is recorded. Empty means a share.
    type: str
    default: ""
  markets:
    description: Where they are asked for, the first first.
    type: list
    elements: str
    choices: [spot, on-demand]
    default: [spot, on-demand]
  disk_gib:
    description: The size of their disk in GiB.
    type: int
    default: 30
  tags:
    description: Tags that their instances have beside those of the lab, by name.
    type: dict
    default: {}
  folder:
    description: The directory that keeps the record of what was launched. Without it all that has the tags is known.
    type: path
    default: ""
  host_key:
    description: The private host key that they begin with.
    type: path
  longest_hours:
    description: After how many hours they shut down in any case. V(0) means never.
    type: float
    default: 0
attributes:
  diff_mode:
    details: It changes nothing that can be shown side by side.
    support: none
"""

EXAMPLES = r"""
- name: Ensure two workers
  desi.lab.ec2_workers:
    name: desi
    owner: ann
    instance_id: i-0123456789abcdef0
    count: 2
    type: m6i.xlarge

- name: Terminate one of them
  desi.lab.ec2_workers:
    name: desi
    owner: ann
    state: absent
    ids: [i-0fedcba9876543210]
"""

RETURN = r"""
workers:
  description: The workers, each as M(desi.lab.ec2_launch) returns an instance. In check mode, those that there are.
  returned: O(state=running)
  type: list
  elements: dict
launched:
  description: The ids of those that were launched.
  returned: O(state=running)
  type: list
  elements: str
surplus:
  description: The ids of those that are too many. They run until they are terminated.
  returned: O(state=running)
  type: list
  elements: str
short:
  description: Why there are fewer than wanted, as sentences.
  returned: O(state=running)
  type: list
  elements: str
terminated:
  description: The ids of those that were terminated.
  returned: O(state=absent)
  type: list
  elements: str
"""

from dataclasses import asdict

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.client import aws_client
from ..module_utils._aws.tags import ROLE_TAG, WORKER
from ..module_utils._common.errors import failing
from ..module_utils._ec2.record import LaunchRecord
from ..module_utils._ec2.run_instances import InstanceSpec, user_data
from ..module_utils._ec2.workers import Workers
from ..module_utils._ssh.first_contact import handed_keys_of

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["running", "absent"], "default": "running"},
    "ids": {"type": "list", "elements": "str", "default": []},
    "instance_id": {"type": "str", "default": ""},
    "count": {"type": "int", "default": 0},
    "least": {"type": "int", "default": 1},
    "type": {"type": "str", "default": ""},
    "memory": {"type": "str", "default": ""},
    "markets": {"type": "list", "elements": "str", "choices": ["spot", "on-demand"], "default": ["spot", "on-demand"]},
    "disk_gib": {"type": "int", "default": 30},
    "tags": {"type": "dict", "default": {}},
    "folder": {"type": "path", "default": ""},
    "host_key": {"type": "path", "no_log": False},
    "longest_hours": {"type": "float", "default": 0},
}


def main() -> None:
    """Ensure the workers, or terminate some."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given, check = module.params, module.check_mode
    absent = given["state"] == "absent"
    with failing(module):
        key = given["host_key"]
        keys = handed_keys_of(key) if key and not (absent or check) else {}
        spec = InstanceSpec(
            given["name"],
            given["owner"],
            (),
            "",
            "",
            given["disk_gib"],
            "",
            "",
            tags={**given["tags"], ROLE_TAG: WORKER},
            user_data="" if absent else user_data(keys, given["longest_hours"]),
        )
        workers = Workers(
            aws_client(module, "ec2"),
            spec,
            given["instance_id"],
            module.region or "",
            record=LaunchRecord(given["folder"]),
        )
        if absent:
            gone = given["ids"] if check else workers.terminate(given["ids"])
            module.exit_json(changed=bool(gone), terminated=gone)
        if check:
            result = workers.plan(given["count"])
            module.exit_json(changed=len(result.workers) < given["count"], **asdict(result))
        result = workers.ensure(given["count"], given["least"], given["type"], given["markets"], given["memory"])
    module.exit_json(changed=result.changed, **asdict(result))


if __name__ == "__main__":
    main()
