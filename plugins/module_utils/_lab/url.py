# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs of Jupyter servers: as a server prints them, and as they are reached from elsewhere."""

from __future__ import annotations

import re
from typing import NamedTuple

from .._common.errors import LabError

# Printed instead of a token that was given to the server.
HIDDEN_TOKEN = "..."  # noqa: S105 - no secret
_LOOPBACK = ("127.0.0.1", "[::1]", "::1", "localhost")
_USUAL_PORT = {"http": 80, "https": 443}
# RFC 3986 (3.3). Logs may hold anything, and what is read from them reaches a terminal.
_LETTERS = r"A-Za-z0-9._~!$&'()*+,;=:@%-"
_URL = re.compile(
    r"(?:or )?\s*(?P<scheme>https?)://(?P<authority>\([^()]*\)(?::[0-9]+)?|[^\s/?#()]+)"
    rf"(?P<path>/[/{_LETTERS}]*)?(?:\?(?P<query>[/?{_LETTERS}]*))?(?:#[/?{_LETTERS}]*)?"
)
_AUTHORITY = re.compile(r"(?P<host>.+?)(?::(?P<port>[0-9]{1,5}))?\Z")
_HOST = re.compile(r"(?:[\w.-]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%\w+)?\]?)\Z")
_TOKEN = re.compile(r"(?:^|&)token=([^&]*)")


class Url(NamedTuple):
    """A URL as a server printed it; the token still percent-encoded."""

    scheme: str
    hosts: tuple[str, ...]
    port: int
    path: str
    token: str

    @property
    def is_local(self) -> bool:
        """Whether its host is a loopback address."""
        return any(host in _LOOPBACK for host in self.hosts)

    def texts(self) -> list[str]:
        return [write_url(self, host, self.port) for host in self.hosts]


def parse_url(text: str) -> Url | None:
    """Parse a URL; None if the text is anything else."""
    match = _URL.fullmatch(text)
    authority = match and _AUTHORITY.match(match["authority"])
    if not match or not authority:
        return None
    port = int(authority["port"]) if authority["port"] else _USUAL_PORT[match["scheme"]]
    if not 1 <= port <= 65535:
        return None
    host = authority["host"]
    # Notebook 5 writes both of its hosts into one URL: http://(c0ffee or 127.0.0.1):8888/
    hosts = tuple(host.strip("()").split(" or ")) if host.startswith("(") else (host,)
    token = _TOKEN.search(match["query"] or "")
    return Url(match["scheme"], hosts, port, match["path"] or "/", token[1] if token else "")


def write_url(url: Url, host: str, port: int) -> str:
    """Return the URL with another host and port, without an unknown token."""
    # Notebook 5 omits the brackets of an IPv6 address.
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    address = host if port == _USUAL_PORT[url.scheme] else f"{host}:{port}"
    query = f"?token={url.token}" if url.token not in ("", HIDDEN_TOKEN) else ""
    return f"{url.scheme}://{address}{url.path}{query}"


def check_place(host: str, port: int | None) -> None:
    """Refuse an invalid host or port."""
    if not _HOST.match(host):
        raise LabError(
            f"'{host}' is not a host.",
            "A URL has a host's name or address there, without a scheme, port or path.",
            "give a name or address alone, for example 127.0.0.1 or lab.example.org",
        )
    if port is not None and not 1 <= port <= 65535:
        raise LabError(
            f"{port} is not a port.",
            "A port is a whole number from 1 to 65535.",
            "give the port at which the server is published, for example 8888",
        )


_ANY_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#\s]+)(?P<rest>(?:[/?#]\S*)?)", re.IGNORECASE)


def url_at(url: str, host: str, port: int | str, scheme: str = "") -> str:
    """Return the URL with another host, port and scheme.

    The rest is kept to the letter, as it holds the token. User name and password are dropped.
    """
    found = _ANY_URL.fullmatch(url)
    if not found:
        # The URL is not repeated: it may hold a token.
        raise LabError(
            "The address of the server cannot be worked out.",
            "What was given is not a URL that begins with http:// or https://.",
            "Give the URL that the server printed.",
        )
    if scheme and scheme not in _USUAL_PORT:
        raise LabError(f"'{scheme}' is not a scheme.", "A server is reached by http or https.", "Give one of the two.")
    if not re.fullmatch(r"[0-9]{1,5}", str(port)):
        raise LabError(f"'{port}' is not a port.", "A port is a whole number from 1 to 65535.", "Give such a number.")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    check_place(bare, int(port))
    scheme = scheme or found["scheme"].lower()
    name = f"[{bare}]" if ":" in bare else bare
    return f"{scheme}://{name}{'' if int(port) == _USUAL_PORT[scheme] else f':{int(port)}'}{found['rest']}"
