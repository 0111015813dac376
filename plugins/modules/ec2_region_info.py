#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_region_info
short_description: List the regions that hold resources of a lab
version_added: "0.2.0"
description:
  - Asks EC2 in several regions side by side for what has the tags of a lab, for a lab of which nothing is kept here.
  - Where there are no credentials for AWS, nothing is asked, and that is no failure.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.lab
  - desi.lab.attributes.info_module
options:
  regions:
    description:
      - The regions to ask. Without any, O(usual), those in which labs were made from this computer, and those that the
        AWS tools are configured for.
    type: list
    elements: str
    default: []
  usual:
    description: The region in which labs are made.
    type: str
    default: us-west-2
  config:
    description: The directory that keeps keys and the like, as C(REGION/NAME/) for each lab on EC2.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: See where the lab is
  desi.lab.ec2_region_info:
    name: desi
    config: ~/.config/desi-lab
  register: found
"""

RETURN = r"""
regions:
  description: The regions in which there is something of the lab.
  returned: success
  type: list
  elements: str
asked:
  description: The regions that were asked. Empty where there are no credentials.
  returned: success
  type: list
  elements: str
owner:
  description: Who asks, for people.
  returned: success
  type: str
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.account import LITTLE_PATIENCE
from ..module_utils._aws.client import clients_of
from ..module_utils._aws.errors import aws_error, botocore_errors
from ..module_utils._aws.tags import Caller, caller_of
from ..module_utils._common.errors import LabError
from ..module_utils._ec2.resources import ADDRESS, SNAPSHOT, ResourceQuery
from ..module_utils._status.regions import configured_regions, has_credentials, known_labs, regions_to_ask

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "regions": {"type": "list", "elements": "str", "default": []},
    "usual": {"type": "str", "default": "us-west-2"},
    "config": {"type": "path", "required": True},
}
# What costs money, or lets somebody in. With these the rest is found, too.
KINDS = ("machine", "spot request", "disk", SNAPSHOT, ADDRESS, "security group", "key pair")


def inspect(module: AnsibleAWSModule, regions: list[str]) -> tuple[Caller, list[str]]:
    """Return the caller, and in which regions something is found."""
    client, name = clients_of(module), module.params["name"]
    caller = caller_of(client("sts", regions[0], LITTLE_PATIENCE).get_caller_identity())
    clients = {region: client("ec2", region, LITTLE_PATIENCE) for region in regions}
    owners = [owner for owner in (caller.owner, caller.former) if owner]

    def anything(region: str) -> bool:
        found = (ResourceQuery(clients[region], owner, name).everything(KINDS) for owner in owners)
        return any(resources for each in found for resources in each.values())

    with ThreadPoolExecutor(max_workers=8) as pool:
        return caller, [region for region, there in zip(regions, pool.map(anything, regions)) if there]


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    regions: list[str] = []
    if has_credentials(os.environ) or given["access_key"] or given["profile"]:
        regions = regions_to_ask(given["regions"], known_labs(Path(given["config"])), given["usual"], credentials=True)
        if not any(given["regions"]):
            regions = sorted({*regions, *configured_regions(os.environ)})
    if not regions:
        module.exit_json(changed=False, regions=[], asked=[], owner="")
    try:
        caller, found = inspect(module, regions)
    except LabError as error:
        module.fail_json(**error.as_result())
    except botocore_errors() as error:
        doing = f"see whether lab {given['name']} is on EC2"
        module.fail_json(**aws_error(error, doing, ", ".join(regions)).as_result())
    module.exit_json(changed=False, regions=found, asked=regions, owner=caller.name)


if __name__ == "__main__":
    main()
