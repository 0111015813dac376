# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of the machine, those in containers included, and what they say of people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
# Terminals that programs make, as numbers of devices: https://www.kernel.org/doc/html/latest/admin-guide/devices.html
TERMINALS = range(136, 144)
SHELLS = frozenset({"ash", "bash", "csh", "dash", "fish", "ksh", "mksh", "sh", "tcsh", "zsh"})
SSH_SERVERS = ("sshd", "sshd-session", "sshd-auth")
# A command over SSH, such as a look of our own, is somebody's work once it takes this long.
LONG = 10.0


class Process(NamedTuple):
    """A process, as its line in /proc says; ``began`` is seconds after the kernel's own start."""

    pid: int
    name: str
    parent: int
    group: int
    session: int
    terminal: int
    foreground: int
    began: float

    @property
    def leads_terminal(self) -> bool:
        """Whether this is the one that a terminal was opened with."""
        return self.pid == self.session and os.major(self.terminal) in TERMINALS


def parsed(line: str) -> Process:
    """Return the process of a line of /proc/PID/stat. A name may hold anything, parentheses too."""
    before, _, after = line.rpartition(")")
    pid, _, name = before.partition(" (")
    fields = after.split()
    parent, group, session, terminal, foreground = (int(each) for each in fields[1:6])
    ticks = os.sysconf("SC_CLK_TCK")
    return Process(int(pid), name, parent, group, session, terminal & 0xFFFFFFFF, foreground, int(fields[19]) / ticks)


def processes(proc: Path = PROC) -> Iterator[Process]:
    """Yield all processes that there are; one may end while it is looked at."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                yield parsed((entry / "stat").read_text(encoding="utf-8", errors="replace"))
            except OSError:
                continue


def people(found: Iterable[Process], uptime: float) -> list[str]:
    """Return who works over SSH. A tunnel alone is nobody: its server runs no program for it."""
    every = {process.pid: process for process in found}
    sentences = []
    for process in every.values():
        parent = every.get(process.parent)
        if parent is None or parent.name not in SSH_SERVERS or process.name in SSH_SERVERS:
            continue
        if process.leads_terminal:
            sentences.append("somebody is logged in over SSH")
        elif uptime - process.began >= LONG:
            sentences.append(f"{process.name} runs over SSH")
    return sorted(set(sentences))


def commands(found: Iterable[Process]) -> list[str]:
    """Return the commands that run in terminals, in front of a shell or instead of one."""
    every = list(found)
    names = {process.pid: process.name for process in every}
    running = set()
    for process in every:
        if not process.leads_terminal:
            continue
        if process.foreground not in (process.group, -1, 0):
            running.add(names.get(process.foreground, "a command"))
        elif process.name not in SHELLS:
            running.add(process.name)
    return [f"{name} runs in a terminal" for name in sorted(running)]
