# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tunnel, and its processes, which are recognized by their command lines."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple

from .._common.source import source_of
from . import tunnel_keeper
from .tunnel_keeper import MARK

LOOPBACK = "127.0.0.1"
# What the shell loop of version 0.1.0 was called. One that still runs is found, and replaced.
OLD_SCRIPT = "tunnel.sh"

_PS_LINE = re.compile(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S.*)")
_KEEPER_LINE = re.compile(
    rf"(?:\S*sh \S.*/{re.escape(OLD_SCRIPT)}|\S.* -I \S.*/tunnel\.py)"
    rf" {MARK} ([0-9a-f]{{16}}) ([0-9a-f]{{16}}) (\S+) (\S+) \S.*"
)
_SSH_LINE = re.compile(rf"(?:\S*/)?ssh -F \S.* LocalCommand=echo {MARK} ([0-9a-f]{{16}}) connected -L \S+ \S+")


KEEPER = source_of(tunnel_keeper)


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()[:16]


def place_of(directory: str) -> str:
    """Return a word for a directory that every process list shows as it is, whatever letters are in its name."""
    return _hash(directory)


def _is_program(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return MARK in path.read_text(errors="replace")
    return False


@dataclass(frozen=True)
class Tunnel:
    """A port of 127.0.0.1 on this computer that leads to one of 127.0.0.1 on a machine."""

    directory: str
    config: str
    host: str
    local_port: int
    remote_port: int

    @property
    def begins_at(self) -> str:
        return f"{LOOPBACK}:{self.local_port}"

    @property
    def forward(self) -> str:
        return f"{self.begins_at}:{LOOPBACK}:{self.remote_port}"

    @property
    def place(self) -> str:
        return place_of(self.directory)

    @property
    def digest(self) -> str:
        """Return a hash of all that defines this tunnel, with the program that keeps it."""
        return _hash(*map(str, astuple(self)), KEEPER)

    @property
    def script(self) -> Path:
        return Path(self.directory, "tunnel.py")

    @property
    def log(self) -> Path:
        return Path(self.directory, "tunnel.log")

    @property
    def room(self) -> Path:
        """Return the directory in which ssh listens: only its owner may enter it."""
        return Path(self.directory, "tunnel")

    @property
    def files(self) -> list[Path]:
        """Return what a tunnel has in its directory, also one of version 0.1.0, its program last, and links instead.

        Where there is no program of ours, others have these names.
        """
        programs = [path for path in (self.script, Path(self.directory, OLD_SCRIPT)) if _is_program(path)]
        links = [path for path in (self.script, self.log, self.room) if path.is_symlink()]
        return [*links, *([self.log, self.room / "socket", self.room] if programs else []), *programs]

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


class Keeper(NamedTuple):
    """A program of ours that keeps a tunnel, as its command line tells."""

    digest: str
    forward: str
    host: str
    pid: int


def parse_processes(text: str) -> list[Process]:
    """Read the process list: pid, parent, process group, user, command line; as Linux, the BSDs and macOS print it."""
    found = (_PS_LINE.fullmatch(line) for line in text.splitlines())
    return [Process(*map(int, match.groups()[:4]), line=match[5].rstrip()) for match in found if match]


def tunnel_processes(processes: Iterable[Process], place: str, user: int) -> list[Process]:
    """Return the processes of a directory's tunnel: keepers, what they forked, their ssh, and what these started."""
    mine = [process for process in processes if process.user == user]
    marked = set()
    for process in mine:
        match = _KEEPER_LINE.fullmatch(process.line) or _SSH_LINE.fullmatch(process.line)
        if match and match[1] == place:
            marked.add(process.pid)
    return [process for process in mine if process.pid in marked or process.parent in marked]


def running_keeper(processes: Iterable[Process], place: str, user: int) -> Keeper | None:
    """Return the keeper of a directory's tunnel, if one runs."""
    for process in processes:
        match = _KEEPER_LINE.fullmatch(process.line)
        # What a keeper forks has its command line, too, but does not lead the process group.
        if match and match[1] == place and process.user == user and process.pid == process.group:
            return Keeper(match[2], match[3], match[4], process.pid)
    return None


def is_connected(log: str, place: str) -> bool:
    """Tell from the log whether the forwarding stands now."""
    lines = [line for line in log.splitlines() if line.startswith(f"{MARK} {place} ")]
    return bool(lines) and lines[-1].endswith(" connected")


def what_ssh_said(log: str) -> str:
    """Return the log without the keeper's own lines."""
    return "\n".join(line for line in log.splitlines() if not line.startswith(f"{MARK} "))
