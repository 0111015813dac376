# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What calls are called of services that do not say it, but have a path for each."""

from __future__ import annotations

import functools
import re

from botocore.session import get_session

SERVICES = ("scheduler",)


@functools.cache
def operations(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Return the operations of a service: method, path, name."""
    model = get_session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(http["requestUri"].split("?")[0]))
        found.append((http["method"], re.compile(path), name))
    return found


def action_of(service: str, method: str, path: str) -> str:
    """Return what a call is called; empty for a service that says it itself, and for a path that leads nowhere."""
    if service not in SERVICES:
        return ""
    # An ARN in a path has slashes of its own.
    place = re.sub(r"^/tags/.*", "/tags/arn", path)
    return next((name for verb, known, name in operations(service) if verb == method and known.fullmatch(place)), "")
