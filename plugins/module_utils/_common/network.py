# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables by which programs reach the network: proxies and certificate authorities."""

from __future__ import annotations

import os
import typing as t
import urllib.request
from urllib.parse import unquote, urlsplit

from .errors import LabError

PROXY_NAMES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
CA_NAMES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
NAMES = (*PROXY_NAMES, "no_proxy", "NO_PROXY", *CA_NAMES)
# A URL with a user in it would be redacted.
WRITE_PROXY = (
    "Write {} as http://host:port, with user:password@ in front of the host if the proxy wants them; letters such as "
    "@, # and / of a password are written as %40, %23 and %2F there."
)
_USUAL_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks5": 1080, "socks5h": 1080}


class Proxy(t.NamedTuple):
    """A proxy of the environment, and the variables that name it. ``secret`` is never shown."""

    scheme: str
    host: str
    port: int
    names: tuple[str, ...] = ()
    user: str = ""
    secret: str = ""

    @property
    def address(self) -> str:
        """Return host and port, without credentials."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def variable(self) -> str:
        """Return a variable that names it."""
        return next(iter(self.names), "HTTPS_PROXY")


def parse_proxy(value: str) -> Proxy | None:
    """Return the proxy of a variable's value, None if it is invalid."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port or _USUAL_PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    # A password with a # or / that is not escaped would be taken for the port, and shown as such.
    hides_user = "@" in value and "@" not in parts.netloc
    if not parts.hostname or not port or " " in parts.hostname or hides_user:
        return None
    return Proxy(parts.scheme, parts.hostname, port, (), unquote(parts.username or ""), unquote(parts.password or ""))


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy by which this process opens a URL, None if it opens it directly. Raises LabError."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    value = "" if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(parts.scheme, "")
    proxy = parse_proxy(value) if value else None
    name = f"{parts.scheme.upper()}_PROXY"
    if value and not proxy:
        raise LabError(
            f"{host} cannot be reached through a proxy.",
            f"{name} is no address of one.",
            WRITE_PROXY.format(name),
        )
    return proxy._replace(names=(name,)) if proxy else None


def network_of(environ: t.Mapping[str, str]) -> dict[str, str]:
    """Return those variables of an environment that are set."""
    return {name: environ[name] for name in NAMES if environ.get(name)}


def use_network(given: t.Mapping[str, t.Any] | None) -> None:
    """Set these variables for this process, and no others.

    sudo drops them, and a proxy may have a password, which must be in no command.
    """
    os.environ.update({name: str(value) for name, value in (given or {}).items() if name in NAMES})


def ca_bundle(environ: t.Mapping[str, str]) -> str:
    """Return the CA bundle of the environment, by any of its usual variables."""
    return next((environ[name] for name in CA_NAMES if environ.get(name)), "")
