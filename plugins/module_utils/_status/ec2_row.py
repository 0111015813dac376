# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``status`` says of one lab on EC2, from all that was asked about it."""

from __future__ import annotations

import typing as t
from datetime import datetime
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import Prices, cost_of
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import parse_time
from ansible_collections.desi.lab.plugins.module_utils._lab.labels import NAME, ROLE, lab_row, labels_of
from ansible_collections.desi.lab.plugins.module_utils._status.costs import Ran, costs
from ansible_collections.desi.lab.plugins.module_utils._status.document import (
    coming,
    notes_of_look,
    watched,
    whole,
    why_stopped,
)

RUNS = ("pending", "running")


class Asked(t.NamedTuple):
    """What was answered about one lab; None is what was not asked, or not answered."""

    look: t.Mapping[str, t.Any] | None
    answers: bool | None
    expires: float | bool | None
    disk_gib: int | None
    prices: Prices | None
    tunnel_port: int | None
    folder: Path | None


def told(row: t.Mapping[str, t.Any], machine: t.Mapping[str, t.Any], asked: Asked, now: float) -> dict[str, t.Any]:
    """Return the whole row of a lab."""
    lab = whole(row)
    runs, region = lab["state"] in RUNS, lab["where"].rpartition(" ")[2]
    lab.update(region=region, disk_gib=asked.disk_gib)
    watch = (asked.look or {}).get("watch")
    expires = None if isinstance(asked.expires, bool) else asked.expires
    lab["expires"] = None if asked.expires is None else asked.expires is not False
    lab["next"] = coming(watch, expires, runs, now)
    lab["notes"] += why_stopped(machine, lab["since"], now)
    if asked.prices is not None:
        cost = cost_of(lab["type"], asked.disk_gib or 0, asked.prices)
        if asked.disk_gib is None:
            cost = cost._replace(hour=None, month_stopped=None)
        lab.update(costs(ran(machine, lab["since"], runs), cost, lab["market"] == "spot", now))
    if lab["state"] == "running":
        looked_at(lab, asked, watch, now)
    return lab


def looked_at(lab: dict[str, t.Any], asked: Asked, watch: t.Any, now: float) -> None:  # noqa: ANN401 - of a document
    """Put in what is known of a machine that runs."""
    look = asked.look or {}
    began = parse_time(lab["since"])
    up = look.get("uptime")
    lab["uptime_seconds"] = round(up) if up is not None else None if began is None else max(0, round(now - began))
    lab["reached"] = asked.look is not None if asked.folder is not None else None
    lab["tunnel_open"] = asked.tunnel_port is not None if lab["access"] == "tunnel" else None
    lab["server_answers"] = asked.answers if asked.answers is not None else look.get("server")
    server = server_of(look, lab["name"])
    if server is not None:
        seen = lab_row(server, None, None, look.get("images") or {})
        lab.update({key: seen[key] for key in ("image", "image_newer", "data", "mount", "folder")})
        lab["mount_answers"] = (look.get("mounts") or {}).get(seen["mount"]) if seen["mount"] else None
    watching = watched(watch, now)
    notes = watching.pop("notes", [])
    lab.update(watching)
    if "refused" in look:
        notes.append(
            f"What its machine says is refused: {look['refused']}. If it stays so, somebody else may control it."
        )
    elif lab["reached"] is False:
        notes.append("Its machine does not answer over SSH.")
    elif lab["reached"] is None:
        notes.append("It was made from another computer, so its machine was not asked.")
    elif not watching:
        notes.append("Nothing stops its machine by itself: it runs, and costs, until somebody stops it.")
    lab["notes"] += [*notes, *notes_of_look(lab)]


def server_of(look: t.Mapping[str, t.Any], name: str) -> t.Mapping[str, t.Any] | None:
    """Return the container of a lab's server on its machine."""
    ours = ((item, labels_of(item)) for item in look.get("containers") or [])
    return next((item for item, tags in ours if tags.get(NAME) == name and tags.get(ROLE) == "server"), None)


def ran(machine: t.Mapping[str, t.Any], since: str, runs: bool) -> Ran:
    """Return when a machine was made, started, and stopped, as far as AWS says it."""
    mappings = machine.get("BlockDeviceMappings") or []
    made = [moment for row in mappings for moment in [_seconds((row.get("Ebs") or {}).get("AttachTime"))] if moment]
    return Ran(
        min(made, default=None),
        _seconds(machine.get("LaunchTime")),
        None if runs else parse_time(since),
        runs,
    )


def _seconds(value: object) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else parse_time(str(value or ""))
