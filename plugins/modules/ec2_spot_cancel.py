#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_spot_cancel
short_description: Cancel spot requests, also those whose instance is stopped
version_added: "0.1.0"
description:
  - Cancels requests for spot instances by their ids. Instances that they made stay.
  - C(amazon.aws.ec2_spot_instance) leaves a request alone whose instance is stopped; this does not.
author:
  - The DESI Lab contributors (@desi-lab)
extends_documentation_fragment:
  - desi.lab.aws
  - desi.lab.attributes
options:
  ids:
    description: The requests. One that does not exist any more is no error.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Cancel the request
  desi.lab.ec2_spot_cancel:
    ids: [sir-0123abcd]
"""

RETURN = r"""
cancelled:
  description: The requests that were open.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.desi.lab.plugins.module_utils._aws.client import aws_client
from ansible_collections.desi.lab.plugins.module_utils._aws.errors import AWS_ERRORS, aws_error
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import OPEN_REQUESTS


def open_among(ec2: t.Any, ids: list[str]) -> list[str]:  # noqa: ANN401 - a client of botocore
    """Return those requests that are open; a filter does not mind ids that do not exist."""
    filters = [{"Name": "spot-instance-request-id", "Values": ids}]
    pages = ec2.get_paginator("describe_spot_instance_requests").paginate(Filters=filters) if ids else []
    found = [item for page in pages for item in page["SpotInstanceRequests"]]
    return [item["SpotInstanceRequestId"] for item in found if item["State"] in OPEN_REQUESTS]


def main() -> None:
    """Cancel what is open."""
    module = AnsibleAWSModule(
        argument_spec={"ids": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True
    )
    try:
        ec2 = aws_client(module, "ec2")
        found = open_among(ec2, module.params["ids"])
        if found and not module.check_mode:
            ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=found)
    except LabError as error:
        module.fail_json(**error.as_result())
    except AWS_ERRORS as error:
        module.fail_json(**aws_error(error, "cancel the spot request", module.region or "").as_result())
    module.exit_json(changed=bool(found), cancelled=found)


if __name__ == "__main__":
    main()
