#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_instance_type
short_description: Change the type of a stopped instance
version_added: "0.2.0"
description:
  - Verifies that the type exists, has the processor that the instance's system is made for, is offered in its zone and
    is within the account's quota, then changes it. In check mode the instance may run.
  - A type with CPU credits gets V(standard) ones, for which AWS never charges.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.attributes
options:
  instance_id:
    description: The id of the instance.
    type: str
    required: true
  type:
    description: The type, such as V(t3.xlarge).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Verify that the instance can be of another type
  desi.lab.ec2_instance_type:
    instance_id: i-0123456789abcdef0
    type: t3.xlarge
  check_mode: true

- name: Change the instance type
  desi.lab.ec2_instance_type:
    instance_id: i-0123456789abcdef0
    type: t3.xlarge
"""

RETURN = r"""
charged:
  description: Why AWS may charge for its CPU credits, where they could not be chosen. Empty otherwise.
  returned: success
  type: str
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.account import account_of, where
from ..module_utils._common.errors import LabError, failing
from ..module_utils._ec2.instance_types import check_names
from ..module_utils._ec2.type_change import change, verify

ARGUMENTS = {"instance_id": {"type": "str", "required": True}, "type": {"type": "str", "required": True}}


def main() -> None:
    """Verify the type, and change it."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    number, name, charged = module.params["instance_id"], module.params["type"], ""
    with failing(module):
        check_names([name])
        account = account_of(module)
        found = account.query({"instance": lambda: account.instances(where("instance-id", number))})["instance"]
        if not found:
            why = f"AWS does not find it in {account.region}."
            raise LabError(
                f"There is no machine {number}.", why, "Run the same command again: it looks for the lab anew."
            )
        changed = found[0]["InstanceType"] != name
        if changed:
            verify(account, found[0], name)
        if changed and not module.check_mode:
            charged = change(account.ec2, number, name, account.region)
    module.exit_json(changed=changed, charged=charged)


if __name__ == "__main__":
    main()
