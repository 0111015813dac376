# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports that do not answer, as on EC2 those that no rule allows: a chain of the kernel's packet filter that drops.

By default a port that is not allowed refuses, so that tests need not wait. A rule (faults.py) wants silence.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from region.addresses import share
from region.forwarders import Network

# An address, the first and the last port there, and who may call them.
Allowed = tuple[str, int, int, Network]


class Silence:
    """The chain of one region."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._chain = chain_of(number)
        self._inside: list[str] | None = None

    def keep(self, allowed: Iterable[Allowed] | None) -> None:
        """Let just these calls through; if nothing is said, all."""
        inside = None if allowed is None else rules(self._chain, allowed)
        if inside == self._inside:
            return
        if inside is None:
            remove(self._number)
        else:
            lines = ["*filter", f":{self._chain} - [0:0]", f"-F {self._chain}", *inside, f"-A {self._chain} -j DROP"]
            iptables_restore([*lines, "COMMIT"])
            if self._inside is None:
                iptables("-I", *hook(self._number))
        self._inside = inside


def rules(chain: str, allowed: Iterable[Allowed]) -> list[str]:
    """Return what the chain lets through, in an order that does not change by itself."""
    return sorted(
        f"-A {chain} -s {network} -d {address} -p tcp --dport {first}:{last} -j RETURN"
        for address, first, last, network in allowed
    )


def chain_of(number: int) -> str:
    """Return what the chain of a region is called; the kernel takes no long names."""
    return f"DESI-REGION-{number}"


def hook(number: int) -> list[str]:
    """Return what leads calls to the addresses of a region into its chain."""
    return ["INPUT", "-i", "lo", "-d", share(number), "-p", "tcp", "--syn", "-j", chain_of(number)]


def remove(number: int) -> None:
    """Remove the chain of a region if it is there."""
    while iptables("-D", *hook(number)):
        pass
    if iptables("-F", chain_of(number)):
        iptables("-X", chain_of(number))


def iptables(*arguments: str) -> bool:
    """Change the packet filter; return whether that worked."""
    return subprocess.run(["iptables", "-w", *arguments], capture_output=True, check=False).returncode == 0


def iptables_restore(lines: list[str]) -> None:
    """Change a chain in one step, so that there is no moment without it."""
    text = "\n".join([*lines, ""])
    subprocess.run(["iptables-restore", "-w", "--noflush"], input=text, text=True, capture_output=True, check=True)
