# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of labs on EC2: rows for people, from what the EC2 API says of everything that carries our tags."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import Prices
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import (
    ACCESS_TAG,
    NAME_TAG,
    OS_TAG,
    PORT_TAG,
    RELEASE_TAG,
    tags_of,
)
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import time_text
from ansible_collections.desi.lab.plugins.module_utils._ec2.ami import USERS
from ansible_collections.desi.lab.plugins.module_utils._ec2.expiry import is_for
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import KINDS, SCHEDULES, Thing
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import market_of, seen, state_of

Found = t.Mapping[str, t.Sequence[Thing]]


_WHEN = re.compile(r"\((\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) GMT\)")


def lab_rows(machines: t.Iterable[Thing], region: str) -> list[dict[str, t.Any]]:
    """Return what ``status`` says of labs, a row for each machine, in the same words as of labs on this computer."""
    return sorted((_lab_row(machine, region) for machine in machines), key=lambda row: (row["name"], row["id"]))


def _lab_row(machine: Thing, region: str) -> dict[str, t.Any]:
    tags, view = tags_of(machine), seen(machine)
    port = tags.get(PORT_TAG, "")
    return {
        "name": tags.get(NAME_TAG, ""),
        "where": f"ec2 {region}",
        "state": view["state"],
        "since": _since(machine),
        "release": tags.get(RELEASE_TAG, ""),
        "image": "",
        "image_newer": None,
        "data": "",
        "mount": "",
        "mount_answers": None,
        "folder": "",
        "address": view["address"],
        "port": int(port) if port.isascii() and port.isdigit() else 0,
        "server_answers": None,
        "access": tags.get(ACCESS_TAG, ""),
        "os": tags.get(OS_TAG, ""),
        "user": USERS.get(tags.get(OS_TAG, ""), USERS["amazon"]),
        "id": view["id"],
        "type": view["type"],
        "zone": view["zone"],
        "market": view["market"],
    }


def _since(machine: Thing) -> str:
    """Return when a machine came into its state, as far as AWS says it."""
    if state_of(machine) in ("pending", "running"):
        launched = machine.get("LaunchTime")
        return time_text(launched) if isinstance(launched, datetime) else str(launched or "")
    found = _WHEN.search(str(machine.get("StateTransitionReason") or ""))
    return f"{found[1]}T{found[2]}Z" if found else ""


def left_rows(found: Found, prices: Prices | None = None) -> list[dict[str, t.Any]]:
    """Return a row for each thing that carries our tags: what it is, whose, whether it is billed and of use.

    ``usd_month`` is what it costs in a month as it lies; None where that is not known, or not told in months.
    """
    living = {tags_of(machine).get(NAME_TAG, "") for machine in found.get("machine") or []}
    rows = []
    for kind in KINDS:
        for thing in found.get(kind) or []:
            lab = tags_of(thing).get(NAME_TAG, "")
            row = _ROWS[kind](thing)
            row = {"kind": kind, "name": row["id"], "lab": lab, "in_use": lab in living, **row}
            about, gib = row.pop("about"), row.pop("gib", None)
            price = {"disk": prices.gib_month, "snapshot": prices.snapshot_gib_month}.get(kind) if prices else None
            row["usd_month"] = round(gib * price.usd, 2) if gib and price else None
            rows.append({**row, "words": f"{kind} {row['name']} ({about})"})
    return rows


def id_of(kind: str, thing: Thing) -> str:
    """Return the id of a thing, as its row has it."""
    return str(_ROWS[kind](thing)["id"])


def _machine(thing: Thing) -> dict[str, t.Any]:
    view = seen(thing)
    about = f"{view['type']}, {view['state']}" + (", spot" if market_of(thing) == "spot" else "")
    return {"id": view["id"], "state": view["state"], "billed": view["state"] in ("pending", "running"), "about": about}


def _request(thing: Thing) -> dict[str, t.Any]:
    state = str(thing.get("State") or "")
    row = {"id": thing["SpotInstanceRequestId"], "state": state, "billed": False}
    return {**row, "about": f"{state}, makes a machine again" if state != "disabled" else "its machine is stopped"}


def _disk(thing: Thing) -> dict[str, t.Any]:
    machine = next(
        (str(item.get("InstanceId")) for item in thing.get("Attachments") or [] if item.get("InstanceId")), ""
    )
    about = f"{thing.get('Size', '?')} GiB, {f'of {machine}' if machine else 'of no machine'}"
    row = {"id": thing["VolumeId"], "state": str(thing.get("State") or ""), "billed": True, "about": about}
    return {**row, "in_use": bool(machine), "gib": thing.get("Size")}


def _snapshot(thing: Thing) -> dict[str, t.Any]:
    row = {"id": thing["SnapshotId"], "state": str(thing.get("State") or ""), "billed": True, "in_use": False}
    return {**row, "about": f"{thing.get('VolumeSize', '?')} GiB", "gib": thing.get("VolumeSize")}


def _address(thing: Thing) -> dict[str, t.Any]:
    used = bool(thing.get("AssociationId"))
    row = {"id": str(thing.get("AllocationId") or thing.get("PublicIp") or ""), "billed": True, "in_use": used}
    return {**row, "state": "", "name": str(thing.get("PublicIp") or ""), "about": "in use" if used else "not in use"}


def _interface(thing: Thing) -> dict[str, t.Any]:
    state = str(thing.get("Status") or "")
    return {"id": thing["NetworkInterfaceId"], "state": state, "billed": False, "about": state or "unknown"}


def _group(thing: Thing) -> dict[str, t.Any]:
    name = str(thing.get("GroupName") or thing["GroupId"])
    return {"id": thing["GroupId"], "name": name, "state": "", "billed": False, "about": thing["GroupId"]}


def _key(thing: Thing) -> dict[str, t.Any]:
    identity = str(thing.get("KeyPairId") or thing["KeyName"])
    return {"id": identity, "name": thing["KeyName"], "state": "", "billed": False, "about": identity}


def _schedules(thing: Thing) -> dict[str, t.Any]:
    names = thing.get("Schedules") or []
    others = [name for name in names if not is_for(name)]
    about = (
        f"with {', '.join(others)} in it, not made by DESI Lab"
        if others
        else f"{len(names)} schedule{'s' * (len(names) != 1)}"
    )
    return {"id": thing["Name"], "state": "", "billed": False, "about": about}


_ROWS: dict[str, t.Callable[[Thing], dict[str, t.Any]]] = {
    "machine": _machine,
    "spot request": _request,
    "disk": _disk,
    "snapshot": _snapshot,
    "address": _address,
    "network interface": _interface,
    "security group": _group,
    "key pair": _key,
    SCHEDULES: _schedules,
}
