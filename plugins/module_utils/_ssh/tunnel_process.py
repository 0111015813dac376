# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a tunnel alive, as texts: a program, and how it and its ssh are known in the process list.

The command line says what a tunnel is, so that no other record of it is needed, and none can be out of date.
"""

from __future__ import annotations

import hashlib
import importlib.util
import ipaddress
import re
import sys
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple

from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel_keeper as ssh_tunnel_keeper
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel_keeper import MARK

SCRIPT = "tunnel.py"
LOG = "tunnel.log"
# Only its owner may enter it: ssh listens in it.
ROOM = "tunnel"
# What the shell loop of version 0.1.0 was called. One that still runs is found, and replaced.
OLD_SCRIPT = "tunnel.sh"


def source() -> str:
    """Return the program that keeps a tunnel. It may lie in an archive, from which only its loader can read."""
    spec = importlib.util.find_spec(ssh_tunnel_keeper.__name__)
    loader = getattr(spec, "loader", None)
    text = loader.get_source(ssh_tunnel_keeper.__name__) if hasattr(loader, "get_source") else None
    if not text:
        raise FileNotFoundError(ssh_tunnel_keeper.__name__)
    return str(text)


KEEPER = source()

_PS_LINE = re.compile(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S.*)")
_LOOP_LINE = re.compile(
    rf"(?:\S*sh \S.*/{re.escape(OLD_SCRIPT)}|\S.* -I \S.*/{re.escape(SCRIPT)})"
    rf" {MARK} ([0-9a-f]{{16}}) ([0-9a-f]{{16}}) (\S+) (\S+) \S.*"
)
_SSH_LINE = re.compile(rf"(?:\S*/)?ssh -F \S.* LocalCommand=echo {MARK} ([0-9a-f]{{16}}) connected -L \S+ \S+")
_CANNOT_LISTEN = re.compile(r"bind .*: |bind: |.*cannot listen to port: \d+|Could not request local forwarding")


@dataclass(frozen=True)
class Tunnel:
    """A port of this computer that leads to a port as a machine sees it."""

    folder: str
    config: str
    host: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int

    @property
    def begins_at(self) -> str:
        return _place(self.local_address, self.local_port)

    @property
    def forward(self) -> str:
        return f"{self.begins_at}:{_place(self.remote_address, self.remote_port)}"

    @property
    def place(self) -> str:
        return place_of(self.folder)

    @property
    def digest(self) -> str:
        """Return what stands for all that makes this tunnel another one, down to the program that keeps it."""
        return _hash(*map(str, astuple(self)), KEEPER)

    @property
    def script(self) -> Path:
        return Path(self.folder, SCRIPT)

    @property
    def log(self) -> Path:
        return Path(self.folder, LOG)

    @property
    def room(self) -> Path:
        return Path(self.folder, ROOM)

    @property
    def files(self) -> list[Path]:
        """Return what a tunnel has in its folder while it is open, also one of version 0.1.0."""
        return [self.script, self.log, self.room / "socket", self.room, Path(self.folder, OLD_SCRIPT)]

    def command(self) -> list[str]:
        """Return the command of the program that keeps the tunnel up until it is sent SIGTERM."""
        words = [MARK, self.place, self.digest, self.forward, self.host, self.config, str(self.log)]
        return [sys.executable, "-I", str(self.script), *words]


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    user: int
    line: str


class Loop(NamedTuple):
    """A program of ours that keeps a tunnel, as its command line tells."""

    digest: str
    forward: str
    host: str
    pid: int


def place_of(folder: str) -> str:
    """Return a word for a folder that every process list shows as it is, whatever letters are in its name."""
    return _hash(folder)


def parse_processes(text: str) -> list[Process]:
    """Read the process list: pid, parent, process group, user, command line; as Linux, the BSDs and macOS print it."""
    found = (_PS_LINE.fullmatch(line) for line in text.splitlines())
    return [Process(*map(int, match.groups()[:4]), line=match[5].rstrip()) for match in found if match]


def tunnel_processes(processes: Iterable[Process], place: str, user: int) -> list[Process]:
    """Return the processes of the tunnel of a folder: loops, what they forked, their ssh, and what these started."""
    mine = [process for process in processes if process.user == user]
    marked = {process.pid for process in mine if place in (_mark(_LOOP_LINE, process), _mark(_SSH_LINE, process))}
    return [process for process in mine if process.pid in marked or process.parent in marked]


def running_loop(processes: Iterable[Process], place: str, user: int) -> Loop | None:
    """Return the loop of a folder's tunnel, if one runs."""
    for process in processes:
        match = _LOOP_LINE.fullmatch(process.line)
        # What a loop forks has its command line, too, but does not lead the process group.
        if match and match[1] == place and process.user == user and process.pid == process.group:
            return Loop(match[2], match[3], match[4], process.pid)
    return None


def is_connected(log: str, place: str) -> bool:
    """Tell from the log whether the forwarding stands now."""
    lines = [line for line in log.splitlines() if line.startswith(f"{MARK} {place} ")]
    return bool(lines) and lines[-1].endswith(" connected")


def has_ended(log: str, place: str) -> bool:
    """Tell from the log whether ssh ended."""
    return f"{MARK} {place} ended with " in log


def cannot_listen(log: str) -> bool:
    """Tell from the log whether ssh could not have the local port."""
    return any(_CANNOT_LISTEN.match(line) for line in log.splitlines())


def what_ssh_said(log: str) -> str:
    """Return the log without what the loop says."""
    return "\n".join(line for line in log.splitlines() if not line.startswith(f"{MARK} "))


def _mark(pattern: re.Pattern[str], process: Process) -> str | None:
    match = pattern.fullmatch(process.line)
    return match[1] if match else None


def _place(address: str, port: int) -> str:
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        version = 4
    return f"[{address}]:{port}" if version == 6 else f"{address}:{port}"


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()[:16]
