# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnosis of ssh errors: classification of messages, reasons and remedies.

Nothing here runs anything; every function turns text into facts or sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from .._common.errors import LabError

BOOTING = "booting"
CLOSED = "closed"
REFUSED = "refused"
SILENT = "silent"
MUTE = "mute"
UNREACHABLE = "unreachable"
NAMELESS = "nameless"
DENIED = "denied"
CONFIG = "config"
HOST_KEY = "host key"
KEY_FILE = "key file"
UNKNOWN_HOST = "unknown host"
NO_COMMON = "nothing in common"
OTHER = "other"

FINAL = (CONFIG, HOST_KEY, KEY_FILE, UNKNOWN_HOST, NO_COMMON)
"""What waiting does not cure."""

# The first kind with a matching line counts: an ignored key file explains a refused key, and a booting instance refuses
# what it accepts a moment later. Versions of ssh differ in prefixes.
_SAYINGS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (CONFIG, r"(?:[/~].*?|command-line):? line \d+: |Can't open user config file |Bad owner or permissions on "),
        (CONFIG, r".*: terminating, \d+ bad configuration option|Bad configuration option: "),
        (HOST_KEY, r"Host key for .* has changed and you have requested strict|.*host key for .* was revoked and you"),
        (HOST_KEY, r"No \S+ host key is known for .* and you have requested strict|Host key verification failed"),
        (HOST_KEY, r"@ +WARNING: (?:REMOTE HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY DETECTED)"),
        (KEY_FILE, r"@ +WARNING: UNPROTECTED PRIVATE KEY FILE|Permissions 0\d+ for '.*' are too open"),
        (KEY_FILE, r'(?:\w+: )?[Ll]oad key "|no such identity: |(?:Warning: )?Identity file .* not accessible: '),
        (NAMELESS, r"ssh: Could not resolve hostname .*: (?:Temporary failure|System error)"),
        (UNKNOWN_HOST, r"ssh: Could not resolve host(?:name)? "),
        (NO_COMMON, r"Unable to negotiate with .*: no matching |no matching \S+ (?:\S+ )?found"),
        (NO_COMMON, r".*no mutual signature (?:algorithm|supported)"),
        (BOOTING, r".*System is (?:booting up|going down)|.*pam_nologin\(8\)"),
        (DENIED, r"(?:\S+: )?Permission denied \([\w@.,-]*\)|(?:.*: )?Too many authentication failures"),
        (DENIED, r"Permission denied, please try again|Authentication failed"),
        (REFUSED, r"(?:ssh: )?connect to (?:host|address) .* port \S+: Connection refused"),
        (MUTE, r".*Connection timed out during banner exchange|Timeout, server .* not responding"),
        (SILENT, r"(?:ssh: )?connect to (?:host|address) .* port \S+: (?:Connection|Operation) timed out"),
        (SILENT, r"Connection (?:to|from) .* timed out"),
        (CLOSED, r".*(?:Broken pipe|Connection (?:reset by peer|closed by remote host))"),
        (CLOSED, r"(?:\w+: )?Connection (?:closed|reset) by |(?:Received disconnect|Disconnected) from "),
        (CLOSED, r"Connection to .* closed|Not allowed at this time"),
        (UNREACHABLE, r"(?:ssh: )?connect to (?:host|address) .* port \S+: "),
    )
)
# Messages beside the reason.
_BESIDE = re.compile(r"@|\*\*|Warning: Permanently added |Pseudo-terminal |debug\d: |\s*$")
_QUOTED = 200


@dataclass(frozen=True)
class Target:
    """The settings of a host, as ``ssh -G`` prints them."""

    config: str
    host: str
    address: str
    port: int = 22
    user: str = ""
    key: str = ""
    known_hosts: str = ""
    key_alias: str = ""

    @property
    def place(self) -> str:
        return f"{self.address} port {self.port}"

    @property
    def pinned_as(self) -> str:
        """Return the name of the host in its known_hosts file."""
        return self.key_alias or (self.address if self.port == 22 else f"[{self.address}]:{self.port}")


class Saying(NamedTuple):
    """The last message of ssh, and its kind of error."""

    kind: str
    words: str


def check_host(host: str) -> str:
    """Return the name of a host; refuse what ssh would take for an option or a command."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", host):
        raise LabError(
            f"'{host}' is not the name of a host in an SSH configuration.",
            "Such a name has letters, digits, dots, dashes and underscores, and does not begin with a dash.",
            "Give the word that stands behind Host, for example desi-desi.",
        )
    return host


def parse_settings(text: str, config: str, host: str) -> Target:
    """Parse the output of ``ssh -G``."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name.lower(), value.strip())
    port = found.get("port", "")
    return Target(
        config=config,
        host=host,
        address=found.get("hostname", host),
        port=int(port) if port.isdigit() else 22,
        user=found.get("user", ""),
        key=found.get("identityfile", ""),
        known_hosts=found.get("userknownhostsfile", ""),
        key_alias=found.get("hostkeyalias", ""),
    )


def classify(stderr: str) -> Saying:
    """Classify an ssh failure by its standard error."""
    lines = [line.strip() for line in stderr.splitlines()]
    heard = ((kind, line) for kind, pattern in _SAYINGS for line in lines if pattern.match(line))
    kind, words = next(heard, (OTHER, ""))
    if kind == OTHER:
        words = next((line for line in reversed(lines) if not _BESIDE.match(line)), "")
    # A framed line is a headline; the next line has the details.
    words = next((line for also, line in heard if also == kind), words) if words.startswith("@") else words
    return Saying(kind, words.split(". Their offer:")[0][:_QUOTED].rstrip(" ."))


def reason(saying: Saying, target: Target) -> tuple[str, str]:
    """Return why ssh failed and what to do."""
    why, do = _REASONS[saying.kind]
    facts = {
        "place": target.place,
        "address": target.address,
        "port": target.port,
        "user": target.user or "the user of that host",
        "key": target.key or "the key of that host",
        "host": target.host,
        "config": target.config,
        "known_hosts": target.known_hosts or "known_hosts",
        "pinned_as": target.pinned_as,
    }
    said = f' ssh says: "{saying.words}".' if saying.words else ""
    return why.format(**facts) + said, do.format(**facts)


_AGAIN = "Run the same command again."
_REASONS = {
    REFUSED: (
        "The machine at {place} is there, but nothing listens at that port: its SSH server has not started.",
        f"{_AGAIN} If it stays so, check the machine's system log in the AWS console.",
    ),
    SILENT: (
        "Nothing answers at {place}. A firewall drops what is sent there: most often your own address has changed since"
        " the security group was told of it, or your network lets nothing out to that port.",
        "Start the lab, which lets your present address in, then run the same command again. If it stays so, try"
        " another network.",
    ),
    UNREACHABLE: (
        "This computer finds no way to {place}.",
        "Check that this computer is online, also without a VPN, then run the same command again.",
    ),
    MUTE: (
        "The machine at {place} takes the connection and says nothing: it is too busy, or no SSH server listens there.",
        f"{_AGAIN} If it stays so, check the machine's system log in the AWS console.",
    ),
    CLOSED: (
        "The machine at {place} takes the connection and closes it before anybody can log in.",
        f"{_AGAIN} If it stays so, check the machine's system log in the AWS console.",
    ),
    BOOTING: ("The machine at {address} is still booting, and lets nobody in yet.", _AGAIN),
    DENIED: (
        "It does not take the key {key} for the user {user} at {address}.",
        "See that the machine was made with this key, and that the user is the one of its system: ec2-user on Amazon"
        " Linux, ubuntu on Ubuntu.",
    ),
    HOST_KEY: (
        "The host key at {place} is not the one that is pinned for {pinned_as} in {known_hosts}. Another machine"
        " answers there, or somebody is listening in between, or the machine's host keys were made again.",
        "Do not go on unless you know that its keys were made again. If so, compare the fingerprint in the machine's"
        " system log in the AWS console, and give it with -e lab_host_key=SHA256:…",
    ),
    KEY_FILE: (
        "The private key {key} cannot be used.",
        "The file has to be there, whole, and yours alone: chmod 600 {key}",
    ),
    CONFIG: ("The SSH configuration {config} cannot be read.", "Correct it, or delete it and run the same command."),
    UNKNOWN_HOST: (
        "There is no computer called {address}, which is what {config} says of {host}.",
        "Check the line HostName below Host {host} in {config}.",
    ),
    NAMELESS: (
        "The name {address} could not be looked up.",
        "Check that this computer is online, then run the same command again.",
    ),
    NO_COMMON: (
        "The SSH programs here and on the machine at {address} have no method in common.",
        "Bring the older of the two up to date; ssh -V tells the version here.",
    ),
    OTHER: (
        "Nobody is let in at {place}, for a reason that is not known here.",
        "Try it by hand: ssh -F {config} {host}",
    ),
}


class HostKeyDiffers(LabError):
    """The host key is not the pinned one."""


def not_let_in(saying: Saying, target: Target) -> LabError:
    """Return the error for a failure that waiting does not fix."""
    what = {
        DENIED: f"The machine {target.host} refuses the key.",
        HOST_KEY: f"The machine {target.host} is not the one that was met before.",
        KEY_FILE: f"The key to the machine {target.host} is of no use.",
        UNKNOWN_HOST: f"The machine {target.host} is not known.",
    }.get(saying.kind, f"The machine {target.host} cannot be reached over SSH.")
    kind = HostKeyDiffers if saying.kind == HOST_KEY else LabError
    return kind(what, *reason(saying, target))


def too_late(saying: Saying, target: Target, seconds: float) -> LabError:
    """Return the error for a timeout."""
    what = f"The machine {target.host} did not answer over SSH within {seconds:g} seconds."
    return LabError(what, *reason(saying, target))
