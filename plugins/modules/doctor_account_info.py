#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor_account_info
short_description: Check whether an AWS account has what a lab on EC2 needs
version_added: "0.1.0"
description:
  - Verifies the caller, the default VPC, the vCPU quota, and by dry runs whether all
    that a lab needs is allowed. Makes nothing.
  - Looks for what carries the tags of labs and belongs to none, and tells what it costs and how to remove it. What
    lacks these tags is not looked at.
  - Where there are no credentials, only that is reported.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.aws.instance
  - desi.lab.attributes.info_module
options:
  name:
    description: The name of the lab.
    type: str
    default: desi
  regions:
    description: Further regions in which to look for what was left behind.
    type: list
    elements: str
    default: []
  config:
    description:
      - The directory that keeps what leads to labs, as C(REGION/NAME/). A lab that another run works on is left alone.
    type: path
    default: ""
  prices:
    description: The table of prices, for the costs of what was left behind.
    type: dict
    default: {}
  seconds:
    description: How long all of it may take.
    type: float
    default: 8
"""

EXAMPLES = r"""
- name: Check the account
  desi.lab.doctor_account_info:
    instance_types: [t3.xlarge]
  register: doctor
"""

RETURN = r"""
findings:
  description: The findings, in the order of the report, as RV(desi.lab.doctor_info#module:findings) has them.
  returned: always
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.account import account_of
from ..module_utils._aws.errors import botocore_errors
from ..module_utils._common.errors import LabError
from ..module_utils._doctor.aws_account import account_findings, without
from ..module_utils._doctor.findings import Check, Finding, all_findings, from_error
from ..module_utils._ec2.discovery import LabSpec

# A doctor is waited for; a plan that is to cost money may take longer.
QUICK = {"connect_timeout": 3, "read_timeout": 4, "retries": {"mode": "standard", "max_attempts": 2}}

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "default": "desi"},
    "instance_types": {"type": "list", "elements": "str", "default": ["t2.micro"]},
    "disk_gib": {"type": "int", "default": 30},
    "os": {"type": "str", "choices": ["amazon", "ubuntu"], "default": "amazon"},
    "security_group": {"type": "str", "default": "jupyter"},
    "subnet": {"type": "str", "default": ""},
    "spot": {"type": "bool", "default": False},
    "regions": {"type": "list", "elements": "str", "default": []},
    "config": {"type": "path", "default": ""},
    "prices": {"type": "dict", "default": {}},
    "seconds": {"type": "float", "default": 8},
}


def spec_of(given: t.Mapping[str, t.Any], region: str) -> LabSpec:
    """Return the spec of the lab that the account is checked for. Its access makes no difference."""
    names = ("name", "instance_types", "disk_gib", "os", "security_group", "subnet", "spot", "prices")
    more = {"access": "tunnel", "port": 8888, "allow_from": [], "release": "", "public_key": ""}
    return LabSpec(**{name: given[name] for name in names}, region=region, **more)


def checks(module: t.Any) -> list[Check]:  # noqa: ANN401 - an AnsibleAWSModule
    """Return the checks. The options are read here, because they may end the module."""
    given, region = module.params, module.region or ""
    module.params["aws_config"] = {**QUICK, **(given.get("aws_config") or {})}
    account = account_of(module, given["seconds"])
    regions = list(dict.fromkeys([region, *given["regions"]]))

    def look() -> list[Finding]:
        return account_findings(account, spec_of(given, region), regions, given["config"])

    return [Check("account", "AWS account", look, given["seconds"])]


def main() -> None:
    """Run the module, in a bounded time."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True, check_boto3=False)
    try:
        found = (
            all_findings(checks(module))
            if botocore_errors()
            else [without("the Python package boto3 is not installed")]
        )
    except LabError as error:
        found = [from_error("account", "AWS account", error)]
    module.exit_json(changed=False, findings=[finding.as_result() for finding in found])


if __name__ == "__main__":
    main()
