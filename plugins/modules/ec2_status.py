#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_status
short_description: Report status, costs and scheduled stops of labs on EC2
version_added: "0.1.0"
description:
  - Asks AWS, and the instances that run themselves over SSH, all side by side and in a time that is bounded.
  - A region that cannot be asked is no failure. The result says why, and the others are reported.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.attributes.info_module
options:
  where:
    description: Where labs are looked for. V(here) asks nobody; V(ec2) asks even where there may be no credentials.
    type: str
    choices: [auto, here, ec2]
    default: auto
  regions:
    description:
      - The regions to ask. Empty means those of labs that were made from this computer, and O(usual) where this
        computer has credentials for AWS.
    type: list
    elements: str
    default: []
  usual:
    description: The region in which labs are made.
    type: str
    default: us-west-2
  config:
    description: The directory that keeps keys and the like for labs on EC2, as C(REGION/NAME/).
    type: path
    required: true
  prices:
    description: A dated table of prices, as M(desi.lab.ec2_plan) takes it.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: See all labs on EC2
  desi.lab.ec2_status:
    config: ~/.config/desi-lab
  register: elsewhere
"""

RETURN = r"""
labs:
  description: A row for each lab, as docs/status.schema.json describes it.
  returned: success
  type: list
  elements: dict
unseen:
  description: Why labs in some regions cannot be seen, as sentences.
  returned: success
  type: list
  elements: str
"""

import os
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils._aws.account import COMMON_REGION, LITTLE_PATIENCE, Account
from ..module_utils._aws.client import clients_of
from ..module_utils._aws.error_messages import OPEN_REGIONS
from ..module_utils._aws.errors import aws_error, botocore_errors
from ..module_utils._common.errors import LabError
from ..module_utils._ssh.tunnel import open_ports
from ..module_utils._status import remote_probe as status_remote_probe
from ..module_utils._status.ec2 import Region
from ..module_utils._status.regions import (
    Known,
    has_credentials,
    known_labs,
    regions_to_ask,
    reported_once,
    unknown_region,
)

# Somebody waits for the answer. What AWS does not say at once is unknown.
CREDENTIALS_SECONDS = 20.0
LEAST_PATIENCE = {"retries": {"mode": "standard", "max_attempts": 1}, "connect_timeout": 1, "read_timeout": 2}

ARGUMENTS = {
    "where": {"type": "str", "choices": ["auto", "here", "ec2"], "default": "auto"},
    "regions": {"type": "list", "elements": "str", "default": []},
    "usual": {"type": "str", "default": "us-west-2"},
    "config": {"type": "path", "required": True},
    "prices": {"type": "dict", "default": {}},
}


def every_region() -> list[str]:
    """Return the names of all regions, as botocore knows them. To read that takes a tenth of a second."""
    from boto3.session import Session

    session = Session()
    return [name for part in session.get_available_partitions() for name in session.get_available_regions("ec2", part)]


def accounts(module: AnsibleAWSModule, regions: t.Sequence[str]) -> tuple[list[Account], list[tuple[str, str]]]:
    """Return the account of each region, and why some cannot be queried. Clients are made one after the other: botocore
    does not make them side by side."""
    every = [] if set(regions) <= set(OPEN_REGIONS) else every_region()
    client, made, failures = clients_of(module, CREDENTIALS_SECONDS), [], []
    for region in regions:
        why = unknown_region(region, every)
        if why:
            failures.append((region, why))
            continue
        clients = {service: client(service, region, LITTLE_PATIENCE) for service in ("ec2", "sts")}
        clients["scheduler"] = client("scheduler", region, LEAST_PATIENCE)
        clients["pricing"] = client("pricing", COMMON_REGION, LEAST_PATIENCE)
        made.append(Account(clients, region))
    return made, failures


def tunnels(known: Known) -> dict[str, int]:
    """Return the local ports of tunnels to labs, by region and name; none where that is unknown."""
    directories = {str(directory): "/".join(lab) for lab, directory in known.items()}
    try:
        return (
            {directories[directory]: port for directory, port in open_ports(directories).items()} if directories else {}
        )
    except LabError:
        return {}


class Seen(t.NamedTuple):
    """The labs of a region, why they cannot be seen, and sentences on those that others made from here."""

    labs: list[dict[str, t.Any]]
    failures: list[tuple[str, str]]
    of_others: list[str]


def seen(region: Region) -> Seen:
    """Return what can be seen of a region."""
    try:
        return Seen(region.labs(), [], region.of_others())
    except botocore_errors() as error:
        return Seen([], [(region.region, unseen(aws_error(error, "see labs", region.region)))], [])
    except LabError as error:
        return Seen([], [(region.region, unseen(error))], [])


def unseen(error: LabError) -> str:
    """Return why labs cannot be seen and what to do about it."""
    return f"{error.why} To see them: {error.do.rstrip('.')}."


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    known = known_labs(Path(given["config"]))
    credentials = given["where"] == "ec2" or has_credentials(os.environ)
    regions = regions_to_ask(given["regions"], known, given["usual"], credentials)
    if given["where"] == "here" or not regions:
        module.exit_json(changed=False, labs=[], unseen=[])
    try:
        found, failures = accounts(module, regions)
    except LabError as error:
        found, failures = [], [(region, unseen(error)) for region in regions]
    open_now, program = tunnels(known), status_remote_probe.source()
    asked = [Region(account, known, given["prices"], open_now, program) for account in found]
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        answers = list(pool.map(seen, asked))
    labs = [lab for answer in answers for lab in answer.labs]
    failures += [failure for answer in answers for failure in answer.failures]
    module.exit_json(
        changed=False,
        labs=sorted(labs, key=lambda lab: (lab["name"], lab["region"], lab["id"])),
        unseen=[*reported_once(failures), *(sentence for answer in answers for sentence in answer.of_others)],
    )


if __name__ == "__main__":
    main()
