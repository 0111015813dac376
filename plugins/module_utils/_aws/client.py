# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make clients of AWS whose errors are LabErrors."""

from __future__ import annotations

import contextlib
import os
import typing as t
from functools import lru_cache

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info

from .._common import errors
from .credentials import SECONDS, as_the_aws_cli, session_of
from .errors import aws_error, botocore_errors

# The standard mode waits at random and AWS says when to give up. Nobody watches a screen for longer.
PATIENCE = {"retries": {"mode": "standard", "max_attempts": 4}, "connect_timeout": 10, "read_timeout": 30}
# Of one client, which threads share.
WORKERS = 24

Clients = t.Callable[..., t.Any]


def aws_client(module: t.Any, service: str) -> t.Any:  # noqa: ANN401 - of botocore
    """Return a client of a service, made as the options of an AnsibleAWSModule say."""
    return clients_of(module)(service)


# Of one module: a program that is asked for credentials is asked once.
@lru_cache(maxsize=1)
def clients_of(module: t.Any, seconds: float = SECONDS) -> Clients:  # noqa: ANN401 - an AnsibleAWSModule
    """Return what makes a client of a service, in a region other than the module's and with other timeouts if given.

    They share a session: what botocore reads from its files to make one takes longer than many queries do.
    ``seconds`` is how long its credentials are waited for.
    """
    # Where they are missing, AnsibleAWSModule has said so before.
    from botocore.config import Config

    module.params.update(as_the_aws_cli(module.params, os.environ))
    region, endpoint, options = get_aws_connection_info(module)
    profile, more = options.pop("profile_name", None), options.pop("aws_config", None)
    session = session_of(profile, bool(options["aws_access_key_id"]), region, seconds)

    def client(service: str, place: str | None = None, patience: t.Mapping[str, t.Any] = PATIENCE) -> t.Any:  # noqa: ANN401 - one of botocore
        config = Config(max_pool_connections=WORKERS, **patience)
        config = config.merge(more) if more else config
        where = place or region or None
        try:
            return session.client(service, region_name=where, endpoint_url=endpoint or None, config=config, **options)
        except (*botocore_errors(), ValueError) as error:
            raise aws_error(error, "reach AWS", where or "") from error

    return client


@contextlib.contextmanager
def failing(module: t.Any, doing: str, **more: t.Any) -> t.Iterator[None]:  # noqa: ANN401 - an AnsibleAWSModule
    """Let a module fail with what went wrong, and with ``more`` in its result; ``doing`` is as aws_error takes it."""
    with errors.failing(module, **more):
        try:
            yield
        except botocore_errors() as error:
            raise aws_error(error, doing, module.region or "") from error
