# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of connections connect to: real servers on loopback."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

PATIENCE = 30
# sshd wants to be called by its whole path, and its folder is often not on PATH.
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_that(condition, patience=PATIENCE):
    """Wait until a condition holds, and return what it gave."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
    return found


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path


class Machine:
    """A real SSH server on loopback, and a lab's folder whose configuration leads to it."""

    host = "desi-test"

    def __init__(self, home: Path) -> None:
        self.home = home
        # Its name may be any, wherever it is given to ssh, rsync or a shell.
        self.folder = home / "Ärger und 'Ähnliches' #1"
        self.folder.mkdir()
        self.config = self.folder / "ssh_config"
        self.known_hosts = self.folder / "known_hosts"
        self.key = make_key(self.folder / "id_ed25519")
        self.host_key = make_key(home / "host_key")
        # It is known before it is met, as the product has it.
        self.known_hosts.write_text(f"i-0abc {self.host_key.with_suffix('.pub').read_text()}")
        self.authorized = home / "authorized_keys"
        self.authorized.write_text(self.key.with_suffix(".pub").read_text())
        self.port = free_port()
        self.server: subprocess.Popen | None = None
        self.write_config()

    def write_config(self, port: int | None = None, **settings: str) -> None:
        """Write the lab's configuration as the product does."""
        lines = {
            "HostName": "127.0.0.1",
            "Port": str(port or self.port),
            "User": getpass.getuser(),
            "IdentityFile": f'"{self.key}"',
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": f'"{self.known_hosts}"',
            "HostKeyAlias": "i-0abc",
            "StrictHostKeyChecking": "yes",
            **settings,
        }
        text = "".join(f"  {name} {value}\n" for name, value in lines.items())
        new = self.config.with_suffix(".new")
        new.write_text(f"Host {self.host}\n{text}")
        new.replace(self.config)

    def start(self, port: int | None = None, *options: str) -> None:
        self.port = port or self.port
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        (self.home / "empty").touch()
        given = {
            "ListenAddress": "127.0.0.1",
            "Port": str(self.port),
            "HostKey": str(self.host_key),
            "AuthorizedKeysFile": str(self.authorized),
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            # A shell that has one above it does not read ~/.bashrc, which is somebody's and may wait for ever.
            "SetEnv": "SHLVL=1",
        }
        words = [word for name, value in given.items() for word in ("-o", f"{name}={value}")]
        with (self.home / "sshd.log").open("ab") as log:
            self.server = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self.home / "empty"), *options, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await_that(self.listens)

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def sessions(self) -> list[int]:
        """Return the server's processes that serve a connection."""
        text = subprocess.run(["ps", "-A", "-o", "pid=", "-o", "ppid="], check=True, capture_output=True, text=True)
        pairs = [tuple(map(int, line.split())) for line in text.stdout.splitlines()]
        below = {self.server.pid} if self.server else set()
        for _generation in range(3):
            below |= {pid for pid, parent in pairs if parent in below}
        return sorted(below - {self.server.pid} if self.server else below)

    def cut(self) -> None:
        """Break every connection in the middle."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the server and all connections."""
        if self.server:
            self.server.send_signal(signal.SIGSTOP)
            self.cut()
            self.server.kill()
            self.server.wait()
            self.server = None


class Listener:
    """A TCP server on loopback that does with its connections what it is told."""

    def __init__(self, serve) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.taken: list[socket.socket] = []
        self._serve = serve
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            self.taken.append(connection)
            self._serve(connection)

    def close(self) -> None:
        # Closing alone does not wake up who waits in accept().
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.taken:
            connection.close()
