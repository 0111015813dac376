# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of launching and starting an instance."""

from __future__ import annotations

import typing as t

from .._aws.errors import plain
from .._aws.tags import lab_option, tags_of
from .._common.errors import LabError
from .._common.text import name_option
from .run_instances import STOPS, facts_of, reason_code, state_of

AGAIN = "run the same command again: it goes on from here"

# Families with instances of about the same size and price, for the same images.
_LIKE = {
    "t2": ("t3", "t3a"),
    "t3": ("t3a", "t2"),
    "t3a": ("t3", "t2"),
    "m5": ("m6i", "m5a"),
    "m6i": ("m5", "m7i"),
    "m7i": ("m6i", "m5"),
    "r5": ("r6i", "r5a"),
    "r6i": ("r5", "r7i"),
    "r7i": ("r6i", "r5"),
    "c5": ("c6i", "c5a"),
    "c6i": ("c5", "c7i"),
    "c7i": ("c6i", "c5"),
    "m6g": ("m7g",),
    "m7g": ("m6g",),
}
_NEXT_REGION = {"us-west-2": "us-east-1", "us-east-1": "us-east-2", "us-east-2": "us-east-1"}


def alternatives(types: t.Sequence[str]) -> list[str]:
    """Return types that could be asked for, too: those that were, then their like."""
    like = [
        f"{other}.{size}"
        for kind in types
        for family, _dot, size in [kind.partition(".")]
        for other in _LIKE.get(family, ())
    ]
    return list(dict.fromkeys([*types, *like]))


def no_capacity(tried: t.Sequence[t.Mapping[str, str]], region: str, out_of_time: bool) -> LabError:
    """Error: the instance is not available in any of the ways that were wanted."""
    types = list(dict.fromkeys(row["type"] for row in tried))
    rows = [
        f"{row['type']} in {row['zone']}{' (spot)' if row['market'] == 'spot' else ''}: {row['reason']}"
        for row in tried
    ]
    why = "; ".join(rows) + (". There was no time to try more." if out_of_time else ".")
    more = alternatives(types)
    proposals = ["try again later"]
    if len(more) > len(types):
        proposals.append(f"give several types: -e lab_instance_type={','.join(more)}")
    proposals.append(f"use another region: -e lab_region={_NEXT_REGION.get(region, 'us-west-2')}")
    what = f"AWS has no machine for the lab{f' in {region}' if region else ''} at this moment."
    return LabError(what, why, " · ".join(proposals))


def only_terminated() -> LabError:
    """Error: every instance of this lab that EC2 has recorded is terminated."""
    return LabError(
        "It was not possible to start a machine for the lab.",
        "Too many machines of this lab were made and terminated within a day.",
        "give the lab another name: -e lab_name=…",
    )


def no_place_to_start(instance: t.Mapping[str, t.Any], why: str) -> LabError:
    """Error: a stopped instance cannot be started, because its zone is full."""
    view, named = facts_of(instance), lab_option(tags_of(instance))
    other = next((kind for kind in alternatives([view["type"]]) if kind != view["type"]), "…")
    # AWS changes the type of no spot machine.
    change = f"choose another type, ./lab update{named} -e lab_instance_type={other}, or " * (view["market"] != "spot")
    return LabError(
        f"The lab's machine {view['id']} cannot be started at this moment.",
        f"AWS has {why} for {view['type']} in {view['zone']}, and the disk with the lab's files lies in that zone.",
        f"try again later, the files are kept · if it lasts, {change}give it up with ./lab down{named} and start over",
    )


def spot_waits(instance: t.Mapping[str, t.Any]) -> LabError:
    """Error: a spot instance was stopped by AWS, which alone can start it."""
    return LabError(
        f"The lab's machine {facts_of(instance)['id']} cannot be started at this moment.",
        "It is a spot machine that AWS has stopped, and AWS starts it by itself as soon as it has room.",
        "try again later, the files are kept",
    )


def several_instances(instances: t.Sequence[t.Mapping[str, t.Any]], name: str) -> LabError:
    """Error: a lab has more instances than one, which nothing here makes."""
    rows = ", ".join(f"{facts_of(instance)['id']} ({state_of(instance)})" for instance in instances)
    return LabError(
        f"The lab {name} has {len(instances)} machines.",
        f"Each of these carries its tags: {rows}.",
        "terminate in the console the one that you do not need, or remove all of them with "
        f"./lab down{name_option(name)}",
    )


def foreign_instance(instance: t.Mapping[str, t.Any], name: str) -> LabError:
    """Error: an instance has the tags of a lab, and was made by somebody else or elsewhere."""
    return LabError(
        f"The machine {facts_of(instance)['id']} has the tags of lab {name}, and was not made from this computer.",
        "It came a moment ago: another computer makes a lab of that name, or somebody has set tags that are not his.",
        "run the same command again: it asks whether the machine is yours · or use another name: -e lab_name=NAME",
    )


_DEATHS = {
    "Client.VolumeLimitExceeded": (
        "The quota of your account for disks is used up.",
        "delete disks that are not needed in the console, or take a smaller one: -e lab_disk_gib=…",
    ),
    "Client.InternalError": (
        "Its disk could not be used: most often the key that encrypts disks is one that you may not use.",
        "see in the console, under EBS encryption, that the default key is aws/ebs or one that you may use",
    ),
    "Client.InvalidSnapshot.NotFound": (
        "The disk of its image is missing.",
        "try again, or choose another -e lab_os=…",
    ),
    "Server.InsufficientInstanceCapacity": ("AWS had no room for it after all.", AGAIN),
    "Server.InternalError": ("AWS had trouble of its own.", AGAIN),
    "Server.SpotInstanceTermination": ("AWS took the spot machine back.", f"{AGAIN} · or leave out lab_spot"),
    "Server.SpotInstanceShutdown": ("AWS took the spot machine back.", f"{AGAIN} · or leave out lab_spot"),
    "Server.ScheduledStop": ("AWS stopped it for maintenance.", AGAIN),
    "Client.UserInitiatedShutdown": ("Somebody stopped or terminated it in the meantime.", AGAIN),
    "Client.InstanceInitiatedShutdown": ("It shut itself down.", AGAIN),
}


def died(instance: t.Mapping[str, t.Any]) -> LabError:
    """Error: an instance ended while it was being started."""
    message = plain(str((instance.get("StateReason") or {}).get("Message") or "")).strip().rstrip(".")
    said = f"AWS says: {message}." if message else "AWS does not say why."
    why, do = _DEATHS.get(reason_code(instance), (said, AGAIN))
    ended = "stopped" if state_of(instance) in STOPS else "ended"
    return LabError(f"The machine {facts_of(instance)['id']} {ended} while it was being started.", why, do)


def too_slow(instance: t.Mapping[str, t.Any], seconds: float) -> LabError:
    """Error: an instance is not ready yet."""
    view = facts_of(instance)
    what = f"The machine {view['id']} is not ready after {seconds:g} seconds."
    if view["state"] == "running":
        return LabError(
            what,
            "It runs, but has no public address.",
            "see in the console that its subnet leads to the internet, or give another: -e lab_subnet=subnet-…",
        )
    return LabError(what, f"AWS says that it is {view['state']}.", AGAIN)


def no_attempts() -> LabError:
    """Error: there is nothing to use, and no way was given to make one."""
    return LabError(
        "No machine is made.",
        "No type and zone were given in which to make it, as if there were one already.",
        "Run the same command again: it makes a new plan.",
    )
