# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redaction of a bundle: secrets in any encoding, accounts, addresses, and names of people.

What is known to be a secret is taken out wherever it stands; besides, whatever looks like one.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import typing as t
from urllib.parse import unquote

from .._common.redact import HIDDEN, SHORTEST, all_spellings, is_secret_name, looks_secret, redact

# After a percent sign, two preceding digits are an encoded letter.
_ACCOUNT = re.compile(r"(?:(?<![0-9])|(?<=%[0-9A-Fa-f]{2}))(?:[0-9]{12}|[0-9]{4}-[0-9]{4}-[0-9]{4})(?![0-9])")
_V4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d]|\.\d)")
_V6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_DASHED = re.compile(r"\b(ec2|ip)-(\d{1,3}(?:-\d{1,3}){3})\b")
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}={0,2}")
# Addresses that identify nobody.
_NOBODYS = [
    *map(ipaddress.ip_network, ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12")),
    *map(ipaddress.ip_network, ("192.168.0.0/16", "255.0.0.0/8", "::/128", "::1/128", "fe80::/10", "fc00::/7")),
]
# Placeholders of redacted text.
MARKS = (HIDDEN, "<user>", "<host>", "<AWS user>", "<account>", "<address 1>")
# Names that many systems share; logs would be unreadable without them.
_COMMON_NAMES = ("root", "admin", "ubuntu", "debian", "ec2-user", "user", "users", "jovyan", "desi", "lab", "localhost")


class Cleaner:
    """Removes known secrets, and whatever looks like one."""

    def __init__(self, secrets: t.Iterable[str] = (), names: t.Mapping[str, str] | None = None) -> None:
        """``names`` are words that tell who somebody is, such as a login name, each with what takes its place."""
        # Placeholders are not secrets.
        self.secrets = {
            secret for secret in secrets if len(secret) >= SHORTEST and not any(secret in mark for mark in MARKS)
        }
        self._spelled = all_spellings(self.secrets)
        known = {name: put for name, put in (names or {}).items() if len(name) > 1 and name not in _COMMON_NAMES}
        self._names = [
            (re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"), known[name])
            for name in sorted(known, key=len, reverse=True)
        ]
        self._addresses: dict[str, str] = {}

    def holds_secret(self, text: str) -> bool:
        """Return whether a text contains a known secret, in any encoding."""
        return any(each in text for each in self._spelled)

    def clean(self, text: str) -> str:
        """Return a text without secrets."""
        text = redact(text, self._spelled)
        text = _ENCODED.sub(self._decoded, text)
        text = _ACCOUNT.sub("<account>", text)
        text = _DASHED.sub(self._dashed, text)
        text = _V6.sub(self._address, _V4.sub(self._address, text))
        for pattern, put in self._names:
            text = pattern.sub(put, text)
        return text

    def structure(self, data: t.Any, name: str = "") -> t.Any:  # noqa: ANN401 - whatever JSON can say
        """Return a structure without secrets, which are also recognized by their keys."""
        if isinstance(data, t.Mapping):
            return {str(key): self.structure(value, str(key)) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return [self._word(data, place, name) for place in range(len(data))]
        if isinstance(data, str):
            return HIDDEN if data and is_secret_name(name) else data
        return data

    def _word(self, words: t.Sequence[t.Any], place: int, name: str) -> t.Any:  # noqa: ANN401 - whatever JSON can say
        word, before = words[place], words[place - 1] if place else ""
        if not isinstance(word, str):
            return self.structure(word, name)
        key, sign, value = word.partition("=")
        if sign and value and is_secret_name(key):
            return f"{key}={HIDDEN}"
        option = isinstance(before, str) and before.startswith("-") and "=" not in before and is_secret_name(before)
        return HIDDEN if option or is_secret_name(name) else word

    def _decoded(self, match: re.Match[str]) -> str:
        """Hide what is a secret once it is decoded."""
        return HIDDEN if any(self._reveals(text) for text in decoded(match[0])) else match[0]

    def _reveals(self, text: str) -> bool:
        return bool(_ACCOUNT.search(text)) or self.holds_secret(text) or looks_secret(text)

    def _address(self, match: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            return match[0]
        if any(address in network for network in _NOBODYS if network.version == address.version):
            return match[0]
        # The same placeholder each time.
        return self._addresses.setdefault(str(address), f"<address {len(self._addresses) + 1}>")

    def _dashed(self, match: re.Match[str]) -> str:
        plain = match[2].replace("-", ".")
        shown = _V4.sub(self._address, plain)
        return match[0] if shown == plain else f"{match[1]}-{shown}"


def decoded(text: str) -> list[str]:
    """Return the decoded forms of a word that is base64 or hexadecimal."""
    found = []
    bare = text.rstrip("=")
    with_padding = bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4)
    tries: list[t.Callable[[], bytes]] = [lambda: base64.b64decode(with_padding, validate=True)]
    if len(text) % 2 == 0:
        tries.append(lambda: bytes.fromhex(text))
    for attempt in tries:
        try:
            said = attempt().decode()
        except (ValueError, binascii.Error):
            continue
        if said.isprintable() or said.strip().replace("\n", "").isprintable():
            found += [said, unquote(said)]
    return found
