# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return the owner tag of the caller's labs on EC2."""

from __future__ import annotations

import typing as t

import boto3
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils._aws.errors import aws_error, botocore_errors
from ..module_utils._aws.tags import caller_of

DOCUMENTATION = r"""
name: lab_owner
short_description: Owner tag of the caller's labs on EC2
version_added: "0.2.0"
author: "The DESI Lab contributors (@desi-lab)"
description:
  - Asks AWS who is calling, and returns what C(desi-lab:owner) of that caller's labs is.
  - An inventory that filters by it lists nobody else's instances.
options: {}
requirements:
  - boto3
"""

EXAMPLES = r"""
- name: Say whose labs are looked for
  ansible.builtin.debug:
    msg: "{{ lookup('desi.lab.lab_owner') }}"
"""

RETURN = r"""
_raw:
  description: The owner, as one text.
  type: list
  elements: str
"""


class LookupModule(LookupBase):
    """Query the caller, which needs no permission."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[str]:  # noqa: ANN401 - of Ansible
        try:
            owner = caller_of(boto3.client("sts", region_name="us-east-1").get_caller_identity()).owner
        except botocore_errors() as error:
            raise AnsibleLookupError(str(aws_error(error, "find out whose labs to list", ""))) from error
        if not owner:
            # An empty filter would find what has an empty tag.
            raise AnsibleLookupError("AWS does not say who is asking, so no lab can be told to be yours.")
        return [owner]
