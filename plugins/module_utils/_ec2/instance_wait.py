# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until an instance is running or stopped, and describe what has to change of it."""

from __future__ import annotations

import time
import typing as t

from .._aws.pricing import cost_of, from_table, hour_text, money
from .._aws.tags import is_worker
from .._common.errors import LabError
from .._common.text import name_option
from .deletion_proof import described, with_recorded
from .instance import lab_instance, read_instance
from .record import INSTANCE, LabRecord
from .resources import ResourceQuery, lab_rows, pauses
from .run_instances import RUNS, state_of, waits_for_room

AT_REST = ("running", "stopped")
IN_TRANSIT = {"pending": "starting", "stopping": "being stopped", "shutting-down": "being deleted"}
POLL_SECONDS = 1.0


class SettledInstance(t.NamedTuple):
    """An instance, the state that it was in before (empty if there was nothing to wait for), and its known workers."""

    instance: t.Mapping[str, t.Any] | None
    was: str
    workers: tuple[str, ...] = ()


def wait_until_at_rest(
    query: ResourceQuery, seconds: float, record: LabRecord | None = None, age: float = float("inf")
) -> SettledInstance:
    """Wait until the lab's instance is running or stopped, or there is none; fail when the time is up.

    ``age`` is how many seconds ago the record was written.
    """
    end, was = query.clock() + seconds, ""
    while True:
        tagged = query.everything(("machine",))["machine"]
        found = [one for one in tagged if not is_worker(one)]
        if record is not None and not found:
            found = with_recorded(query, {"machine": found}, record, age)["machine"]
        alive = lab_instance(found, query.name, query.owner, record)
        # One that is deleted has nothing to come to.
        if alive is None or state_of(alive) in AT_REST:
            # Tags are set by whoever may, so what has them alone is not ended with the lab.
            mine = [one for one in tagged if record is not None and record.knows_instance(one)]
            workers = tuple(one["InstanceId"] for one in mine if is_worker(one) and state_of(one) in RUNS)
            return SettledInstance(alive, was, workers)
        was = was or state_of(alive)
        if query.clock() >= end:
            raise too_long(query.name, state_of(alive), AT_REST, seconds)
        query.sleep(POLL_SECONDS)


def stop(
    ec2: t.Any,  # noqa: ANN401 - a client of botocore
    name: str,
    number: str,
    seconds: float,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
) -> str:
    """Stop the instance of a lab by its id, and return its state once it is stopped, or somebody has deleted it."""
    ec2.stop_instances(InstanceIds=[number])
    end = clock() + seconds
    for pause in pauses():
        sleep(pause)
        found = described(ec2, INSTANCE, number)
        state = "terminated" if found is None else state_of(found)
        if state in ("stopped", "shutting-down", "terminated"):
            return state
        if clock() >= end:
            raise too_long(name, state, ("stopped",), seconds)
    return ""


def too_long(name: str, state: str, states: t.Collection[str], seconds: float) -> LabError:
    """Error: an instance does not reach a state in time."""
    return LabError(
        f"The machine of lab {name} is still {IN_TRANSIT.get(state, state)}.",
        f"After {seconds:g} seconds AWS does not say that it is {' or '.join(states)}.",
        "Run the same command again in a few minutes. If it stays so, check the machine in the AWS console.",
    )


def instance_row(
    instance: t.Mapping[str, t.Any] | None, volumes: t.Iterable[t.Mapping[str, t.Any]], region: str
) -> dict[str, t.Any]:
    """Return a row for an instance; empty where there is none. ``volumes`` are its disks."""
    if instance is None:
        return {}
    view = read_instance(instance, volumes)
    more = {"disk_gib": view.disk_gib, "volume_id": view.volume_id, "waits_for_room": waits_for_room(instance)}
    return {**lab_rows([instance], region)[0], **more}


def changes(
    row: t.Mapping[str, t.Any],
    types: t.Sequence[str],
    disk_gib: int,
    name: str,
    prices: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """Return the changes of type and disk that were asked for.

    ``type`` and ``disk_gib`` are empty and 0 where they stay, ``lines`` says it for people, with what it costs
    by a table of prices.
    """
    size = int(row["disk_gib"])
    if disk_gib and disk_gib < size:
        raise LabError(
            f"The disk of lab {name} cannot become smaller.",
            f"It has {size} GiB, you asked for {disk_gib}, and AWS cannot shrink a disk.",
            f"For a smaller one, bring your files home with ./lab sync{name_option(name)}, then run "
            f"./lab down{name_option(name)}, and make a new lab.",
        )
    kind = "" if not types or row["type"] in types else types[0]
    if kind and row.get("market") == "spot":
        raise LabError(
            f"The machine of lab {name} cannot become a {kind}.",
            "It is a spot machine, and AWS changes the type of none.",
            f"Bring your files home with ./lab sync{name_option(name)}, then run ./lab down{name_option(name)}, "
            f"and make a new lab with -e lab_instance_type={kind}.",
        )
    disk = disk_gib if disk_gib > size else 0
    lines = []
    if kind:
        lines.append({"label": "type", "text": f"{kind} instead of {row['type']}", "about": "it is stopped for that"})
    if disk:
        lines.append({"label": "disk", "text": f"{disk} GiB instead of {size}", "about": "while it runs"})
    if lines:
        lines.append({"label": "cost", **_cost(row, kind or str(row["type"]), disk or size, prices or {})})
    return {"type": kind, "disk_gib": disk, "lines": lines}


def _cost(row: t.Mapping[str, t.Any], kind: str, disk: int, table: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the text of what an hour costs after a change, and before it."""
    names, spot = [kind, str(row["type"])], row.get("market") == "spot"
    prices = from_table(table, str(row.get("where") or "").rpartition(" ")[2], names)
    after, before = cost_of(kind, disk, prices), cost_of(names[1], int(row["disk_gib"]), prices)
    about = [f"instead of {money(before.hour)}"] if after.hour is not None and before.hour is not None else []
    about += [f"as of {after.date}"] if after.date else []
    about += [f"{after.month_stopped:.2f} USD a month while it is stopped"] if after.month_stopped is not None else []
    return {"text": hour_text({kind: after}, spot), "about": ", ".join(about)}
