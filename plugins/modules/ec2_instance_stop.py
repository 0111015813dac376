#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_instance_stop
short_description: Stop the EC2 instance of a lab, and wait for it
version_added: "0.2.0"
description:
  - Stops a running instance by its id, and waits until AWS says that it is stopped.
  - Terminates its Dask workers first, which have nothing of their own.
  - C(amazon.aws.ec2_instance) queries it four times before, and every 15 seconds after.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.lab
  - desi.lab.attributes
options:
  instance_id:
    description: The id of the instance.
    type: str
    required: true
  workers:
    description: The ids of the instances of its workers.
    type: list
    elements: str
    default: []
  timeout:
    description: How long it may take, in seconds.
    type: int
    default: 300
attributes:
  idempotent:
    details: It is for an instance that runs. One that is stopped already is stopped once more, which changes nothing.
    support: partial
"""

EXAMPLES = r"""
- name: Stop the instance
  desi.lab.ec2_instance_stop:
    name: desi
    instance_id: i-0123456789abcdef0
"""

RETURN = r"""
state:
  description: Its state, which is C(stopped) unless somebody has deleted it meanwhile.
  returned: success
  type: str
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.client import aws_client, failing
from ..module_utils._ec2.instance_wait import stop
from ..module_utils._ec2.record import INSTANCE
from ..module_utils._ec2.removal import request_end

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "instance_id": {"type": "str", "required": True},
    "workers": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 300},
}


def main() -> None:
    """Stop the instance."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given, state = module.params, "stopped"
    with failing(module, "stop the lab"):
        if not module.check_mode:
            ec2 = aws_client(module, "ec2")
            # One that AWS took back some time ago is not known any more.
            request_end(ec2, INSTANCE, "terminate_instances", "InstanceIds", given["workers"])
            state = stop(ec2, given["name"], given["instance_id"], given["timeout"])
    module.exit_json(changed=True, state=state)


if __name__ == "__main__":
    main()
