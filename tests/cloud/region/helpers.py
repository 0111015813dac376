# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for faults.py, each as a function, for tests to call by name."""

from __future__ import annotations

from region.faults import Rule
from region.words import ACCOUNT


def error(action: str, code: str, message: str = "", *, status: int = 400, **more: object) -> Rule:
    """Return the rule by which a call is answered by an error. ``more``: service, zone, type, spot, match, times."""
    return {"kind": "call", "action": action, "code": code, "message": message or code, "status": status, **more}


def capacity(zone: str = "", instance_type: str = "", **more: object) -> Rule:
    """Return the rule that there is no capacity: in a zone, for a type, for both together, or nowhere."""
    where = {name: value for name, value in (("zone", zone), ("type", instance_type)) if value}
    message = (
        f"We currently do not have sufficient {instance_type or 'instance'} capacity in the Availability Zone you "
        f"requested{f' ({zone})' if zone else ''}. Our system will be working on provisioning additional capacity."
    )
    return error("RunInstances", "InsufficientInstanceCapacity", message, status=500, **where, **more)


def no_spot(**more: object) -> Rule:
    """Return the rule that there is no spot capacity; on-demand machines can be had."""
    message = "There is no Spot capacity available that matches your request."
    return error("RunInstances", "InsufficientInstanceCapacity", message, status=500, spot=True, **more)


def throttled(action: str, times: int) -> Rule:
    """Return the rule that the next calls are too many."""
    return error(action, "RequestLimitExceeded", "Request limit exceeded.", status=503, times=times)


def denied(action: str, service: str = "ec2", user: str = "ann") -> Rule:
    """Return the rule that somebody has no permission for an action, which a dry run tells, too."""
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:user/{user} is not authorized to perform: {service}:{action} "
        f"because no identity-based policy allows the {service}:{action} action"
    )
    if service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
        return error(action, "UnauthorizedOperation", message, status=403, service=service)
    code = "AccessDenied" if service in ("iam", "sts") else "AccessDeniedException"
    return error(action, code, message, status=403, service=service)


def quota(vcpus: int) -> Rule:
    """Return the rule that the account may run this many vCPUs."""
    return {"kind": "quota", "vcpus": vcpus}


def failed_after(action: str, **more: object) -> Rule:
    """Return the rule that a call takes effect and is answered by an error: once, if not told otherwise."""
    return error(
        action, "InternalError", "An internal error has occurred", status=500, after=True, **{"times": 1, **more}
    )


def dropped_after(action: str, **more: object) -> Rule:
    """Return the rule that a call takes effect and its connection breaks: once, if not told otherwise."""
    return error(action, "-", status=500, after=True, drop=True, **{"times": 1, **more})


def wrong_clock(service: str = "") -> Rule:
    """Return the rule that the clock of the caller is wrong, in the words of each service."""
    return {"kind": "call", "code": "wrong_clock", "status": 403, **({"service": service} if service else {})}


def expired_token() -> Rule:
    """Return the rule that the session of the caller has ended, in the words of each service."""
    return {"kind": "call", "code": "expired_token", "status": 400}


def bad_keys() -> Rule:
    """Return the rule that nobody knows the caller's keys, in the words of each service."""
    return {"kind": "call", "code": "bad_keys", "status": 401}


def slow_boot(seconds: float, **more: object) -> Rule:
    """Return the rule that a machine stays pending for a while."""
    return {"kind": "slow_boot", "seconds": seconds, **more}


def ssh_late(seconds: float) -> Rule:
    """Return the rule that machines are reached by SSH only that long after they have booted."""
    return {"kind": "ssh_late", "seconds": seconds}


def ssh_refused() -> Rule:
    """Return the rule that machines are not reached by SSH."""
    return {"kind": "ssh_refused"}


def ssh_another_host() -> Rule:
    """Let the next machine have another host key than the one that it was given, as if somebody were in between."""
    return {"kind": "ssh_another_host"}


def ssh_rejects_key() -> Rule:
    """Return the rule that machines that are made meanwhile know another key than the one they were given."""
    return {"kind": "ssh_rejects_key"}


def dies(seconds: float, end: str = "terminated", **more: object) -> Rule:
    """Return the rule that a machine dies that long after it has booted: it is terminated, stopped, or silent."""
    return {"kind": "dies", "seconds": seconds, "as": end, **more}


def closed_is_silent() -> Rule:
    """Return the rule that a port that is not allowed does not answer, as on EC2, where by default it refuses."""
    return {"kind": "closed_is_silent"}
