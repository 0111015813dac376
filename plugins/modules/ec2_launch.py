#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_launch
short_description: Ensure that exactly one instance of a lab runs on EC2
version_added: "0.1.0"
description:
  - Looks for the lab's instance by its tags. One that runs is returned as it is, one that is stopped is started,
    and if there is none, one is made.
  - Where AWS has no room for it, the next of O(attempts) is tried at once, within bounds of time, and each is reported.
  - Repeating a request never makes a second instance, not even if the answer to the first was lost, or if two computers
    ask at once.
  - The disk is encrypted and goes with the instance, the metadata service answers the instance alone, and everything
    is tagged as it is made. What C(amazon.aws.ec2_instance) does is left to it.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.owned_lab
  - desi.lab.attributes
options:
  attempts:
    description: The ways in which the instance may be had, the best first.
    type: list
    elements: dict
    required: true
    suboptions:
      market:
        description: How it is paid. A spot instance can be stopped, and its request stays open until it is cancelled.
        type: str
        choices: [on-demand, spot]
        default: on-demand
      type:
        description: The type of the instance, such as V(t3.xlarge).
        type: str
        required: true
      zone:
        description: The zone of O(attempts[].subnet_id), for the messages.
        type: str
        required: true
      subnet_id:
        description: The subnet, which has to lead to the internet.
        type: str
        required: true
  image_id:
    description: The image to start from.
    type: str
    required: true
  root_device:
    description: The name of the image's disk, such as V(/dev/xvda).
    type: str
    required: true
  disk_gib:
    description: The size of the disk, in GiB.
    type: int
    required: true
  key_name:
    description: The key pair that opens the instance.
    type: str
    required: true
  group_id:
    description: The security group. It stands for the life of the lab, so that two computers ask for the same instance.
    type: str
    required: true
  folder:
    description:
      - The directory that keeps the lab's keys, and what is recorded of it. An instance that is not recorded there is
        not used. Without it, tags alone decide.
    type: path
    default: ""
  tags:
    description: More tags of the instance itself, by what comes after C(desi-lab:).
    type: dict
    default: {}
  host_key:
    description:
      - A private host key, which the instance is to begin with. It is handed over by user data, from which cloud-init
        takes it, and is to be replaced at the first log-in, as M(desi.lab.host_key) does.
    type: path
  longest_hours:
    description:
      - After how many hours from a boot the instance shuts itself down, unless the watcher of role
        P(desi.lab.autostop#role) runs by then. User data arm it, before anything is installed. 0 means never.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: See to the machine
  desi.lab.ec2_launch:
    name: desi
    owner: ann
    attempts:
      - type: t3.xlarge
        zone: us-west-2a
        subnet_id: subnet-0123456789abcdef0
      - type: t3.xlarge
        zone: us-west-2b
        subnet_id: subnet-0123456789abcdef1
    image_id: ami-0123456789abcdef0
    root_device: /dev/xvda
    disk_gib: 30
    key_name: desi-lab-desi
    group_id: sg-0123456789abcdef0
    tags:
      os: amazon
      release: edr
  register: machine
"""

RETURN = r"""
how:
  description: How it comes to run, V(runs), V(started) or V(launched).
  returned: success
  type: str
tried:
  description:
    - The attempts that failed before, with C(type), C(zone), C(market), and the C(reason) in a few words.
  returned: success
  type: list
  elements: dict
instance:
  description:
    - The instance, with C(id), C(state) (V(running) unless in check mode), C(address) (another one after each start),
      C(private_address), C(public_dns), C(type), C(zone), C(market) and C(launched).
    - In check mode, of one that would be launched only type, zone and market are known.
  returned: success
  type: dict
"""

from dataclasses import asdict

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.client import aws_client
from ..module_utils._common.errors import failing
from ..module_utils._ec2.launcher import Launcher
from ..module_utils._ec2.record import LaunchRecord
from ..module_utils._ec2.run_instances import Attempt, InstanceSpec, user_data
from ..module_utils._ssh.first_contact import handed_keys_of

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "required": True},
    "attempts": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "market": {"type": "str", "choices": ["on-demand", "spot"], "default": "on-demand"},
            "type": {"type": "str", "required": True},
            "zone": {"type": "str", "required": True},
            "subnet_id": {"type": "str", "required": True},
        },
    },
    "image_id": {"type": "str", "required": True},
    "root_device": {"type": "str", "required": True},
    "disk_gib": {"type": "int", "required": True},
    "key_name": {"type": "str", "required": True, "no_log": False},
    "group_id": {"type": "str", "required": True},
    "folder": {"type": "path", "default": ""},
    "tags": {"type": "dict", "default": {}},
    "host_key": {"type": "path", "no_log": False},
    "longest_hours": {"type": "float", "default": 0},
}


def main() -> None:
    """Ensure the instance."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = {name: module.params[name] for name in ARGUMENTS}
    names = ("attempts", "folder", "host_key", "longest_hours")
    attempts, directory, key, hours = (given.pop(name) for name in names)
    with failing(module):
        # In check mode, and where the instance is there already, none has been made.
        keys = handed_keys_of(key) if key and attempts and not module.check_mode else {}
        spec = InstanceSpec(
            attempts=tuple(Attempt(**attempt) for attempt in attempts),
            user_data=user_data(keys, hours),
            **given,
        )
        launcher = Launcher(aws_client(module, "ec2"), spec, module.region or "", record=LaunchRecord(directory))
        outcome = launcher.ensure(check=module.check_mode)
    module.exit_json(**asdict(outcome))


if __name__ == "__main__":
    main()
