#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_launch
short_description: See to it that exactly one machine of a lab runs on EC2
version_added: "0.1.0"
description:
  - Looks for the lab's machine by its tags. One that runs is returned as it is, one that is stopped is started,
    and if there is none, one is made.
  - Where AWS has no room for it, the next of O(attempts) is tried at once, within bounds of time, and each is told.
  - Repeating a request never makes a second machine, not even if the answer to the first was lost, or if two computers
    ask at once.
  - The disk is encrypted and goes with the machine, the metadata service answers the machine alone, and everything
    is tagged as it is made. What C(amazon.aws.ec2_instance) does is left to it.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.attributes
options:
  name:
    description: The name of the lab.
    type: str
    required: true
  owner:
    description: Whose lab it is, as its tags say it.
    type: str
    required: true
  attempts:
    description: The ways in which the machine may be had, the best first.
    type: list
    elements: dict
    required: true
    suboptions:
      market:
        description: How it is paid. A spot machine can be stopped, and its request stays open until it is cancelled.
        type: str
        choices: [on-demand, spot]
        default: on-demand
      type:
        description: The type of the machine, such as V(t3.xlarge).
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
    description: The key pair that opens the machine.
    type: str
    required: true
  group_id:
    description: The security group. It stands for the life of the lab, so that two computers ask for the same machine.
    type: str
    required: true
  folder:
    description:
      - The folder that keeps the lab's keys, and what is remembered of it. A machine that is not remembered there is
        not used. Without it, tags alone decide.
    type: path
    default: ""
  tags:
    description: More tags of the machine itself, by what comes after C(desi-lab:).
    type: dict
    default: {}
  host_key:
    description:
      - A private host key, which the machine is to begin with. It is handed over by user data, from which cloud-init
        takes it, and is to be replaced at the first log-in, as M(desi.lab.host_key) does.
    type: path
  timeout:
    description: How long to look for a place, in seconds.
    type: int
    default: 120
  wait:
    description: How long to wait until the machine runs, in seconds.
    type: int
    default: 180
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
  description: The attempts that failed before.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: The type that was asked for.
      type: str
    zone:
      description: The zone in which it was asked for.
      type: str
    market:
      description: How it would have been paid.
      type: str
    reason:
      description: Why it was not to be had, in a few words.
      type: str
instance:
  description: The machine. In check mode, of one that would be made only type, zone and market are known.
  returned: success
  type: dict
  contains:
    id:
      description: Its id.
      type: str
    state:
      description: Its state, V(running) unless in check mode.
      type: str
    address:
      description: Its public address, another one after each start.
      type: str
    private_address:
      description: Its address inside AWS.
      type: str
    public_dns:
      description: The public name, which may be empty.
      type: str
    type:
      description: Its type.
      type: str
    zone:
      description: The zone in which it is.
      type: str
    market:
      description: How it is paid.
      type: str
    launched:
      description: When it was started last.
      type: str
"""

from dataclasses import asdict

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.desi.lab.plugins.module_utils._aws.client import aws_client
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.launcher import Launcher
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import LaunchRecord
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import Attempt, InstanceSpec
from ansible_collections.desi.lab.plugins.module_utils._ssh.first_contact import user_data_of

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
    "timeout": {"type": "int", "default": 120},
    "wait": {"type": "int", "default": 180},
}


def main() -> None:
    """See to the machine, and tell how it came to run."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = {name: module.params[name] for name in ARGUMENTS}
    names = ("timeout", "wait", "attempts", "folder", "host_key")
    look, wait, attempts, folder, key = (given.pop(name) for name in names)
    try:
        # In check mode, and where the machine is there already, none has been made.
        user_data = user_data_of(key) if key and attempts and not module.check_mode else ""
        spec = InstanceSpec(
            attempts=tuple(Attempt(**attempt) for attempt in attempts),
            look_seconds=look,
            wait_seconds=wait,
            user_data=user_data,
            **given,
        )
        launcher = Launcher(aws_client(module, "ec2"), spec, module.region or "", keeper=LaunchRecord(folder))
        outcome = launcher.ensure(check=module.check_mode)
    except LabError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**asdict(outcome))


if __name__ == "__main__":
    main()
