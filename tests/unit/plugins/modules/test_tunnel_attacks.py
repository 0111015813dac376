# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Others of the same computer want the token that goes through a tunnel."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import await_that, free_port

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker import port_owner as docker_port_owner
from ansible_collections.desi.lab.plugins.module_utils._jupyter.probe import prepare, read
from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel as ssh_tunnel
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel_keeper import MARK
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel_process import Tunnel
from ansible_collections.desi.lab.plugins.modules import jupyter_probe

TOKEN = "c0ffee0123456789"  # noqa: S105 - of a server that the tests make
ANSWER = b'{"version": "2.17.0"}'
# Listens on the port as soon as it can, answers as Jupyter does, and writes down all that it is sent.
SQUATTER = """
import os, socket, sys, time
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
while True:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        server.close()
        print("refused", flush=True)
        time.sleep(0.05)
server.listen()
print("listens", flush=True)
while True:
    taken = server.accept()[0]
    print(taken.recv(65536), flush=True)
    taken.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 21\\r\\nConnection: close\\r\\n\\r\\n{"version": "2.17.0"}')
    taken.close()
"""


def jupyter(connection):
    """Answer as Jupyter does, for as long as the connection lasts."""

    def serve():
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ANSWER)}\r\n\r\n".encode()
                connection.sendall(head + ANSWER)

    threading.Thread(target=serve, daemon=True).start()


class Line:
    """A tunnel to a real SSH server, and a server behind it."""

    def __init__(self, machine, server):
        self.machine, self.server = machine, server
        self.port = free_port()
        self.folder = str(machine.folder)
        there = (self.folder, str(machine.config), machine.host)
        self.tunnel = Tunnel(*there, self.port, server.port)
        self.url = f"http://127.0.0.1:{self.port}/lab?token={TOKEN}"

    def open(self):
        return ssh_tunnel.open_tunnel(self.tunnel, 20)

    def drop(self):
        self.machine.stop()
        await_that(lambda: "ended with 255" in self.machine.folder.joinpath("tunnel.log").read_text())

    def ask(self, call):
        return call(jupyter_probe, url=self.url, tunnel=self.folder, timeout=2)


@pytest.fixture
def line(machine, listener):
    made = Line(machine, listener(jupyter))
    machine.start()
    yield made
    ssh_tunnel.close_tunnel(made.tunnel)


@pytest.fixture
def squatter():
    """Return a function that lets nobody listen on a port; it returns a function that returns what nobody caught."""
    made = []

    def start(port):
        process = subprocess.Popen([sys.executable, "-I", "-c", SQUATTER, str(port)], stdout=subprocess.PIPE, text=True)
        made.append(process)
        lines = [process.stdout.readline()]
        threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()
        return lines

    yield start
    for process in made:
        process.kill()
        process.wait()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="another account is needed")


@needs_root
@pytest.mark.security("H7")
def test_port_cannot_be_had_by_another_account_while_the_line_is_down(line, squatter, call):
    line.open()
    line.drop()
    caught = squatter(line.port)
    assert caught[0] == "refused\n"
    code, result = line.ask(call)
    assert (code, TOKEN in json.dumps(result.get("msg"))) == (1, False)
    line.machine.start()
    assert line.open()["how"] == "revived"
    assert line.ask(call)[0] == 0
    assert "listens\n" not in caught
    assert TOKEN not in "".join(caught)


@needs_root
@pytest.mark.security("H7")
def test_whoever_sits_on_the_port_before_the_tunnel_is_refused_and_catches_nothing(line, squatter, call):
    # The keeper that was killed has left a line behind: all that the first version looked at.
    line.open()
    os.kill(ssh_tunnel.keeper_of(line.folder).pid, signal.SIGKILL)
    await_that(lambda: ssh_tunnel.keeper_of(line.folder) is None)
    caught = squatter(line.port)
    await_that(lambda: "listens\n" in caught)
    code, result = line.ask(call)
    assert (code, result["what"]) == (1, f"Port {line.port} on 127.0.0.1 is not the lab's.")
    with pytest.raises(LabError, match="is taken"):
        line.open()
    assert TOKEN not in "".join(caught)


@needs_root
@pytest.mark.security("H7")
def test_keeper_without_the_port_is_no_tunnel(line, squatter, monkeypatch):
    # Its command line alone, which another program may have, or which waits for its next try as the first version did.
    caught = squatter(line.port)
    await_that(lambda: "listens\n" in caught)
    command = line.tunnel.command()
    line.tunnel.script.write_text("import time\ntime.sleep(60)\n")
    line.tunnel.log.write_text(f"{MARK} {line.tunnel.place} connected\n")
    pretender = subprocess.Popen(command, start_new_session=True)
    try:
        await_that(lambda: ssh_tunnel.keeper_of(line.folder))
        with pytest.raises(LabError, match="is taken"):
            line.open()
    finally:
        pretender.kill()
        pretender.wait()
    assert TOKEN not in "".join(caught)


@pytest.mark.security("H7")
def test_listener_that_changes_while_it_is_asked_gets_no_token(listener):
    told = iter(["one", "two"])
    target = replace(
        prepare(f"http://127.0.0.1:{listener(jupyter).port}/lab?token={TOKEN}"), proof=lambda *_: next(told)
    )
    with pytest.raises(LabError, match="is not the lab's"):
        read(target, "api", 5)


@pytest.mark.security("H7")
def test_whoever_connects_while_the_line_is_down_is_sent_away(line):
    line.open()
    line.drop()
    with socket.create_connection(("127.0.0.1", line.port), timeout=5) as asked:
        assert asked.recv(1) == b""


def test_much_goes_through_the_tunnel_at_once_whole_and_in_both_directions(line, listener):
    def echo(connection):
        def serve():
            with contextlib.suppress(OSError):
                while data := connection.recv(65536):
                    connection.sendall(data)
                # Half of it is closed; the other half still has something to say.
                connection.sendall(b"the end")
                connection.close()

        threading.Thread(target=serve, daemon=True).start()

    line.tunnel = Tunnel(**{**line.tunnel.__dict__, "remote_port": listener(echo).port})
    line.open()
    blob = os.urandom(1 << 20)
    heard = {}

    def talk(number):
        with socket.create_connection(("127.0.0.1", line.port), timeout=30) as asked:
            threading.Thread(target=lambda: (asked.sendall(blob), asked.shutdown(socket.SHUT_WR)), daemon=True).start()
            told = b""
            while data := asked.recv(1 << 16):
                told += data
            heard[number] = hashlib.sha256(told).hexdigest()

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(heard.values()) == {hashlib.sha256(blob + b"the end").hexdigest()}
    assert len(heard) == 20


def test_tunnel_of_the_first_version_that_still_runs_is_closed_and_made_anew(line):
    script = line.machine.folder / "tunnel.sh"
    script.write_text(f"sleep 60\n: {MARK}\n")
    words = [MARK, line.tunnel.place, "0" * 16, line.tunnel.forward, line.machine.host]
    old = subprocess.Popen(["/bin/sh", str(script), *words, str(line.machine.config), "x"], start_new_session=True)
    threading.Thread(target=old.wait, daemon=True).start()
    await_that(lambda: MARK in Path(f"/proc/{old.pid}/cmdline").read_text())
    result = line.open()
    assert (result["how"], result["answers"]) == ("replaced", True)
    await_that(lambda: old.poll() is not None)
    assert not script.exists()


def told(running=True, labels=("desi.lab.name",), name="8888/tcp", places=(("127.0.0.1", 8888),)):
    """Return what an engine says of a container."""
    published = places and [{"HostIp": address, "HostPort": str(port)} for address, port in places]
    config = {"Labels": dict.fromkeys(labels, "x")}
    return {"Id": "a", "State": {"Running": running}, "Config": config, "NetworkSettings": {"Ports": {name: published}}}


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        (told(places=[("0.0.0.0", 8888)]), True),  # noqa: S104 - read, not bound
        (told(places=[("", 8888)]), True),
        (told(running=False), False),
        (told(labels=()), False),
        (told(places=[("127.0.0.1", 8889)]), False),
        (told(name="8888/udp"), False),
        (told(places=[("10.0.0.1", 8888)]), False),
        (told(places=None), False),
        ({"Id": "a"}, False),
        ("rubbish", False),
        (None, False),
    ],
)
@pytest.mark.security("H7")
def test_container_has_a_port_only_while_it_runs_and_publishes_it(found, fits):
    assert docker_port_owner.published_by(found, docker_port_owner.ports.parse_address("127.0.0.1"), 8888)[1] is fits


class Told:
    """An engine that says what a container is."""

    def find(self, _kind, _name):
        return told(places=[("127.0.0.1", self.port)])


@needs_root
@pytest.mark.security("H7")
def test_another_account_that_listens_where_a_container_should_gets_no_token(squatter):
    engine = Told()
    engine.port = free_port()
    caught = squatter(engine.port)
    await_that(lambda: "listens\n" in caught)
    with pytest.raises(LabError, match="is not the lab's"):
        docker_port_owner.of_container("desi-lab-x", engine)("127.0.0.1", engine.port)
    with socket.create_server(("127.0.0.1", 0)) as roots:
        engine.port = roots.getsockname()[1]
        assert docker_port_owner.of_container("desi-lab-x", engine)("127.0.0.1", engine.port)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("p70\nf3\nd0x1234\nn127.0.0.1:8888\n", {"d0x1234"}),
        ("p71\nf3\nd0x1234\nn127.0.0.1:8888\n", set()),
        ("p70\nf3\nd0x1234\np71\nf3\nd0x1234\n", set()),
        ("", set()),
    ],
)
@pytest.mark.security("H7")
def test_owner_of_a_port_is_read_from_lsof_where_there_is_no_proc(text, found):
    assert docker_port_owner.parse_lsof(text, 70) == found
