# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts about this computer for the host checks."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

from .._common.errors import LabError
from .._docker import ports as docker_ports
from .._docker.engine import Engine, query_engine
from .._docker.link_local import MARK
from .._mount import mountinfo as table
from .._mount.host import list_directory, read_mounts, search_path
from .._mount.preflight import check_fuse
from .._mount.supervisors import UNIT_DIRECTORY
from .._mount.unit_templates import unit_name
from .findings import OK, SKIPPED, Finding
from .host_checks import (
    judge_engine,
    judge_fuse,
    judge_link_local,
    judge_memory,
    judge_port,
    judge_propagation,
    judge_room,
    judge_tools,
)

PROC = Path("/proc")
# Docker's default data directory.
USUAL_ROOT = "/var/lib/docker"
ENGINE_SECONDS = 3.0
MOUNT_SECONDS = 2.0
SEARCHED_PORTS = 100
METADATA = ("169.254.169.254", 80)
METADATA_SECONDS = 1.0
_PROCESS = re.compile(r"\(process (\d+)\)$")


def engine_findings(images_gib: t.Sequence[float]) -> list[Finding]:
    """Check the engine, and the disk with its images."""
    engine = query_engine(ENGINE_SECONDS)
    title = "Disk for images"
    if engine.desktop:
        room = Finding("disk_images", title, OK, "Docker Desktop keeps them in a disk of its own")
    elif engine.elsewhere:
        room = Finding("disk_images", title, SKIPPED, f"not looked at: the engine is at {engine.endpoint}")
    else:
        facts = {**room_at(engine.root or USUAL_ROOT), "writable": True}
        room = judge_room("disk_images", title, "images", facts, images_gib)
    return [*judge_engine(engine, rights_to(engine)), room]


def rights_to(engine: Engine) -> str:
    """Return by whose rights the engine is used."""
    if engine.rootless:
        return "as your own (rootless)"
    if not engine.endpoint.startswith("unix://"):
        return f"at {engine.endpoint}"
    if engine.desktop:
        return "through Docker Desktop"
    return "as root" if os.geteuid() == 0 else "as a member of group docker"


def room_at(path: str) -> dict[str, t.Any]:
    """Return the free disk space at a path or its nearest parent, and whether this user may write there."""
    place = Path(path)
    while not place.exists() and place != place.parent:
        place = place.parent
    free = os.statvfs(place)
    # Some file systems do not count inodes.
    files = free.f_favail if free.f_files else None
    return {
        "path": str(place),
        "free": free.f_bavail * free.f_frsize,
        "files": files,
        "writable": os.access(place, os.W_OK | os.X_OK) and not free.f_flag & os.ST_RDONLY,
    }


def room_findings(check: str, title: str, use: str, path: str, gib: t.Sequence[float]) -> list[Finding]:
    """Check the free disk space at a path of this user's."""
    return [judge_room(check, title, use, room_at(path), gib)]


def fuse_findings() -> list[Finding]:
    """Try to open /dev/fuse."""
    if not sys.platform.startswith("linux"):
        return [Finding("fuse", "FUSE", SKIPPED, "not needed: a container beside the lab mounts the bucket")]
    helper = next(
        filter(None, (shutil.which(name, path=search_path(())) for name in ("fusermount3", "fusermount"))), ""
    )
    try:
        check_fuse()
    except LabError as error:
        return judge_fuse(error.why, error.do, helper or "")
    return judge_fuse("", "", helper or "")


def propagation_findings(directory: str) -> list[Finding]:
    """Check the propagation of the mount around our directory."""
    title = "Mount propagation"
    if not sys.platform.startswith("linux"):
        return [Finding("propagation", title, SKIPPED, "not needed: a container beside the lab mounts the bucket")]
    mounts = read_mounts()
    outer = table.mount_of(mounts, directory)
    may_bind = os.geteuid() == 0 or shutil.which("sudo") is not None
    return judge_propagation(
        outer.mount_point if outer else "/", not table.needs_shared_bind(mounts, directory), may_bind
    )


def link_local_findings() -> list[Finding]:
    """Check whether labs are kept from the metadata service, and whether there is one."""
    engine = query_engine(ENGINE_SECONDS)
    may = os.geteuid() == 0 or shutil.which("sudo") is not None
    return judge_link_local(obstacle_to_rules(engine), Path(MARK).exists(), may, metadata_answers())


def obstacle_to_rules(engine: Engine) -> str:
    """Return why firewall rules of this computer do not apply to the engine's networks, or an empty string."""
    if engine.desktop:
        return "Docker Desktop's networks are in a machine of its own"
    if not engine.endpoint.startswith("unix:"):
        return "the engine is on another computer"
    if engine.rootless:
        return "a rootless engine's networks are out of the reach of root's rules"
    return ""


def metadata_answers() -> bool:
    try:
        with socket.create_connection(METADATA, timeout=METADATA_SECONDS):
            return True
    except OSError:
        return False


def memory_findings() -> list[Finding]:
    found = read_memory((PROC / "meminfo").read_text() if (PROC / "meminfo").exists() else _of_macos())
    if found is None:
        return [Finding("memory", "Memory", SKIPPED, "not looked at: this system does not tell it")]
    return judge_memory(*found)


def read_memory(text: str) -> tuple[int, int] | None:
    """Return total and available memory in bytes, from the text of /proc/meminfo."""
    rows = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    if not rows.get("MemTotal"):
        return None
    return rows["MemTotal"] * 1024, rows.get("MemAvailable", rows.get("MemFree", 0)) * 1024


def _of_macos() -> str:
    try:
        done = subprocess.run(["sysctl", "-n", "hw.memsize"], check=True, capture_output=True, text=True, timeout=2)
        total = int(done.stdout) // 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    # macOS has no such number, and Docker Desktop has a share of its own.
    return f"MemTotal: {total} kB\nMemAvailable: {total} kB\n"


def port_findings(address: str, port: int, name: str, labs: t.Mapping[str, t.Any], config: str) -> list[Finding]:
    """Check whether the port is free, and whose it is."""
    place = docker_ports.parse_address(address)
    docker_ports.check_port(port)
    if docker_ports.is_free(place, port):
        return judge_port(port, "", "", None, name)
    owner = docker_ports.who_listens(place, port)
    here = next(
        (lab["name"] for lab in labs.get("labs") or [] if owner.endswith(f"container desi-lab-{lab['name']}")), ""
    )
    lab = here or tunnel_of(owner, config)
    made = name in [each["name"] for each in labs.get("labs") or []]
    return judge_port(port, owner, lab, docker_ports.next_free(place, port, SEARCHED_PORTS), name, made)


def tunnel_of(owner: str, config: str) -> str:
    """Return the lab whose tunnel a process is, by its SSH configuration; empty if it is none."""
    found = _PROCESS.search(owner)
    try:
        command = (PROC / found[1] / "cmdline").read_bytes().decode(errors="replace") if found else ""
    except OSError:
        return ""
    matched = re.search(rf"{re.escape(config)}/[^/\0]+/([^/\0]+)/ssh_config", command) if config else None
    return matched[1] if matched else ""


def tools_findings(names: t.Sequence[str] = ("ssh", "ssh-keygen", "rsync")) -> list[Finding]:
    """Find the programs that labs on EC2 need."""
    return judge_tools({name: shutil.which(name) or "" for name in names})


def dead_mounts(directory: str) -> list[str]:
    """Return the mounts below our directory that do not answer."""
    if not sys.platform.startswith("linux"):
        return []
    ours = [entry.mount_point for entry in table.mounts_below(read_mounts(), directory) if entry.fuse]
    return [path for path in ours if not list_directory(path, MOUNT_SECONDS).alive]


def mount_units() -> set[str]:
    """Return the names of systemd units that keep our mounts."""
    return {path.name for path in UNIT_DIRECTORY.glob(unit_name("*"))}
