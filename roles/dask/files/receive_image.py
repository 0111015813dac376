# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Load an image that the lab's machine sends: CERTIFICATE ADDRESS PORT."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import time

# The sender may begin a moment later.
ATTEMPTS = 20


def connected(address: str, port: int) -> socket.socket:
    for _ in range(ATTEMPTS - 1):
        try:
            return socket.create_connection((address, port), 60)
        except OSError:
            time.sleep(0.5)
    return socket.create_connection((address, port), 60)


def main(certificate: str, address: str, port: str) -> int:
    context = ssl.create_default_context(cafile=certificate)
    # It is known by its certificate, which no name is in.
    context.check_hostname = False
    context.load_cert_chain(certificate)
    load = subprocess.Popen(["docker", "load", "--quiet"], stdin=subprocess.PIPE)
    assert load.stdin is not None  # noqa: S101 - for types
    try:
        with (
            context.wrap_socket(connected(address, int(port)), suppress_ragged_eofs=False) as secure,
            secure.makefile("rb") as source,
        ):
            shutil.copyfileobj(source, load.stdin, 1 << 20)
        load.stdin.close()
        return load.wait()
    except OSError as error:
        load.kill()
        load.wait()
        print(f"The image did not come whole: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
