# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The URL of a server as it is reached from somewhere else."""

from __future__ import annotations

import re

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._lab.url import check_place

_USUAL_PORT = {"http": 80, "https": 443}
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#\s]+)(?P<rest>(?:[/?#]\S*)?)", re.IGNORECASE)


def url_at(url: str, host: str, port: int | str, scheme: str = "") -> str:
    """Return the URL with another host and port, and with another scheme if one is given.

    All that stands behind them is kept to the letter, for a token is in it. A user name and password are not: they were
    meant for the other host.
    """
    found = _URL.fullmatch(url)
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
