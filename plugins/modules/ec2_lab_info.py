#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_lab_info
short_description: Tell which labs there are on EC2, and everything that belongs to them
version_added: "0.1.0"
description:
  - Asks EC2 for everything in a region that carries the tags of a lab, which are the only record of it.
    What lacks them is not looked at.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
options:
  name:
    description: The name of the lab. Empty means all labs of the owner.
    type: str
    default: ""
  owner:
    description: Whose labs. Empty means those of whoever asks.
    type: str
    default: ""
  gone:
    description:
      - Kinds of things, as RV(left[].kind) has them. Waits until there is none of them, or the time is up.
    type: list
    elements: str
    choices:
      - machine
      - spot request
      - disk
      - snapshot
      - address
      - network interface
      - security group
      - key pair
      - schedule group
    default: []
  timeout:
    description: How long to wait for O(gone), in seconds.
    type: int
    default: 300
  prices:
    description: A dated table of prices, as M(desi.lab.ec2_plan) takes it.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Can run in check mode and does the same there.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
  idempotent:
    support: full
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: See what belongs to the lab
  desi.lab.ec2_lab_info:
    name: desi
  register: found

- name: See all labs
  desi.lab.ec2_lab_info:
  register: all

- name: Wait until its machine is gone
  desi.lab.ec2_lab_info:
    name: desi
    gone: [machine]
  register: found
"""

RETURN = r"""
owner:
  description: Whose labs these are.
  returned: success
  type: str
account_end:
  description: The last four digits of the AWS account.
  returned: success
  type: str
region:
  description: The region that was asked.
  returned: success
  type: str
labs:
  description: A row for each machine that is not terminated, as M(desi.lab.labs_info) has them of labs here.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The lab's name.
      type: str
    where:
      description: Where it runs, such as V(ec2 us-west-2).
      type: str
    state:
      description: The state of its machine.
      type: str
    since:
      description: When that state began (UTC). Empty where AWS does not say it.
      type: str
    release:
      description: The data release.
      type: str
    access:
      description: How it is reached, V(tunnel), V(direct) or V(https).
      type: str
    port:
      description: The port of the lab. 0 where its tags do not say it.
      type: int
    address:
      description: The public address of a machine that runs.
      type: str
    os:
      description: The system, V(amazon) or V(ubuntu).
      type: str
    user:
      description: The user that SSH enters as.
      type: str
    id:
      description: The machine's id.
      type: str
    type:
      description: The machine's type.
      type: str
    zone:
      description: The zone in which it is.
      type: str
    market:
      description: How it is paid, V(on-demand) or V(spot).
      type: str
left:
  description: A row for each thing that carries the tags.
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
      description: Whether a machine of the lab makes use of it, stopped or not.
      type: bool
    billed:
      description: Whether AWS charges for it as it is.
      type: bool
    usd_month:
      description: What a month of a disk or of a snapshot costs, at most. Null where that is not known.
      type: float
    words:
      description: The thing, in words for people.
      type: str
unseen:
  description: Why some kinds of things cannot be seen, by kind. Only schedule groups may lack.
  returned: success
  type: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.desi.lab.plugins.module_utils._aws_client import aws_client
from ansible_collections.desi.lab.plugins.module_utils._aws_trouble import AWS_ERRORS, aws_trouble
from ansible_collections.desi.lab.plugins.module_utils._ec2_ask import KINDS, Asker
from ansible_collections.desi.lab.plugins.module_utils._ec2_cost import from_table
from ansible_collections.desi.lab.plugins.module_utils._ec2_labs import owner_of
from ansible_collections.desi.lab.plugins.module_utils._ec2_left import lab_rows, left_rows
from ansible_collections.desi.lab.plugins.module_utils._errors import LabError

ARGUMENTS = {
    "name": {"type": "str", "default": ""},
    "owner": {"type": "str", "default": ""},
    "gone": {"type": "list", "elements": "str", "choices": KINDS, "default": []},
    "timeout": {"type": "int", "default": 300},
    "prices": {"type": "dict", "default": {}},
}


def main() -> None:
    """Ask who asks, then what there is."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given, region = module.params, module.region or ""
    try:
        caller = aws_client(module, "sts").get_caller_identity()
        owner = given["owner"] or owner_of(caller["Arn"])
        asker = Asker(aws_client(module, "ec2"), owner, given["name"], scheduler=aws_client(module, "scheduler"))
        if given["gone"]:
            asker.wait(given["gone"], given["timeout"])
        found = asker.everything()
    except LabError as error:
        module.fail_json(**error.as_result())
    except AWS_ERRORS as error:
        module.fail_json(**aws_trouble(error, "see what there is of labs", region).as_result())
    module.exit_json(
        changed=False,
        owner=owner,
        account_end=str(caller["Account"])[-4:],
        region=region,
        labs=lab_rows(found["machine"], region),
        left=left_rows(found, from_table(given["prices"], region, [])),
        unseen=asker.unseen,
    )


if __name__ == "__main__":
    main()
