# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that keeps a tunnel: it holds the port for as long as the tunnel is wanted, whatever becomes of ssh.

It is copied into the lab's folder as tunnel.py and run there by itself, so it uses nothing but the standard library.
ssh listens on a socket in a directory that nobody else may enter. Connections to the port are passed on to it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
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
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
    listener.listen(128)
    listener.setblocking(False)
    return listener


class Flow:
    """What goes one way between two sockets. No more is read than the other side takes."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.rest = b""
        self.ended = self.done = False

    def move(self, buffer: memoryview) -> None:
        if self.rest:
            self.rest = self.rest[self._send(memoryview(self.rest)) :]
        elif not self.ended:
            try:
                size = self.source.recv_into(buffer)
            except BlockingIOError:
                return
            self.ended = size == 0
            sent = self._send(buffer[:size]) if size else 0
            self.rest = bytes(buffer[sent:size])
        if self.ended and not self.rest and not self.done:
            self.done = True
            with contextlib.suppress(OSError):
                self.sink.shutdown(socket.SHUT_WR)

    def _send(self, data: memoryview) -> int:
        try:
            return self.sink.send(data)
        except BlockingIOError:
            return 0


class Pair:
    """A connection to the port, and the one to ssh that belongs to it."""

    def __init__(self, client: socket.socket, line: socket.socket) -> None:
        self.sockets = (client, line)
        self.flows = (Flow(client, line), Flow(line, client))

    @property
    def done(self) -> bool:
        return all(flow.done for flow in self.flows)

    def wanted(self, end: socket.socket) -> int:
        """Return for what a socket is to be watched."""
        wanted = 0
        for flow in self.flows:
            if flow.source is end and not flow.rest and not flow.ended:
                wanted |= selectors.EVENT_READ
            if flow.sink is end and flow.rest:
                wanted |= selectors.EVENT_WRITE
        return wanted

    def step(self, end: socket.socket, events: int, buffer: memoryview) -> None:
        for flow in self.flows:
            reads = flow.source is end and events & selectors.EVENT_READ and not flow.rest
            if reads or (flow.sink is end and events & selectors.EVENT_WRITE and flow.rest):
                flow.move(buffer)


class Keeper:
    """Holds the port, and starts ssh again whenever it ends."""

    def __init__(self, listener: socket.socket, command: list[str], config: str, place: str) -> None:
        self.listener, self.command, self.config, self.place = listener, command, config, place
        self.selector = selectors.DefaultSelector()
        self.buffer = memoryview(bytearray(CHUNK))
        self.ssh: subprocess.Popen[bytes] | None = None
        self.pause, self.begun, self.next = 1, 0.0, 0.0
        self.ending = self.hurried = False

    def run(self) -> None:
        woken, waker = socket.socketpair()
        for each in (woken, waker):
            each.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGUSR1, self._hurry)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # It is to outlive the terminal in which it was begun.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(woken, selectors.EVENT_READ)
        try:
            # It ends by itself when the configuration is gone.
            while not self.ending and os.path.isfile(self.config):  # noqa: PTH113 - by the name alone
                self._see_to_ssh()
                due = self.next - time.monotonic() if self.ssh is None else LOOK_SECONDS
                for key, events in self.selector.select(max(0.0, min(due, LOOK_SECONDS))):
                    if key.fileobj is self.listener:
                        self._accept()
                    elif key.fileobj is woken:
                        with contextlib.suppress(BlockingIOError):
                            woken.recv(4096)
                    else:
                        self._step(key.data, key.fileobj, events)
        finally:
            self._end_ssh()

    def _stop(self, *_about: object) -> None:
        self.ending = True

    def _hurry(self, *_about: object) -> None:
        """Make the connection anew at once: whoever asks found it dead, or does not want to wait for the next try."""
        self.hurried = True

    def _see_to_ssh(self) -> None:
        if self.hurried:
            self._end_ssh()
            self.hurried, self.ssh, self.pause, self.next = False, None, 1, 0.0
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

    def _end_ssh(self) -> None:
        if self.ssh is not None:
            self.ssh.terminate()
            try:
                self.ssh.wait(2)
            except subprocess.TimeoutExpired:
                self.ssh.kill()
        with contextlib.suppress(OSError):
            os.unlink(SOCKET)  # noqa: PTH108 - by the name alone

    def _accept(self) -> None:
        try:
            client, _address = self.listener.accept()
        except OSError:
            # There may be too many connections; without a pause this would be tried without end.
            time.sleep(0.02)
            return
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(1)
            line.connect(SOCKET)
        except OSError:
            # The line is down: nobody answers, and nobody else can.
            line.close()
            client.close()
            return
        for each in (client, line):
            each.setblocking(False)
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = Pair(client, line)
        for each in pair.sockets:
            self.selector.register(each, selectors.EVENT_READ, pair)

    def _step(self, pair: Pair, end: socket.socket, events: int) -> None:
        if end.fileno() < 0:
            # It was closed in this very round, with its other half.
            return
        try:
            pair.step(end, events, self.buffer)
            over = pair.done
        except OSError:
            over = True
        for each in pair.sockets:
            if over:
                with contextlib.suppress(KeyError, ValueError):
                    self.selector.unregister(each)
                each.close()
            else:
                self._watch(each, pair)

    def _watch(self, end: socket.socket, pair: Pair) -> None:
        wanted, known = pair.wanted(end), self.selector.get_map().get(end)
        if known is None:
            if wanted:
                self.selector.register(end, wanted, pair)
        elif not wanted:
            self.selector.unregister(end)
        elif known.events != wanted:
            self.selector.modify(end, wanted, pair)


def main(words: list[str]) -> int:
    # The rest is only read in the list of processes.
    _mark, place, _digest, forward, host, config, _log = words
    begins, remote = split_forward(forward)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        listener = listen(*begins)
    except OSError as error:
        print(f"bind [{begins[0]}]:{begins[1]}: {error.strerror}", flush=True)
        return 1
    Keeper(listener, ssh_command(config, place, remote, host), config, place).run()
    return 0


def split_forward(forward: str) -> tuple[tuple[str, int], str]:
    """Return where a tunnel begins, and where it leads as ssh reads it."""
    head, rest = forward[1:].split("]:", 1) if forward.startswith("[") else forward.split(":", 1)
    port, remote = rest.split(":", 1)
    return (head, int(port)), remote


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
