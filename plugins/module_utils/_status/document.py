# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status document, described by docs/status.schema.json."""

from __future__ import annotations

import typing as t

from .._common.humanize import ago, ahead, number, parse_time, time_text
from .._common.text import name_option
from .._ec2.run_instances import reason_code, state_of, waits_for_room

VERSION = 1

# All keys of a lab, with the values for unknown and not applicable.
EMPTY: dict[str, t.Any] = {
    "name": "",
    "owner": "",
    "where": "",
    "region": "",
    "state": "",
    "since": "",
    "release": "",
    "image": "",
    "image_newer": None,
    "data": "",
    "mount": "",
    "mount_answers": None,
    "folder": "",
    "address": "",
    "port": 0,
    "server_answers": None,
    "workers": 0,
    "dask": None,
    "access": "",
    "tunnel_open": None,
    "id": "",
    "type": "",
    "zone": "",
    "market": "",
    "os": "",
    "user": "",
    "disk_gib": None,
    "reached": None,
    "uptime_seconds": None,
    "idle_since": "",
    "active": [],
    "usd_hour": None,
    "usd_so_far": None,
    "usd_so_far_how": "",
    "usd_month": None,
    "prices": "",
    "expires": None,
    "next": [],
    "notes": [],
}
IDLE_STOP, DEADLINE, EXPIRY = "idle stop", "deadline", "expiry"
_WORDS = {
    IDLE_STOP: "stops {when} if it stays idle",
    DEADLINE: "stops {when} at the latest",
    EXPIRY: "is deleted {when} if it is forgotten",
}
_BY_ITSELF = "Client.InstanceInitiatedShutdown"


def whole(row: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a row completed with all defaults."""
    return {**EMPTY, "active": [], "next": [], "notes": [], **row}


def here(row: t.Mapping[str, t.Any], now: float) -> dict[str, t.Any]:
    """Return the status of a lab on this computer. It costs nothing and never expires."""
    lab = whole(row)
    began = parse_time(lab["since"])
    if lab["state"] == "running" and began is not None:
        lab["uptime_seconds"] = max(0, round(now - began))
    lab.update(usd_hour=0.0, usd_so_far=0.0, usd_month=0.0)
    lab["notes"] += notes_of_look(lab)
    return lab


def coming(watch: t.Mapping[str, t.Any] | None, expiry: float | None, runs: bool, now: float) -> list[dict[str, str]]:
    """Return upcoming events, the soonest first."""
    watched = watch if runs and isinstance(watch, t.Mapping) else {}
    times = {IDLE_STOP: number(watched.get("idle_stop_at")), DEADLINE: number(watched.get("deadline")), EXPIRY: expiry}
    known = sorted((when, what) for what, when in times.items() if when is not None)
    return [
        {"what": what, "at": time_text(when), "words": _WORDS[what].format(when=ahead(when, now))}
        for when, what in known
    ]


def watched(watch: t.Mapping[str, t.Any] | None, now: float) -> dict[str, t.Any]:
    """Return the report of the watcher on a running instance."""
    if not isinstance(watch, t.Mapping):
        return {}
    active = watch.get("active")
    return {
        "idle_since": time_text(number(watch.get("idle_since"))),
        "active": [str(sentence) for sentence in active] if isinstance(active, list) else [],
        "notes": last_stop(watch.get("last_stop"), now),
    }


def last_stop(stop: object, now: float) -> list[str]:
    """Return when and why the watcher last stopped the instance."""
    when = number(stop.get("at")) if isinstance(stop, t.Mapping) else None
    if when is None or not isinstance(stop, t.Mapping):
        return []
    why = str(stop.get("why") or "").strip().rstrip(".")
    return [f"It stopped itself {ago(when, now)}{f': {why}' if why else ''}."]


def why_stopped(instance: t.Mapping[str, t.Any], since: str, now: float) -> list[str]:
    """Return a note if an instance stopped itself, or AWS did that to a spot instance, by its state reason."""
    if waits_for_room(instance):
        return [
            "AWS stopped its spot machine, starts it again by itself as soon as it has room, and charges for it then."
        ]
    if state_of(instance) != "stopped" or reason_code(instance) != _BY_ITSELF:
        return []
    when = parse_time(since)
    return [f"It stopped itself{'' if when is None else f' {ago(when, now)}'}. Its watcher tells why once it runs."]


def notes_of_look(lab: t.Mapping[str, t.Any]) -> list[str]:
    """Return notes on problems of an inspected lab."""
    said, named = [], name_option(lab["name"])
    if lab["mount_answers"] is False:
        said.append("The mount of its data does not answer.")
    if lab["state"] == "running" and lab["server_answers"] is False:
        said.append("Its server does not answer.")
    # A machine on EC2 that was not asked says nothing of its scheduler.
    if lab["state"] == "running" and lab["workers"] and (lab["reached"] or not lab["id"]):
        connected = lab["dask"]["workers"] if lab["dask"] else None
        if connected is None:
            said.append(f"The scheduler of its Dask workers does not answer: ./lab start{named} mends that.")
        elif connected < lab["workers"]:
            # On EC2 each of them is a machine with at least one.
            kind = "machines of Dask workers" if lab["id"] else "Dask workers"
            said.append(f"{connected} of its {lab['workers']} {kind} are connected.")
    if lab["image_newer"]:
        said.append(f"A newer image {lab['image']} is there: ./lab update{named} takes it.")
    return said


def document(
    found: t.Mapping[str, t.Any], elsewhere: t.Sequence[t.Mapping[str, t.Any]], unseen: t.Sequence[str], now: float
) -> dict[str, t.Any]:
    """Return the status document: labs here, as labs_info returns them, and labs elsewhere."""
    labs = [*(here(row, now) for row in found["labs"]), *map(whole, elsewhere)]
    return {
        "version": VERSION,
        "checked": time_text(now),
        "engine": bool(found["engine"]),
        "reason": str(found["reason"]),
        "labs": labs,
        "unseen": list(unseen),
        "warnings": warnings(labs),
    }


def warnings(labs: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Return warnings that concern several labs, once each."""
    names = [lab["name"] for lab in labs if lab["expires"] is False]
    if not names:
        return []
    one = len(names) == 1
    return [
        f"{'Lab' if one else 'Labs'} {', '.join(names)} {'is' if one else 'are'} not deleted when forgotten: "
        "there is no schedule for that. -e lab_expire_role=make lets ./lab ec2 make one (docs/costs.md)."
    ]
