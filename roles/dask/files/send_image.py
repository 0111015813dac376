# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send an image to whoever shows the certificate of the lab: CERTIFICATE ADDRESS PORT IMAGE SECONDS.

It ends when nobody has asked for it for that many seconds.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading

# Every notebook has the certificate, and the engine is to do other things, too.
AT_ONCE = threading.BoundedSemaphore(8)


# Who has not shown it yet is waited for that long, and by so many threads; others wait to be let in.
HANDSHAKE_SECONDS = 5
LINES = threading.BoundedSemaphore(64)


def answer(line: socket.socket, context: ssl.SSLContext, image: str) -> None:
    try:
        with line, contextlib.suppress(OSError):
            line.settimeout(HANDSHAKE_SECONDS)
            with context.wrap_socket(line, server_side=True) as secure, AT_ONCE:
                secure.settimeout(60)
                send(secure, image)
    finally:
        LINES.release()


def send(secure: ssl.SSLSocket, image: str) -> None:
    save = subprocess.Popen(["docker", "save", image], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert save.stdout is not None  # noqa: S101 - for types
    try:
        with secure.makefile("wb") as out:
            shutil.copyfileobj(save.stdout, out, 1 << 20)
        if save.wait() == 0:
            # Without it, the other end takes what it got for cut off.
            secure.unwrap()
    finally:
        save.kill()
        save.wait()


def main(certificate: str, address: str, port: str, image: str, seconds: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate)
    with socket.create_server((address, int(port))) as server:
        server.settimeout(float(seconds))
        with contextlib.suppress(socket.timeout):
            while True:
                LINES.acquire()
                line, _peer = server.accept()
                threading.Thread(target=answer, args=(line, context, image)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
