# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counters of the machine's use: processor time and network bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from desi_watch.processes import PROC

# What leads to containers, and to itself.
INSIDE = ("lo", "docker", "br-", "veth")


def cpu(text: str) -> float:
    """Return the seconds of processor time used or stolen since boot, by /proc/stat.

    Waiting for a disk is no work. A t2.micro without CPU credits gets a tenth of its core, and the rest is stolen time.
    """
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(each) for each in text.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def network(text: str) -> float:
    """Return the bytes sent and received, by /proc/net/dev."""
    total = 0
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if not name.strip().startswith(INSIDE):
            fields = numbers.split()
            total += int(fields[0]) + int(fields[8])
    return float(total)


def read_counters(proc: Path = PROC) -> dict[str, float]:
    """Return the processor time used, in seconds, and the bytes sent and received, since boot."""
    return {
        "cpu": cpu((proc / "stat").read_text(encoding="ascii")),
        "network": network((proc / "net/dev").read_text(encoding="utf-8")),
    }


def above_floors(
    before: dict[str, Any], after: dict[str, float], seconds: float, cpu_floor: float, floor: float
) -> list[str]:
    """Return what was above its floor since the last observation, in words."""
    if seconds <= 0 or not all(isinstance(before.get(name), (int, float)) for name in after):
        return []
    rates = {name: max(0.0, after[name] - before[name]) / seconds for name in after}
    lines = []
    if rates["cpu"] >= cpu_floor:
        lines.append(f"processors work ({rates['cpu']:.1f} of them)")
    if rates["network"] >= floor:
        lines.append(f"the network is used ({rates['network'] / 1000:.0f} kB a second)")
    return lines
