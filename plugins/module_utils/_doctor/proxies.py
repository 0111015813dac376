# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries of proxies, and inspection of CA files."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import typing as t
from pathlib import Path

from .._common.network import CA_NAMES
from .findings import Finding
from .network_checks import Proxy, judge_authorities, judge_proxies, judge_proxy, read_proxies, twice

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})\b")


def proxy_findings(environment: t.Mapping[str, str], target: str, seconds: float) -> list[Finding]:
    """Check each proxy with a CONNECT to ``target``, which is HOST:PORT."""
    proxies, unreadable = read_proxies(environment)
    each = [judge_proxy(proxy, *ask_proxy(proxy, target, seconds)) for proxy in proxies]
    return judge_proxies(each, unreadable, twice(environment))


def ask_proxy(proxy: Proxy, target: str, seconds: float) -> tuple[int | None, str]:
    """Return the HTTP status of a proxy, and why there is none; of SOCKS proxies, only whether they listen."""
    try:
        with socket.create_connection((proxy.host, proxy.port), timeout=seconds) as plain:
            if proxy.scheme.startswith("socks"):
                return None, ""
            connection: socket.socket = plain
            if proxy.scheme == "https":
                connection = ssl.create_default_context().wrap_socket(plain, server_hostname=proxy.host)
            with connection:
                connection.sendall(question(proxy, target))
                found = _STATUS.match(connection.recv(4096))
    except socket.gaierror:
        return None, "its name is not resolved"
    # The same class only since Python 3.10.
    except (TimeoutError, socket.timeout):
        return None, f"nothing came within {seconds:g} s"
    except ssl.SSLCertVerificationError as error:
        return None, f"its certificate is not trusted here ({error.verify_message})"
    except OSError as error:
        return None, (error.strerror or type(error).__name__).lower()
    return (int(found[1]), "") if found else (None, "what listens there does not speak HTTP")


def question(proxy: Proxy, target: str) -> bytes:
    """Return the CONNECT request for a proxy."""
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: desi-lab"]
    if proxy.user or proxy.secret:
        pair = base64.b64encode(f"{proxy.user}:{proxy.secret}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def authority_findings(environment: t.Mapping[str, str]) -> list[Finding]:
    """Check each CA file that the environment names."""
    return judge_authorities([store(name, environment[name]) for name in CA_NAMES if environment.get(name)])


def store(name: str, path: str) -> dict[str, t.Any]:
    """Return the number of CAs in a file, and what is wrong with it."""
    about: dict[str, t.Any] = {"name": name, "path": path, "count": 0, "problem": ""}
    if not Path(path).exists():
        return {**about, "problem": "is not there"}
    # One program takes a folder; for the others, which get the same, it is none.
    if Path(path).is_dir():
        return {**about, "problem": "is a folder"}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, ValueError):
        return {**about, "problem": "holds no certificates"}
    except OSError as error:
        return {**about, "problem": f"cannot be read ({error.strerror})"}
    return {**about, "count": len(context.get_ca_certs())}
