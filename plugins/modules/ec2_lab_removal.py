#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_lab_removal
short_description: Remove the resources of a lab on EC2, and verify that none is left
version_added: "0.2.0"
description:
  - Cancels spot requests, terminates instances and waits for that, and deletes security groups, key pairs, snapshots,
    and disks that outlived their instance, each by its id. Nothing else is deleted, whatever its tags are.
  - Then queries what is left with the tags of the lab, and verifies with AWS that each resource in the record is gone.
  - Fails where others ask than those with whom the lab was made.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.owned_lab
  - desi.lab.attributes
options:
  folder:
    description: The directory that keeps the lab's keys, and its record.
    type: path
    required: true
  resources:
    description: What is removed, in rows as RV(desi.lab.ec2_lab_info#module:left) has them.
    type: list
    elements: dict
    required: true
  timeout:
    description: How long instances may take to terminate, in seconds.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Query the lab's resources
  desi.lab.ec2_lab_info:
    name: desi
    folder: ~/.config/desi-lab/us-west-2/desi
  register: found

- name: Remove those that were made here
  desi.lab.ec2_lab_removal:
    name: desi
    owner: "{{ found.owner }}"
    folder: ~/.config/desi-lab/us-west-2/desi
    resources: "{{ found.left | selectattr('known') }}"
"""

RETURN = r"""
removed:
  description: The rows of what was removed, also where the rest failed.
  returned: always
  type: list
  elements: dict
left:
  description: What has the tags of the lab after that, in rows as RV(desi.lab.ec2_lab_info#module:left) has them.
  returned: success
  type: list
  elements: dict
kept_for:
  description: As RV(desi.lab.ec2_lab_info#module:kept_for).
  returned: success
  type: str
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.client import clients_of, failing
from ..module_utils._common.names import verify_lab_name
from ..module_utils._ec2.deletion_proof import deletion_doubt, known_rows, local_key, nothing_known
from ..module_utils._ec2.record import read_as_caller
from ..module_utils._ec2.removal import Removal
from ..module_utils._ec2.resources import ResourceQuery

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "required": True},
    "folder": {"type": "path", "required": True},
    "resources": {"type": "list", "elements": "dict", "required": True},
    "timeout": {"type": "int", "default": 300},
}


def main() -> None:
    """Remove the resources, and return what is left."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given, removed = module.params, []
    if module.check_mode or not given["resources"]:
        module.exit_json(changed=bool(given["resources"]), removed=[], left=[], kept_for="")
    with failing(module, "remove the lab", removed=removed):
        verify_lab_name(given["name"])
        client = clients_of(module)
        ec2, (record, caller) = client("ec2"), read_as_caller(given["folder"], client("sts"), module.region or "")
        query = ResourceQuery(ec2, given["owner"], given["name"], scheduler=client("scheduler"))
        removal = Removal(query, given["resources"])
        removal.removed = removed
        left = known_rows(removal.run(given["timeout"]), record, local_key(given["folder"]))
        doubt = nothing_known(left, record) and deletion_doubt(ec2, given["folder"], record, caller, removal.confirmed)
    module.exit_json(changed=True, removed=removed, left=left, kept_for=doubt or "")


if __name__ == "__main__":
    main()
