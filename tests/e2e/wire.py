# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network in which there is one lab and nothing else: a network namespace with a wire to the lab.

What runs in it cannot reach anybody else. And it does not notice when containers come and go on this computer, at which
Chromium would give up whatever it is asking for (ERR_NETWORK_CHANGED).
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

READY = "ready"


def forward(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes between two sockets, each way, until either is done."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=carry, args=(other, one), daemon=True)
    back.start()
    carry(one, other)
    back.join()


class Outside(socketserver.ThreadingUnixStreamServer):
    """The end of the wire at the lab."""

    daemon_threads = True

    def __init__(self, path: Path, lab: tuple[str, int]) -> None:
        super().__init__(str(path), Carrier)
        self.dial = lambda: socket.create_connection(lab)


class Inside(socketserver.ThreadingTCPServer):
    """The end of the wire in the namespace, at the very address of the lab."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path: str, lab: tuple[str, int]) -> None:
        super().__init__(lab, Carrier)
        self._path = path

    def dial(self) -> socket.socket:
        """Reach the other end."""
        wire = socket.socket(socket.AF_UNIX)
        wire.connect(self._path)
        return wire


class Carrier(socketserver.BaseRequestHandler):
    """One connection over the wire."""

    def handle(self) -> None:
        try:
            other = self.server.dial()
        except OSError:
            return
        with other:
            forward(self.request, other)


@contextlib.contextmanager
def network_of(host: str, port: int, folder: Path) -> Iterator[list[str]]:
    """Make a network in which there is one server; yield the words that run a command in it."""
    path = folder / "wire"
    with Outside(path, (host, port)) as outside:
        threading.Thread(target=outside.serve_forever, daemon=True).start()
        inside = subprocess.Popen(
            ["unshare", "--net", sys.executable, __file__, str(path), host, str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert inside.stdout.readline().strip() == READY
            yield ["nsenter", f"--net=/proc/{inside.pid}/ns/net"]
        finally:
            inside.terminate()
            inside.wait(10)
            outside.shutdown()


def main() -> None:
    """Be the end in the namespace, which begins with a loopback that is down."""
    path, host, port = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if not host.startswith("127."):
        subprocess.run(["ip", "address", "add", host, "dev", "lo"], check=True)
    with Inside(path, (host, int(port))) as inside:
        print(READY, flush=True)
        inside.serve_forever()


if __name__ == "__main__":
    main()
