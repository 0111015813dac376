# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open URLs past proxies, without redirects, and with TLS settings of one's own."""

from __future__ import annotations

import ipaddress
import ssl
import urllib.parse
import urllib.request


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_options: object) -> None:
        return None


def is_loopback_url(url: str) -> bool:
    """Return whether a URL leads to this computer itself."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_opener(
    direct: bool = False, redirects: bool = True, context: ssl.SSLContext | None = None
) -> urllib.request.OpenerDirector:
    """Return what opens URLs; ``direct`` goes past all proxies, and a redirect that is not followed is an HTTPError."""
    handlers: list[urllib.request.BaseHandler] = []
    if direct:
        handlers.append(urllib.request.ProxyHandler({}))
    if not redirects:
        handlers.append(_NoRedirect())
    if context:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)
