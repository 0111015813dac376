# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that keeps a tunnel: it holds the port for as long as the tunnel is wanted, whatever becomes of ssh.

It is copied into the lab's folder as tunnel.py and run there by itself, so it uses nothing but the standard library.
ssh listens on a socket in a directory that nobody else may enter. Connections to the port are passed on to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time

MARK = "desi-lab-tunnel"
SOCKET = "./socket"
CHUNK = 1 << 18
LOOK_SECONDS = 1.0
LASTED_SECONDS = 60.0
MOST_PAUSE = 30
MOST_LOG = 100_000
MOST_FILES = 8192
RELAYS: set[asyncio.Task[None] | None] = set()

# Command-line options win over what stands in the configuration file.
OPTIONS = (
    "BatchMode=yes",
    "ClearAllForwardings=no",
    "ConnectTimeout=10",
    "ControlMaster=no",
    "ControlPath=none",
    "ExitOnForwardFailure=yes",
    "PermitLocalCommand=yes",
    "ServerAliveCountMax=3",
    "ServerAliveInterval=15",
    "StreamLocalBindMask=0177",
    "StreamLocalBindUnlink=yes",
    "StrictHostKeyChecking=yes",
)


def ssh_command(config: str, place: str, remote: str, host: str) -> list[str]:
    """Return the command of ssh; its local command says that the forwarding stands, and makes it known in ps."""
    options = (*OPTIONS, f"LocalCommand=echo {MARK} {place} connected")
    words = [word for option in options for word in ("-o", option)]
    return ["ssh", "-F", config, "-N", "-T", "-a", "-x", *words, "-L", f"{SOCKET}:{remote}", host]


def pauses(pause: int, lasted: float) -> tuple[int, int]:
    """Return how long to wait before the next try, and before the one that follows it."""
    now = 1 if lasted >= LASTED_SECONDS else pause
    return now, min(now * 2, MOST_PAUSE)


def listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    # Two sockets may be bound at once, and only one of them may listen.
    listener.listen(128)
    return listener


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what comes, no faster than the other side takes it, and that it ends: the other half may go on."""
    while data := await source.read(CHUNK):
        sink.write(data)
        await sink.drain()
    sink.write_eof()


async def relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass a connection to the port on to ssh. While the line is down nobody answers, and nobody else can."""
    writers, task = [sink], asyncio.current_task()
    # Up to Python 3.10 nothing else holds it.
    RELAYS.add(task)
    try:
        there, line = await asyncio.wait_for(asyncio.open_unix_connection(SOCKET, limit=CHUNK), 1)
        writers.append(line)
        await asyncio.gather(pump(source, line), pump(there, sink))
    except (OSError, RuntimeError, asyncio.TimeoutError):
        pass
    finally:
        RELAYS.discard(task)
        for writer in writers:
            writer.close()


class Keeper:
    """Starts ssh again whenever it ends, until it is ended itself or the configuration is gone."""

    def __init__(self, command: list[str], config: str, place: str) -> None:
        self.command, self.config, self.place = command, config, place
        self.ssh: subprocess.Popen[bytes] | None = None
        self.pause, self.begun, self.next = 1, 0.0, 0.0
        self.is_ending = self.is_hurried = False
        self.woken = asyncio.Event()

    async def run(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        # It says nothing of connections that break: its output is the log, and is read.
        loop.set_exception_handler(lambda *_about: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.wake, "is_ending")
        loop.add_signal_handler(signal.SIGUSR1, self.wake, "is_hurried")
        loop.add_signal_handler(signal.SIGCHLD, self.woken.set)
        # It is to outlive the terminal in which it was begun.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        await asyncio.start_server(relay, sock=listener, limit=CHUNK)
        try:
            while not self.is_ending and os.path.isfile(self.config):  # noqa: PTH113 - by the name alone
                self.see_to_ssh()
                due = self.next - time.monotonic() if self.ssh is None else LOOK_SECONDS
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.woken.wait(), max(0.0, min(due, LOOK_SECONDS)))
                self.woken.clear()
        finally:
            self.end_ssh()

    def wake(self, why: str) -> None:
        """End, or connect anew at once: whoever asks found the line dead, or does not want to wait for the next try."""
        setattr(self, why, True)
        self.woken.set()

    def see_to_ssh(self) -> None:
        if self.is_hurried:
            self.end_ssh()
            self.is_hurried, self.ssh, self.pause, self.next = False, None, 1, 0.0
        now = time.monotonic()
        if self.ssh is not None:
            code = self.ssh.poll()
            if code is None:
                return
            wait, self.pause = pauses(self.pause, now - self.begun)
            self.ssh, self.next = None, now + wait
            with contextlib.suppress(OSError):
                # What is printed is the log.
                if os.fstat(sys.stdout.fileno()).st_size > MOST_LOG:
                    os.ftruncate(sys.stdout.fileno(), 0)
            code = 128 - code if code < 0 else code
            print(f"{MARK} {self.place} ended with {code}, and is started again in {wait} s", flush=True)
        elif now >= self.next:
            self.begun = now
            try:
                self.ssh = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
            except OSError as error:
                print(f"ssh: {error.strerror}", flush=True)
                wait, self.pause = pauses(self.pause, 0)
                self.next = now + wait

    def end_ssh(self) -> None:
        if self.ssh is not None:
            self.ssh.terminate()
            try:
                self.ssh.wait(2)
            except subprocess.TimeoutExpired:
                self.ssh.kill()
        with contextlib.suppress(OSError):
            os.unlink(SOCKET)  # noqa: PTH108 - by the name alone


async def keep(listener: socket.socket, command: list[str], config: str, place: str) -> None:
    await Keeper(command, config, place).run(listener)


def main(words: list[str]) -> int:
    # The rest is only read in the list of processes.
    _mark, place, _digest, forward, host, config, _log = words
    address, port, remote = forward.split(":", 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        listener = listen(address, int(port))
    except OSError as error:
        print(f"bind [{address}]:{port}: {error.strerror}", flush=True)
        return 1
    asyncio.run(keep(listener, ssh_command(config, place, remote, host), config, place))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
