# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How modules of DESI Lab reach AWS: the options that modules of amazon.aws have, told here for readers without it."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that every AnsibleAWSModule has. Set them once, as C(module_defaults) of the group desi.lab.aws."""

    DOCUMENTATION = r"""
options:
  region:
    description: The AWS region. Without one, that of E(AWS_REGION) or of the AWS configuration.
    type: str
    aliases: [aws_region]
  profile:
    description: The profile of the AWS configuration whose credentials are used. Without one, that of E(AWS_PROFILE).
    type: str
    aliases: [aws_profile]
  access_key:
    description: The id of an access key. It is better left to the environment or to the AWS configuration.
    type: str
    aliases: [aws_access_key_id, aws_access_key]
  secret_key:
    description: The secret of that access key.
    type: str
    aliases: [aws_secret_access_key, aws_secret_key]
  session_token:
    description: The token of a session that ends by itself.
    type: str
    aliases: [aws_session_token]
  endpoint_url:
    description: The URL of what answers in place of AWS, such as a stand-in for tests.
    type: str
    aliases: [aws_endpoint_url]
  validate_certs:
    description: Whether the certificate of AWS has to be valid.
    type: bool
    default: true
  aws_ca_bundle:
    description: A file with the certificate authorities that are trusted.
    type: path
  aws_config:
    description: Settings of botocore's client, by name.
    type: dict
  debug_botocore_endpoint_logs:
    description: Whether the calls that were made are listed in the result.
    type: bool
    default: false
requirements:
  - boto3
"""

    LAB = r"""
options:
  name:
    description: The name of the lab.
    type: str
    required: true
"""

    OWNED_LAB = r"""
options:
  name:
    description: The name of the lab.
    type: str
    required: true
  owner:
    description: Whose lab it is, as its tags say it.
    type: str
    required: true
"""

    INSTANCE = r"""
options:
  instance_types:
    description: The types of instance that will do, the best first.
    type: list
    elements: str
    default: [t2.micro]
  disk_gib:
    description: The size of the disk in GiB. It is never smaller than that of the system's image.
    type: int
    default: 30
  os:
    description: The system, Amazon Linux 2023 or Ubuntu 24.04.
    type: str
    choices: [amazon, ubuntu]
    default: amazon
  security_group:
    description: The name of the security group. Where that is not free, it has the lab's name behind it.
    type: str
    default: jupyter
  subnet:
    description: The subnet for the instance. Empty means the default subnets of the default VPC.
    type: str
    default: ""
  spot:
    description: Whether a spot instance is tried first.
    type: bool
    default: false
"""
