#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_record
short_description: Record a lab's AWS resources on this computer
version_added: "0.2.0"
description:
  - Keeps the account, who made the lab, and the ids of what was made, in a file C(made.json) in the directory of the
    lab's keys. Others in the account may set tags, but not what stands there.
  - Fails where others are asked than those with whom the lab was made.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.owned_lab
  - desi.lab.attributes
options:
  folder:
    description: The directory of the lab. It has to be there.
    type: path
    required: true
  things:
    description: What was made.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: What it is.
        type: str
        required: true
        choices: [machine, spot request, disk, security group, key pair, schedule group, role]
      id:
        description: Its id; of a schedule group and of a role the name.
        type: str
        required: true
  begun:
    description: Security groups that are about to be made, each as the id of its VPC, a slash and its name.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Remember the security group
  desi.lab.ec2_record:
    folder: ~/.config/desi-lab/us-west-2/desi
    name: desi
    owner: ann
    things:
      - kind: security group
        id: sg-0123456789abcdef0
"""

RETURN = r"""
account_end:
  description: The last four digits of the AWS account.
  returned: success
  type: str
"""

from dataclasses import replace

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.client import aws_client, failing
from ..module_utils._common.errors import LabError
from ..module_utils._ec2.record import KINDS, begin, endpoint_of, read_as_caller, write

ARGUMENTS = {
    "folder": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "required": True},
    "things": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "kind": {"type": "str", "required": True, "choices": list(KINDS)},
            "id": {"type": "str", "required": True},
        },
    },
    "begun": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Verify the caller, and add to the record."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given, region = module.params, module.region or ""
    try:
        with failing(module, "look who asks AWS"):
            sts = aws_client(module, "sts")
            before, caller = read_as_caller(given["folder"], sts, region)
            record = before or begin(caller, region, given["name"], given["owner"], endpoint_of(sts))
            after = record.with_resources(given["things"])
            after = replace(after, begun=tuple(dict.fromkeys([*after.begun, *given["begun"]])))
            if after != before and not module.check_mode:
                write(given["folder"], after)
    except OSError as error:
        failure = LabError(
            f"What is made of lab {given['name']} cannot be remembered.",
            f"{given['folder']}: {error.strerror or error}.",
            "See that the folder is yours and that its disk is not full, then run the same command again",
        )
        module.fail_json(**failure.as_result())
    module.exit_json(changed=after != before, account_end=caller.account[-4:])


if __name__ == "__main__":
    main()
