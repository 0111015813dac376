# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the server answers: exit code 0 if it does."""

from __future__ import annotations

import http.client
import os
import ssl
import sys


def answers(port: int) -> bool:
    """Ask the one page of Jupyter that needs no token, in the clear and, where that is not understood, by TLS."""
    # Whose certificate it is does not matter here: nothing secret is sent, and the server is this container's own.
    unverified = ssl._create_unverified_context()  # noqa: S323
    return any(
        asked(connection)
        for connection in (
            http.client.HTTPConnection("127.0.0.1", port, timeout=2),
            http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=unverified),
        )
    )


def asked(connection: http.client.HTTPConnection) -> bool:
    """Whether a Jupyter server is at the other end."""
    try:
        connection.request("GET", "/api")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(int(os.environ.get("JUPYTER_PORT") or 8888)) else 1)
