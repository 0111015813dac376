# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a TCP port is free, who listens there, and which next one is free."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union

from .._common.errors import LabError
from .._common.text import setting_option
from .cli import Docker

LAST_PORT = 65535
# How many ports after one that is taken are tried.
SEARCHED = 100
PROC = Path("/proc")
ANOTHER_PROGRAM = "another program"
_LISTEN = "0A"
_PUBLISHED = re.compile(r"(?P<address>\S+):(?P<first>\d+)(?:-(?P<last>\d+))?->\S+/tcp")
# They hold a port for a container, whose name says more.
_STAND_INS = ("docker-proxy", "dockerd", "rootlesskit", "com.docker", "vpnkit", "conmon", "slirp4netns")

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


class Listener(NamedTuple):
    """A listening socket in /proc/net."""

    address: Address
    port: int
    inode: str
    user: int


def parse_address(text: str) -> Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if text == "localhost" else text)
    except ValueError:
        raise LabError(
            f"'{text}' is not an address to listen on.",
            "It has to be an IP address of this computer.",
            "give 127.0.0.1 (this computer only) or 0.0.0.0 (everyone who can reach this computer)",
        ) from None


def check_port(port: int) -> int:
    if not 1 <= port <= LAST_PORT:
        raise LabError(
            f"{port} is not a port.",
            f"A port is a whole number from 1 to {LAST_PORT}.",
            "give another one, for example 8888",
        )
    return port


def is_free(address: Address, port: int) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do, so that TIME_WAIT does not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((str(address), port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            if error.errno == errno.EACCES:
                # A low port, which Docker may bind.
                return not _answers(address, port)
            raise _unusable(address, error) from None
    # BSD and macOS allow binding 127.0.0.1 beside a listener on 0.0.0.0.
    return sys.platform.startswith("linux") or not _answers(address, port)


def next_free(address: Address, port: int, search: int) -> int | None:
    """Return the first free port from port to port + search."""
    last = min(port + max(0, search), LAST_PORT)
    return next((candidate for candidate in range(port, last + 1) if is_free(address, candidate)), None)


def who_listens(address: Address, port: int, docker: Docker | None = None, proc: Path = PROC) -> str:
    """Name the listener, as far as that is known."""
    sockets = {f"socket:[{each.inode}]" for each in listeners(address, port, proc) or []}
    process = _owner_of(sockets, proc) if sockets else None
    if process and not process[0].startswith(_STAND_INS):
        return f"{process[0]} (process {process[1]})"
    name = _container_at(address, port, docker or Docker())
    if name:
        return f"the Docker container {name}"
    return f"{process[0]} (process {process[1]})" if process else ANOTHER_PROGRAM


def query_port(address: str, port: int) -> dict[str, Any]:
    """Return whether a port is free, its listener, and the first free one of it and the next hundred, or None."""
    place, number = parse_address(address), check_port(port)
    free = is_free(place, number)
    return {
        "address": str(place),
        "port": number,
        "free": free,
        "listener": "" if free else who_listens(place, number),
        "next_free": number if free else next_free(place, number, SEARCHED),
    }


def port_remedy(listener: str, lab: str, other: int | None, stays: bool) -> str:
    """Return what to do about a port that is taken; ``lab`` is the lab that has it, empty for any other program.

    A lab that ``stays`` is started as it was made, and so with its own port alone.
    """
    if stays:
        program = "the program that has it" if listener == ANOTHER_PROGRAM else listener
        end = f"Stop that lab: ./lab stop {setting_option('lab_name', lab)}" if lab else f"End {program}"
        return f"{end}, then start this one again."
    return f"Choose a free one: -e lab_port={other}" if other else "Choose another: -e lab_port=…"


def parse_listeners(text: str) -> Iterator[Listener]:
    """Read the listening sockets in /proc/net/tcp or /proc/net/tcp6."""
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 9 and columns[3] == _LISTEN:
            address, _, port = columns[1].partition(":")
            yield Listener(_from_kernel(address), int(port, 16), columns[9], int(columns[7]))


def published_at(lines: Iterable[str], address: Address, port: int) -> str | None:
    """Return the container that publishes the port, from lines 'name TAB ports' of ``docker ps``."""
    for line in lines:
        name, _, ports = line.partition("\t")
        for match in _PUBLISHED.finditer(ports):
            in_range = int(match["first"]) <= port <= int(match["last"] or match["first"])
            listening = _published_address(match["address"])
            if in_range and listening and covers(listening, address):
                return name
    return None


def covers(listening: Address, requested: Address) -> bool:
    """Return whether a listener on one address blocks the other."""
    listening, requested = (getattr(each, "ipv4_mapped", None) or each for each in (listening, requested))
    if listening.version != requested.version:
        # [::] usually takes IPv4, too.
        return listening.is_unspecified and listening.version == 6
    return listening == requested or listening.is_unspecified or requested.is_unspecified


def _published_address(text: str) -> Address | None:
    try:
        # ':::8888' before Docker 25, '[::]:8888' since.
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _from_kernel(text: str) -> Address:
    # 32-bit words in host byte order.
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))


def listeners(address: Address, port: int, proc: Path = PROC) -> list[Listener] | None:
    """Return the listeners, None where /proc does not list them."""
    found: list[Listener] = []
    listed = False
    for table in ("tcp", "tcp6"):
        try:
            rows = list(parse_listeners((proc / "net" / table).read_text()))
        except (OSError, ValueError):
            continue
        listed = True
        found += [row for row in rows if row.port == port and covers(row.address, address)]
    return found if listed else None


def open_files(process: Path) -> set[str]:
    """Return what a process has open; OSError if it has ended, or is another user's."""
    found = set()
    for link in (process / "fd").iterdir():
        # It may close one meanwhile, as a server does all the time.
        with contextlib.suppress(OSError):
            found.add(str(link.readlink()))
    return found


def _owner_of(sockets: set[str], proc: Path) -> tuple[str, int] | None:
    # The oldest first: the server rather than a child that inherited the socket.
    for pid in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()):
        process = proc / str(pid)
        try:
            if sockets & open_files(process):
                return (process / "comm").read_text(errors="replace").strip(), pid
        except OSError:
            # It has just ended, or is another user's.
            continue
    return None


def _container_at(address: Address, port: int, docker: Docker) -> str | None:
    try:
        listed = docker.output("ps", "--filter", f"publish={port}", "--format", "{{.Names}}\t{{.Ports}}", timeout=10)
    except LabError:
        return None
    return published_at(listed.splitlines(), address, port)


def _answers(address: Address, port: int) -> bool:
    loopback = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    target = loopback if address.is_unspecified else address
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((str(target), port)) == 0


def _unusable(address: Address, error: OSError) -> LabError:
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        why = "This computer has no such address."
    else:
        why = f"The system refuses it ({error.strerror})."
    return LabError(
        f"Nothing can listen on {address}.",
        why,
        "give 127.0.0.1 (this computer only), 0.0.0.0 (everyone who can reach it), or one of 'ip address'",
    )
