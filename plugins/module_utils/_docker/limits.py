# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resource limits of a lab's container, and the name of its network interface."""

from __future__ import annotations

import hashlib
import typing as t

from .._common.humanize import GIB, MIB, parse_size, size_text

# Kernels, Dask and terminals need some hundreds.
PROCESSES = 4096
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
# The drivers that take these options. Others (journald) have limits of their own.
LOG_DRIVERS = ("json-file", "local")
# Linux allows no longer names.
INTERFACE_LETTERS = 15
INTERFACE = "dlab-"


def memory_by_default(whole: int) -> int:
    """Return the memory but a tenth of it, at most 1 GiB, which is left to the host."""
    return (whole - min(GIB, whole // 10)) // MIB * MIB


def lab_limits(engine: t.Mapping[str, t.Any], memory: str = "", cpus: float = 0, most: str = "") -> dict[str, t.Any]:
    """Return the limits of a container as docker_container takes them, with ``error`` and ``do``.

    ``engine`` is the result of docker_engine_info. A limit that the engine does not support is left out, as Docker
    would drop it and the container would differ each time. ``error`` is why a requested limit is impossible, ``do``
    the remedy. ``most`` bounds the memory's default.
    """
    able, whole, every = engine.get("limits") or [], int(engine.get("memory") or 0), int(engine.get("cpus") or 0)
    found: dict[str, t.Any] = {"error": "", "do": ""}
    asked = parse_size(memory) if memory else 0
    if asked and "memory" not in able:
        found.update(error="This Docker Engine cannot limit memory.", do="Leave lab_memory out.")
    elif asked > whole:
        found.update(
            error=f"The computer of this lab has {whole / GIB:.1f} GiB of memory in all.",
            do=f"Give less, for example -e lab_memory={size_text(rounded(memory_by_default(whole)))}, or leave it out.",
        )
    elif cpus and "cpus" not in able:
        found.update(error="This Docker Engine cannot limit processors.", do="Leave lab_cpus out.")
    elif cpus > every:
        found.update(
            error=f"The computer of this lab has {every} processors.",
            do=f"Give fewer, for example -e lab_cpus={every}, or leave it out for all of them.",
        )
    if "memory" in able and whole:
        limit = asked or memory_by_default(whole)
        limit = limit if asked or not most else min(limit, parse_size(most))
        found["memory"] = str(limit)
        if "swap" in able:
            # Docker's default, given so that both can be raised together later.
            found["memory_swap"] = str(2 * limit)
    if "cpus" in able and cpus:
        found["cpus"] = float(cpus)
    if "processes" in able:
        found["pids_limit"] = PROCESSES
    if engine.get("log_driver") in LOG_DRIVERS:
        found["log_driver"], found["log_options"] = engine["log_driver"], LOG_OPTIONS
    return found


def limits_update(
    limits: t.Mapping[str, t.Any], container: t.Mapping[str, t.Any] | None, engine: t.Mapping[str, t.Any]
) -> list[str]:
    """Return the options of ``docker update`` that set these limits; none if the container has them."""
    has = (container or {}).get("HostConfig") or {}
    every = int(engine.get("cpus") or 0)
    options: list[str] = []
    if not has:
        return options
    if "memory" in limits and int(has.get("Memory") or 0) != int(limits["memory"]):
        options += ["--memory", limits["memory"], "--memory-swap", limits.get("memory_swap", "-1")]
    if "pids_limit" in limits and int(has.get("PidsLimit") or 0) != limits["pids_limit"]:
        options += ["--pids-limit", str(limits["pids_limit"])]
    # Docker takes no 0 for "all of them again".
    cpus = nano(limits.get("cpus") or every)
    if cpus and int(has.get("NanoCpus") or nano(every)) != cpus:
        options += ["--cpus", f"{cpus / 1e9:.9f}".rstrip("0").rstrip(".")]
    return options


def nano(cpus: float) -> int:
    """Return processors as Docker counts them, in billionths."""
    return round(float(cpus) * 1e9)


def interface_name(name: str) -> str:
    """Return the name of a lab's network interface; one firewall rule matches the common prefix."""
    return f"{INTERFACE}{hashlib.sha256(name.encode()).hexdigest()}"[:INTERFACE_LETTERS]


def rounded(size: int) -> int:
    """Return a size of 2 GiB and more in whole GiB."""
    return size // GIB * GIB if size >= 2 * GIB else size
