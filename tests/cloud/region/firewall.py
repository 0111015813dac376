# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Security groups that hold: of a machine's ports, callers reach just those that its groups allow at that moment."""

from __future__ import annotations

import contextlib
import ipaddress
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from region.faults import Faults
from region.forwarders import Door, Forwarders, Network, Way
from region.machines import Place
from region.silence import Allowed, Silence

# How soon a program in a machine that begins to listen is reached.
PAUSE = 0.2
# In /proc/net/tcp: the state of a socket that listens.
LISTENS = "0A"


@dataclass(frozen=True)
class Rule:
    """A range of TCP ports that a security group opens to a network."""

    first: int
    last: int
    network: Network


@dataclass(frozen=True)
class Reached:
    """A machine that runs, as the firewall sees it."""

    public: str
    place: Place
    rules: tuple[Rule, ...]
    closed: frozenset[int] = frozenset()
    # It runs, and answers nobody.
    silent: bool = False


class Firewall:
    """Keeps the doors as the security groups want them."""

    def __init__(
        self, machines: Callable[[], Iterable[Reached]], forwarders: Forwarders, silence: Silence, faults: Faults
    ) -> None:
        self._machines = machines
        self._forwarders = forwarders
        self._silence = silence
        self._faults = faults
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Go on looking after the doors, for programs begin to listen at any time."""
        while True:
            try:
                self.look()
            except Exception:  # what goes wrong with one look is told, and the next one may go well
                traceback.print_exc()
            time.sleep(PAUSE)

    def look(self) -> None:
        """Open and close doors as it is right now."""
        with self._lock:
            machines = list(self._machines())
            self._forwarders.open_just(doors(machines, listening))
            self._silence.keep(allowed(machines) if self._faults.seen("closed_is_silent") else None)


def doors(machines: Iterable[Reached], listening: Callable[[int], set[int]]) -> dict[Door, Way]:
    """Return the doors that are to be open: where a program listens and a rule lets somebody in."""
    found = {}
    for machine in machines:
        ports = {rule.first for rule in machine.rules} if machine.silent else listening(machine.place.pid)
        for port in ports - machine.closed:
            networks = frozenset(rule.network for rule in machine.rules if rule.first <= port <= rule.last)
            if networks:
                found[machine.public, port] = Way("" if machine.silent else machine.place.address, networks)
    return found


def allowed(machines: Iterable[Reached]) -> list[Allowed]:
    """Return what the rules of all machines let in, whether or not a program listens there."""
    return [(machine.public, rule.first, rule.last, rule.network) for machine in machines for rule in machine.rules]


def rules_of(groups: Iterable[object]) -> tuple[Rule, ...]:
    """Return the rules of moto's security groups that let somebody in by TCP over IPv4."""
    found = []
    for group in groups:
        for rule in tuple(group.ingress_rules):
            everything = str(rule.ip_protocol) == "-1"
            if rule.cidr_ipv4 and (everything or rule.ip_protocol in ("tcp", "6")):
                first, last = (0, 65535) if everything else (int(rule.from_port), int(rule.to_port))
                found.append(Rule(first, last, ipaddress.IPv4Network(rule.cidr_ipv4, strict=False)))
    return tuple(found)


def listening(pid: int) -> set[int]:
    """Return the ports on which a program listens, for others than itself, in the network of a process."""
    found: set[int] = set()
    for table in ("tcp", "tcp6"):
        # It may have ended just now.
        with contextlib.suppress(OSError):
            found |= listening_in(Path(f"/proc/{pid}/net/{table}").read_text())
    return found


def listening_in(table: str) -> set[int]:
    """Return the same from the text of /proc/net/tcp or tcp6."""
    found = set()
    for line in table.splitlines()[1:]:
        _, local, _, state = line.split()[:4]
        address, port = local.split(":")
        # Bytes of an address are written backwards in groups of four: 127.0.0.1 ends with 7F, and ::1 with 01000000.
        loopback = address.endswith("7F") if len(address) == 8 else address == "0" * 24 + "01000000"
        if state == LISTENS and not loopback:
            found.add(int(port, 16))
    return found
