# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verify who listens at a port before a token is sent there."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import typing as t
from pathlib import Path

from .._common.errors import LabError
from . import ports
from .api import Api
from .cli import Docker

LABEL = "desi.lab.name"

Sockets = t.FrozenSet[str]  # noqa: UP006 - evaluated by Python 3.9, too
# Returns a value that identifies the listener at an address and port, or raises LabError.
Proof = t.Callable[[str, int], t.Hashable]


class NotPublished(LabError):
    """The container does not run, or has not published the port."""


def not_ours(address: str, port: int) -> LabError:
    return LabError(
        f"Port {port} on {address} is not the lab's.",
        f"It is in use by {ports.who_listens(ports.parse_address(address), port)}. The token was not sent.",
        "Run the same command again. If it stays so, choose another port: -e lab_port=…",
    )


def sockets_of(pid: int, address: ports.Address, port: int, proc: Path = ports.PROC) -> Sockets:
    """Return the listening sockets if all belong to the process, else none."""
    found = ports.listeners(address, port, proc)
    if found is None:
        return _sockets_of_lsof(pid, port)
    listeners_here = frozenset(f"socket:[{row.inode}]" for row in found)
    try:
        held = ports.open_files(proc / str(pid))
    except OSError:
        return frozenset()
    # A port is shared by one user's sockets only.
    return listeners_here if listeners_here <= held and all(row.user == os.geteuid() for row in found) else frozenset()


def _sockets_of_lsof(pid: int, port: int) -> Sockets:
    """Query lsof, where there is no /proc."""
    command = ["lsof", "-nP", "-a", "-p", str(pid), f"-iTCP:{port}", "-sTCP:LISTEN", "-FdPn"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    return parse_lsof(done.stdout, pid)


def parse_lsof(text: str, pid: int) -> Sockets:
    """Return the devices of a process's listening sockets."""
    lines = text.splitlines()
    ours = f"p{pid}" in lines and not any(re.fullmatch(r"p\d+", line) and line != f"p{pid}" for line in lines)
    return frozenset(line for line in lines if line.startswith("d")) if ours else frozenset()


def of_process(find: t.Callable[[], int | None]) -> Proof:
    """Return a proof that the found process has the port."""

    def prove(address: str, port: int) -> t.Hashable:
        pid = find()
        held = sockets_of(pid, ports.parse_address(address), port) if pid else frozenset()
        if not held:
            raise not_ours(address, port)
        return (pid, held)

    return prove


def of_container(name: str, client: Api | Docker | None = None, proc: Path = ports.PROC) -> Proof:
    """Return a proof that a lab's container publishes the port, and that only the engine listens there."""

    def prove(address: str, port: int) -> t.Hashable:
        asked = ports.parse_address(address)
        number, published = published_by((client or Docker()).find("container", name), asked, port)
        if not published:
            raise NotPublished(
                f"Port {port} on {address} is not the lab's.",
                f"The container {name} does not run, or has not published that port. The token was not sent.",
                "Run the same command again. ./lab status tells which labs run, and where.",
            )
        found = ports.listeners(asked, port, proc) or []
        # None where the kernel alone forwards.
        if not all(row.user in engine_users() for row in found):
            raise not_ours(address, port)
        return (number, frozenset(row.inode for row in found))

    return prove


def published_by(found: t.Any, address: ports.Address, port: int) -> tuple[str, bool]:  # noqa: ANN401 - of an engine
    """Return the id of an inspected container, and whether it is a running lab that publishes the port."""
    try:
        published = found["NetworkSettings"]["Ports"] or {}
        places = [place for name, each in published.items() if name.endswith("/tcp") for place in each or []]
        here = any(
            int(place["HostPort"]) == port and _covers(str(place.get("HostIp") or ""), address) for place in places
        )
        is_lab = found["State"]["Running"] is True and LABEL in (found["Config"]["Labels"] or {})
        return str(found["Id"]), is_lab and here
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", False


def _covers(listening: str, address: ports.Address) -> bool:
    return ports.covers(ports.parse_address(listening or "0.0.0.0"), address)  # noqa: S104 - what Docker means


def engine_users(environment: t.Mapping[str, str] | None = None) -> set[int]:
    """Return the UIDs that an engine may listen as: root, this user, and the owner of the engine's socket."""
    users = {0, os.geteuid()}
    scheme, _, path = (environment or os.environ).get("DOCKER_HOST", "").partition("://")
    if scheme == "unix":
        try:
            about = Path(path).stat()
        except OSError:
            return users
        if stat.S_ISSOCK(about.st_mode):
            users.add(about.st_uid)
    return users


def proven_connection(at: tuple[str, int], timeout: float, proof: Proof | None) -> socket.socket:
    """Connect; with a proof, the listener has to be the same before and after."""
    before = proof(*at) if proof else None
    made = socket.create_connection(at, timeout=timeout)
    try:
        if proof and proof(*at) != before:
            raise not_ours(*at)
    except BaseException:
        made.close()
        raise
    return made
