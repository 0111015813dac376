# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What many workers on EC2 would take and cost: arithmetic from what one was measured to take, and assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import cost_of, from_table, money

TABLE = yaml.safe_load((Path(__file__).resolve().parents[1] / "roles/lab/files/prices.yml").read_text())
REGION, DISK_GIB = "us-west-2", 30
# A coadd of DESI's, as the example in its data model, with 446 kB for each target.
REAL_MB, REAL_TARGETS = 219, 219_000 // 446
COADDS = 20_000
# Into how many batches and blocks the example divides so many.
BATCHES, BLOCKS = 400, 400
# Assumed: MB/s of one connection to S3, and of the network between machines. Measured: MB/s of a mount (streaming.md).
CONNECTION, NETWORK, MOUNT = 85, 125, 400
# What S3 promises for each partitioned prefix, in GET requests a second.
REQUESTS = 5500
# Assumed: seconds of the scheduler for each task, and until machines compute.
TASK_S, START_S = 0.001, 180
VCPUS = {"m6i.large": 2, "m6i.xlarge": 4, "m6i.2xlarge": 8}
GIB_A_VCPU = 4
# A lab of this type is beside workers.
LAB = "m6i.large"
PARTS = ("compute", "read", "exchange", "scheduler")
# Type, and how many workers; one is a machine by itself.
PLANS = (("m6i.2xlarge", 1), ("m6i.xlarge", 25), ("m6i.xlarge", 100))


@dataclass(frozen=True)
class Measured:
    """Of one coadd: targets, seconds of one worker, MB and requests of a cold read, MB kept for the medians."""

    targets: float
    seconds: float
    read_mb: float
    requests: float
    kept_mb: float


@dataclass(frozen=True)
class Estimate:
    """Seconds of each part, as if nothing overlapped; GB that each machine keeps; USD for all of them."""

    compute: float
    read: float
    exchange: float
    scheduler: float
    total: float
    kept: float
    usd: float


def hour(name: str) -> float:
    """Return what a machine of a type with disk and address costs an hour on demand, by the product's own table."""
    return cost_of(name, DISK_GIB, from_table(TABLE, REGION, [name])).hour


def mount_rate(name: str) -> int:
    """Return the MB/s that all processes of a machine together read."""
    return min(VCPUS[name] * CONNECTION, MOUNT)


def tasks() -> int:
    """Return how many tasks the example makes: the batches, what each has for each block, and the blocks."""
    return BATCHES + BATCHES * BLOCKS + BLOCKS


def estimate(one: Measured, name: str, number: int) -> Estimate:
    """Return what so many machines of a type take for all coadds of a survey."""
    real = COADDS * REAL_TARGETS / one.targets
    processes = number * VCPUS[name]
    compute = real * one.seconds / processes
    read = max(real * one.read_mb / (number * mount_rate(name)), real * one.requests / REQUESTS)
    kept = real * one.kept_mb / number
    exchange = kept / NETWORK if number > 1 else 0.0
    scheduler = tasks() * TASK_S if number > 1 else 0.0
    total = START_S + compute + read + exchange + scheduler
    usd = total / 3600 * (number * hour(name) + (hour(LAB) if number > 1 else 0.0))
    return Estimate(compute, read, exchange, scheduler, total, kept / 1000, usd)


def rows(cells: list[list[str]]) -> str:
    """Return cells as a table of Markdown, the first of them its head."""
    head, *body = cells
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body))


def paper(one: Measured) -> str:
    """Return the estimates as Markdown, with the arithmetic."""
    found = [(name, number, estimate(one, name, number)) for name, number in PLANS]
    cells = [
        ["minutes", *(f"one {name}" if number == 1 else f"{number} x {name}" for name, number, _each in found)],
        ["processes", *(str(number * VCPUS[name]) for name, number, _each in found)],
    ]
    for part in (*PARTS, "total"):
        cells.append([part, *(f"{getattr(each, part) / 60:.1f}" for _name, _number, each in found)])
    cells.append(["longest", *(max(PARTS, key=each.__getattribute__) for _name, _number, each in found)])
    kept = [f"{each.kept:.0f} of {VCPUS[name] * GIB_A_VCPU}" for name, _number, each in found]
    cells.append(["GB kept in memory, a machine", *kept])
    cells.append(["USD, on demand", *(money(each.usd) for _name, _number, each in found)])
    more = REAL_TARGETS / one.targets
    name, number, _last = found[-1]
    processes = number * VCPUS[name]
    notes = [
        f"**Measured**: one worker stacks a coadd of {one.targets:.0f} targets in {one.seconds:.2f} s. The first read "
        f"fetches {one.read_mb:.0f} MB in {one.requests:.0f} requests; {one.kept_mb:.1f} MB are kept for the medians.",
        f"**Assumed**: a real coadd ({REAL_MB} MB) has {REAL_TARGETS} targets and takes {more:.2f} times as much; "
        f"a process reads {CONNECTION} MB/s from S3, which is AWS' rule of thumb for one connection, but all of a "
        f"machine {MOUNT} MB/s at most; S3 answers {REQUESTS:,} requests a second, which it promises for a prefix; a "
        "machine sends "
        f"{NETWORK} MB/s to others; each of {tasks():,} tasks takes the scheduler {1000 * TASK_S:.0f} ms; machines "
        f"compute {START_S // 60} minutes after the command, which `total` includes; nothing overlaps.",
        f"**So**, for {processes} processes: compute {COADDS:,} x {one.seconds:.2f} s x {more:.2f} / {processes}; "
        f"read {COADDS:,} x {one.read_mb:.0f} MB x {more:.2f} / ({number} x {mount_rate(name)} MB/s), or {COADDS:,} x "
        f"{one.requests:.0f} x {more:.2f} / {REQUESTS:,} if that is longer; exchange {COADDS:,} x {one.kept_mb:.1f} MB "
        f"x {more:.2f} / ({number} x {NETWORK} MB/s).",
        f"**Prices** of {TABLE['date']} in {REGION}, each machine with {DISK_GIB} GiB and an address; beside workers, "
        f"a lab of {LAB}. Requests, and bytes within the region, cost you nothing.",
    ]
    return "\n".join([rows(cells), "", *(f"- {note}" for note in notes)])


def machines() -> str:
    """Return as Markdown what processors cost an hour in one machine, and in workers beside a small lab."""
    cells = [["processors", "one machine", "USD an hour", f"workers beside a lab of {LAB}", "USD an hour"]]
    for name, vcpus in VCPUS.items():
        number = vcpus // VCPUS[LAB]
        workers = hour(LAB) * (1 + number)
        cells.append([str(vcpus), name, f"{hour(name):.2f}", f"{number} x {LAB}", f"{workers:.2f}"])
    largest = list(VCPUS)[-1]
    for times in (2, 4, 8):
        # AWS prices the sizes of a family in proportion; disk and address are there once.
        one = TABLE["regions"][REGION]["types"][largest] * (times - 1) + hour(largest)
        workers = hour(LAB) + times * hour(largest)
        size = f"m6i.{2 * times}xlarge"
        cells.append([str(times * VCPUS[largest]), size, f"{one:.2f}", f"{times} x {largest}", f"{workers:.2f}"])
    return rows(cells)
