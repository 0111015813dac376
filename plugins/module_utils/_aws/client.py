# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make clients of AWS whose errors are LabErrors."""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.botocore import boto3_inventory_conn, get_aws_connection_info

from ansible_collections.desi.lab.plugins.module_utils._aws.errors import AWS_ERRORS, aws_error

# The standard mode waits at random and AWS says when to give up. Nobody watches a screen for longer.
PATIENCE = {"retries": {"mode": "standard", "max_attempts": 4}, "connect_timeout": 10, "read_timeout": 30}


def aws_client(module: t.Any, service: str, patience: t.Mapping[str, t.Any] | None = None) -> t.Any:  # noqa: ANN401 - of botocore
    """Return a client of a service, made as the options of an AnsibleAWSModule say."""
    region, endpoint, options = get_aws_connection_info(module)
    options.setdefault("config", dict(patience or PATIENCE))
    try:
        return boto3_inventory_conn(
            conn_type="client", resource=service, region=region or None, endpoint=endpoint or None, **options
        )
    except (*AWS_ERRORS, ValueError) as error:
        raise aws_error(error, "reach AWS", region or "") from error
