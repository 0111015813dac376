# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether whoever asks may do what a lab needs: dry runs of all that changes something."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.desi.lab.plugins.module_utils._aws.actions import (
    ALWAYS,
    CHANGES,
    DISK,
    GROUP,
    KEY,
    LAUNCH,
    MACHINE,
    NEW,
    REQUEST,
    SPOT,
    START,
    Action,
    Things,
)
from ansible_collections.desi.lab.plugins.module_utils._aws.error_messages import FORBIDDEN
from ansible_collections.desi.lab.plugins.module_utils._aws.errors import AWS_ERRORS, code_of
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

# A launch with tags may be refused for the tags alone; the message then names that.
_NAMED = re.compile(r"not authorized to perform:? ?([a-z0-9-]+:\w+)")


class Outcome(t.NamedTuple):
    """What a dry run said. ``sure`` is whether a refusal means what it says."""

    action: Action
    refused: bool
    sure: bool
    named: str


def needed(state: str, spot: bool = False) -> list[Action]:
    """Return what a run may come to do when the machine is in some state, and later runs with what it made."""
    times = {ALWAYS}
    if state in ("stopping", "stopped"):
        times |= {START}
    if state == "absent":
        times |= {START, LAUNCH, *([SPOT] if spot else [])}
    return [action for action in CHANGES if action.when in times]


def dry_run(ec2: t.Any, action: Action, things: Things) -> Outcome:  # noqa: ANN401 - a client of botocore
    """Try something without doing it."""
    try:
        getattr(ec2, action.operation)(DryRun=True, **action.parameters(things))
    except AWS_ERRORS as error:
        return read_outcome(action, things, error)
    return Outcome(action, False, True, action.name)


def read_outcome(action: Action, things: Things, error: BaseException) -> Outcome:
    """Return what the answer to a dry run means. Anything but a refusal lets it pass: the real call will tell.

    A policy may allow an action only on what carries tags of ours, as docs/iam-policy.json does. What does not exist
    carries none, so a refusal is only sure for things that exist, or are to be made.
    """
    refused = code_of(error) in FORBIDDEN
    there = {NEW: True, MACHINE: bool(things.machine_id), GROUP: bool(things.group_id), KEY: bool(things.key_name)}
    sure = there.get(action.on, False) or "explicit deny" in str(error)
    return Outcome(action, refused, sure, action_of(error, action.name) if refused else action.name)


def action_of(error: BaseException, asked: str) -> str:
    """Return the action that a refusal names, else the one that was asked for."""
    named = _NAMED.search(str(error))
    return named[1] if named else asked


def judge(outcomes: t.Sequence[Outcome]) -> list[str]:
    """Return what is to be said, and refuse if something is missing for sure.

    Where all that is done to something that does not exist yet is refused alike, it may be for its lack of tags. Where
    only some of it is, that is what is missing.
    """
    alike = {kind for kind in (MACHINE, GROUP, KEY, DISK, REQUEST) if _all_refused(outcomes, kind)}
    missing = [
        outcome.named for outcome in outcomes if outcome.refused and (outcome.sure or outcome.action.on not in alike)
    ]
    if missing:
        raise refusal(missing)
    if MACHINE in alike:
        return ["Whether you may start, stop and delete the machine cannot be told before there is one."]
    return []


def _all_refused(outcomes: t.Sequence[Outcome], kind: str) -> bool:
    of_kind = [outcome for outcome in outcomes if outcome.action.on == kind and not outcome.sure]
    return bool(of_kind) and all(outcome.refused for outcome in of_kind)


def refusal(missing: t.Sequence[str]) -> LabError:
    """Return the failure that names all permissions that are missing."""
    names = ", ".join(dict.fromkeys(missing))
    return LabError(
        "Your permissions at AWS do not suffice for a lab, so nothing was begun.",
        f"Not allowed: {names}.",
        "ask whoever manages the AWS account to allow this · docs/iam-policy.json has all that DESI Lab needs",
    )
