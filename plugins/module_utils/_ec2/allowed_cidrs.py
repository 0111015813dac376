# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ranges that may reach a lab: those given, and the caller's own public address."""

from __future__ import annotations

import http.client
import ipaddress
import queue
import threading
import time
import typing as t
import urllib.error
import urllib.request
from collections import Counter
from urllib.parse import urlsplit

from .._common.errors import LabError
from .._common.web import is_loopback_url, make_opener

AUTO = "auto"
EVERYBODY = "0.0.0.0/0"
PATIENCE_SECONDS = 6.0
# An address has at most 15 letters; whoever sends more sends a page.
ANSWER_BYTES = 256
# More than these many addresses are said, because hardly anybody means them.
MANY_ADDRESSES = 65536
# Addresses that nobody has on the internet. Those of documentation are not among them: they do no harm.
INSIDE = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
GIVE_IT = "give your address or range: -e lab_allow_from=203.0.113.7/32, with your own in it"


class Allowed(t.NamedTuple):
    """The ranges that may reach a lab, and notes on them."""

    cidrs: list[str]
    notes: list[str]


def needs_own_address(values: t.Iterable[str]) -> bool:
    return any(value.strip().lower() == AUTO for value in values)


def allowed(values: t.Sequence[str], own: str = "") -> Allowed:
    """Return the ranges that somebody gave; ``own`` stands for the word auto in them."""
    if not values:
        why = "The list lab_allow_from is empty, so nobody could reach the machine, not even to set it up."
        raise LabError("Nobody would be let in.", why, "leave it out: it then is the address that you have")
    found: dict[str, list[str]] = {}
    for value in values:
        text = value.strip()
        cidr, notes = parse_cidr(own if text.lower() == AUTO else text)
        found.setdefault(cidr, notes)
    return Allowed(list(found), [note for notes in found.values() for note in notes])


def parse_cidr(text: str) -> tuple[str, list[str]]:
    """Return a range as EC2 takes it, and a note on it, if any; an address alone is a range of one."""
    what = f"The range “{text}” of lab_allow_from cannot be used."
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        why = "It is neither an IPv4 address nor a range of them, such as 203.0.113.0/24."
        raise LabError(what, why, GIVE_IT) from None
    if not isinstance(interface, ipaddress.IPv4Interface):
        why = "It is IPv6, and the machine of a lab has an IPv4 address only."
        raise LabError(what, why, "give the IPv4 address that the internet sees of you, or leave it out")
    # A range of AWS is written with the length of its prefix, not with a mask.
    network = interface.network
    cidr = str(network)
    if network.prefixlen == 0:
        return cidr, ["EVERYBODY on the internet may try to get in (0.0.0.0/0). Your own address would do."]
    notes = []
    if interface.ip != network.network_address:
        notes.append(f"{text} stands for the whole range {cidr}.")
    if network.num_addresses > MANY_ADDRESSES:
        notes.append(f"{cidr} lets in {network.num_addresses:,} addresses. Your own one would do.")
    if is_inside(network.network_address) and not network.is_loopback:
        notes.append(
            f"{cidr} is a private range: AWS does not see it of you, unless you have a line of your own there."
        )
    return cidr, notes


def is_inside(address: ipaddress.IPv4Address) -> bool:
    """Return whether an address means nothing on the internet."""
    return any(address in network for network in INSIDE)


def check_services(services: t.Sequence[str]) -> None:
    """Refuse a service whose answer anybody on the way could forge."""
    for url in services:
        parts = urlsplit(url)
        if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(url))):
            why = "Over anything but HTTPS, whoever is on the way could give an address of his own."
            raise LabError(f"The service {url} cannot be asked for your address.", why, "give one that begins https://")


def read_answer(url: str, body: str) -> str:
    """Return the address that a service gave; empty where it is none, or one that nobody has on the internet."""
    try:
        address = ipaddress.IPv4Address(body.strip())
    except ValueError:
        return ""
    return "" if is_inside(address) and not is_loopback_url(url) else str(address)


def agreed(answers: t.Iterable[str], complete: bool) -> str:
    """Return the address that two services agree on, or the only one once all have answered.

    It is empty as long as there is no such address. A single service that lies, or sees another way out of the
    network, must not decide who may get in.
    """
    counts = Counter(filter(None, answers)).most_common()
    if counts and counts[0][1] > 1 and (len(counts) == 1 or counts[1][1] < counts[0][1]):
        return counts[0][0]
    return counts[0][0] if complete and len(counts) == 1 else ""


class AddressQuery:
    """Query services for the address that they see, in parallel."""

    def __init__(self, services: t.Sequence[str], seconds: float = PATIENCE_SECONDS) -> None:
        check_services(services)
        self.services, self.end = list(dict.fromkeys(services)), time.monotonic() + seconds
        self.answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        for url in self.services:
            # As daemons, because one that hangs in a name server must not keep the module from ending.
            threading.Thread(target=lambda url=url: self.answers.put(_query_service(url, seconds)), daemon=True).start()

    def address(self) -> str:
        """Return the address that the services agree on."""
        seen: list[str] = []
        while len(seen) < len(self.services) and not agreed(seen, complete=False):
            try:
                seen.append(self.answers.get(timeout=max(0.0, self.end - time.monotonic())))
            except queue.Empty:
                break
        address = agreed(seen, complete=True)
        if address:
            return address
        hosts = ", ".join(urlsplit(url).hostname or url for url in self.services) or "no service"
        if any(seen):
            why = f"Asked were {hosts}; they see {' and '.join(sorted(set(filter(None, seen))))}."
        else:
            why = f"Asked were {hosts}; none gave an IPv4 address. A firewall or a proxy may stand between."
        raise LabError("Your own address, from which alone the lab is to be reached, is not known.", why, GIVE_IT)


def _query_service(url: str, seconds: float) -> str:
    # A service that sends elsewhere is not the one that was chosen.
    opener = make_opener(direct=is_loopback_url(url), redirects=False)
    request = urllib.request.Request(url, headers={"User-Agent": "desi-lab", "Accept": "text/plain"})  # noqa: S310 - checked
    try:
        with opener.open(request, timeout=seconds) as answer:
            return read_answer(url, answer.read(ANSWER_BYTES).decode("ascii", "replace"))
    except (OSError, ValueError, http.client.HTTPException):
        return ""
