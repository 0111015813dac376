# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prove that a lab is deleted: AWS has to say so of each id. That nothing is found is no proof."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from .._aws.errors import botocore_errors, code_of
from .._aws.pricing import Prices
from .._aws.tags import Caller, is_ours
from .key_pair import material
from .record import DISK, GROUP, INSTANCE, KEY, REQUEST, LabRecord, knows_resource
from .resources import SNAPSHOT, Found, Resource, ResourceQuery, exists, id_of, resource_rows

# How each kind is asked for by its id, where its id stands, and what AWS answers for one that there is not.
BY_ID = {
    INSTANCE: ("describe_instances", "InstanceIds", "Reservations", "InstanceId", "InvalidInstanceID.NotFound"),
    REQUEST: (
        "describe_spot_instance_requests",
        "SpotInstanceRequestIds",
        "SpotInstanceRequests",
        "SpotInstanceRequestId",
        "InvalidSpotInstanceRequestID.NotFound",
    ),
    DISK: ("describe_volumes", "VolumeIds", "Volumes", "VolumeId", "InvalidVolume.NotFound"),
    GROUP: ("describe_security_groups", "GroupIds", "SecurityGroups", "GroupId", "InvalidGroup.NotFound"),
    KEY: ("describe_key_pairs", "KeyPairIds", "KeyPairs", "KeyPairId", "InvalidKeyPair.NotFound"),
}
POLL_SECONDS = 1.0
# For so long AWS may not find what it has just made, neither by its tags nor by its id.
SETTLE_SECONDS = 20.0
_KEY_FILE, _CONFIG_FILE = "id_ed25519", "ssh_config"
_NAMED_INSTANCE = re.compile(r"^\s*HostKeyAlias\s+(i-[0-9a-f]{8,32})\s*$", re.MULTILINE)


def described(ec2: t.Any, kind: str, number: str) -> Resource | None:  # noqa: ANN401 - a client of botocore
    """Return a resource by its id; None where AWS answers that it does not exist, empty where AWS does not answer."""
    operation, parameter, rows, field, absent = BY_ID[kind]
    try:
        answer = getattr(ec2, operation)(**{parameter: [number]})
    except botocore_errors() as error:
        if code_of(error) == absent:
            return None
        raise
    every = answer.get(rows) or []
    flat = [item for row in every for item in row.get("Instances") or []] if kind == INSTANCE else every
    found = next((item for item in flat if item.get(field) == number), {})
    # EC2 tells of a cancelled request for some time, and a key pair alone lets nobody in: their instance counts.
    return None if not found and kind in (REQUEST, KEY) else found


def still_there(ec2: t.Any, kind: str, number: str) -> str:  # noqa: ANN401 - a client of botocore
    """Return why a resource may still exist; empty where AWS says that it is gone."""
    found = described(ec2, kind, number)
    if found is None:
        return ""
    if not found:
        return f"AWS does not say what became of the {kind} {number}"
    return f"the {kind} {number} is still there" if exists(kind, found) else ""


def with_recorded(
    query: ResourceQuery, found: t.Mapping[str, list[dict[str, t.Any]]], record: LabRecord, age: float
) -> dict[str, list[dict[str, t.Any]]]:
    """Return what was found by tags and, of the kinds of which nothing was, what is recorded and AWS has by its id.

    What was made a moment ago may not be found by its tags yet, nor by its id. So that is waited for: ``age`` is how
    many seconds ago the record was written.
    """
    end = query.clock() + SETTLE_SECONDS - age
    more = dict(found)
    while True:
        for kind in (kind for kind in BY_ID if kind in more and not more[kind]):
            numbers = record.ids(kind)
            each = [described(query.ec2, kind, number) for number in numbers]
            more[kind] = [
                dict(one) for one in each if one and exists(kind, one) and is_ours(one, query.name, query.owner)
            ]
            if kind == INSTANCE and not record.tokens and all(each):
                # Each of them is known to be terminated, or to have other tags by now.
                end = query.clock()
        if more[INSTANCE] or not (record.tokens or record.ids(INSTANCE)) or query.clock() >= end:
            return more
        query.sleep(POLL_SECONDS)
        more.update(query.everything((INSTANCE,)))


def known_rows(
    found: Found, record: LabRecord | None, key: str, prices: Prices | None = None
) -> list[dict[str, t.Any]]:
    """Return a row for each resource, with whether it was made from here. ``key`` is the lab's public key."""
    record = record and record.with_launched(found.get(INSTANCE) or ())
    known = {
        (kind, id_of(kind, resource)): knows_resource(record, kind, resource, key)
        for kind in found
        for resource in found[kind]
    }
    return [{**row, "known": known[row["kind"], row["id"]]} for row in resource_rows(found, prices)]


def nothing_known(rows: t.Iterable[t.Mapping[str, t.Any]], record: LabRecord | None) -> bool:
    """Return whether rows have nothing of the lab that was made here. What is left of others proves nothing."""
    return not any(row["kind"] != SNAPSHOT and (record is None or row["known"]) for row in rows)


def deletion_doubt(
    ec2: t.Any,  # noqa: ANN401 - as above
    directory: str,
    record: LabRecord | None,
    caller: Caller,
    confirmed: t.Container[tuple[str, str]] = (),
) -> str:
    """Return why the keys of a lab that is not found must be kept; empty where they may be removed.

    ``confirmed`` is what AWS has just said to be gone, each a kind and an id.
    """
    if record is not None:
        recorded = [(kind, number) for kind in BY_ID for number in record.ids(kind)]
        said = [still_there(ec2, kind, number) for kind, number in recorded if (kind, number) not in confirmed]
        found = [sentence for sentence in said if sentence]
        return f"Nothing has its tags, but {', and '.join(found)}." if found else ""
    if not directory:
        return ""
    number = configured_instance(directory)
    if not number and not Path(directory, _KEY_FILE).exists():
        return ""
    # Whoever finds it deleted asks where it was. That it is not found, another account would say, too.
    if number and _is_terminated(ec2, number):
        return ""
    return f"This computer does not remember who made it, and {caller.words} sees nothing that has its tags."


def _is_terminated(ec2: t.Any, number: str) -> bool:  # noqa: ANN401 - a client of botocore
    try:
        found = described(ec2, INSTANCE, number)
    except botocore_errors() as error:
        if code_of(error) == "InvalidInstanceID.Malformed":
            return False
        raise
    return bool(found) and not exists(INSTANCE, found or {})


def configured_instance(directory: str) -> str:
    """Return the instance id in a lab's SSH configuration; empty where there is none."""
    try:
        with Path(directory, _CONFIG_FILE).open(encoding="utf-8", errors="replace") as file:
            found = _NAMED_INSTANCE.search(file.read(64 * 1024))
    except OSError:
        return ""
    return found[1] if found else ""


def local_key(directory: str) -> str:
    """Return the lab's public key without its comment; empty if there is none."""
    try:
        with Path(directory, f"{_KEY_FILE}.pub").open(encoding="utf-8", errors="replace") as file:
            return material(file.read(16 * 1024))
    except OSError:
        return ""


def fits(directory: str, found: Found) -> bool:
    """Return whether the lab found is the one whose keys are in a directory without a record.

    A directory without a key is anybody's.
    """
    if not directory or not Path(directory, _KEY_FILE).exists():
        return True
    named, mine = configured_instance(directory), local_key(directory)
    ids = {one["InstanceId"] for one in found.get(INSTANCE) or ()}
    keys = {material(str(one.get("PublicKey") or "")) for one in found.get(KEY) or ()}
    return bool((named and named in ids) or (mine and mine in keys))
