# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker import ports as docker_ports
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Docker

LOOPBACK = ipaddress.ip_address("127.0.0.1")
# An address of its own, so that whatever else runs on the machine is not in the way.
QUIET = ipaddress.ip_address("127.83.21.5")
NO_DOCKER = Docker(("/nonexistent/docker",))


@contextmanager
def listening(address: str, port: int = 0, family: int = socket.AF_INET, v6only: bool = False):
    with socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
        server.bind((address, port))
        server.listen()
        yield server.getsockname()[1]


def free_port(address: str = str(QUIET)) -> int:
    with listening(address) as port:
        return port


def fake_docker(folder: Path, script: str) -> Docker:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Docker((str(program),))


def test_port_nobody_uses_is_free():
    assert docker_ports.is_free(QUIET, free_port())


def test_port_listened_on_is_taken():
    with listening(str(QUIET)) as port:
        assert not docker_ports.is_free(QUIET, port)


def test_port_listened_on_at_another_address_is_free():
    with listening("127.83.21.6") as port:
        assert docker_ports.is_free(QUIET, port)


def test_port_listened_on_at_all_addresses_is_taken_at_one():
    with listening("0.0.0.0") as port:  # noqa: S104 - that is what is tested
        assert not docker_ports.is_free(LOOPBACK, port)


def test_port_listened_on_at_one_address_is_taken_at_all():
    with listening(str(QUIET)) as port:
        assert not docker_ports.is_free(ipaddress.ip_address("0.0.0.0"), port)  # noqa: S104 - that is what is tested


def test_port_listened_on_at_all_ipv6_addresses_is_taken_for_ipv4():
    with listening("::", family=socket.AF_INET6) as port:
        assert not docker_ports.is_free(LOOPBACK, port)


def test_port_listened_on_for_ipv6_alone_is_free_for_ipv4():
    with listening("::1", family=socket.AF_INET6, v6only=True) as port:
        assert docker_ports.is_free(QUIET, port)
        assert not docker_ports.is_free(ipaddress.ip_address("::1"), port)


def test_port_listened_on_for_ipv4_alone_is_free_for_ipv6():
    with listening(str(QUIET)) as port:
        assert docker_ports.is_free(ipaddress.ip_address("::"), port)


def test_port_with_closed_connections_lingering_is_free():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((str(QUIET), 0))
        server.listen()
        port = server.getsockname()[1]
        client = socket.create_connection((str(QUIET), port))
        accepted, _ = server.accept()
        # The server closes first, so that its end is the one that lingers.
        accepted.close()
        assert client.recv(1) == b""
        client.close()
    lingering = f":{port:04X} "
    assert any(lingering in line and " 06 " in line for line in Path("/proc/net/tcp").read_text().splitlines())
    assert docker_ports.is_free(QUIET, port)


def test_trial_leaves_the_port_free():
    port = free_port()
    assert docker_ports.is_free(QUIET, port)
    with listening(str(QUIET), port) as same:
        assert same == port


def test_low_port_that_may_not_be_bound_is_judged_by_whether_it_answers(monkeypatch):
    def refuse(self, address):
        raise PermissionError(errno.EACCES, "Permission denied")

    with listening(str(QUIET)) as port, monkeypatch.context() as patched:
        patched.setattr(socket.socket, "bind", refuse)
        assert not docker_ports.is_free(QUIET, port)
    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert docker_ports.is_free(QUIET, port)


def test_system_that_lets_bind_beside_a_wildcard_listener_is_not_fooled(monkeypatch):
    with listening("0.0.0.0") as port:  # noqa: S104 - that is what is tested
        monkeypatch.setattr(docker_ports.sys, "platform", "darwin")
        monkeypatch.setattr(socket.socket, "bind", lambda self, address: None)
        assert not docker_ports.is_free(LOOPBACK, port)
    assert docker_ports.is_free(LOOPBACK, port)


def test_next_free_is_the_port_itself_when_free():
    port = free_port()
    assert docker_ports.next_free(QUIET, port, 0) == port
    assert docker_ports.next_free(QUIET, port, -7) == port


def test_next_free_skips_taken_ports():
    with listening(str(QUIET)) as port, listening(str(QUIET), port + 1):
        assert docker_ports.next_free(QUIET, port, 5) == port + 2


def test_next_free_is_none_when_all_looked_through_are_taken():
    with listening(str(QUIET)) as port, listening(str(QUIET), port + 1):
        assert docker_ports.next_free(QUIET, port, 1) is None
        assert docker_ports.next_free(QUIET, port, -7) is None


def test_next_free_stops_at_the_last_port():
    with listening(str(QUIET), docker_ports.LAST_PORT):
        assert docker_ports.next_free(QUIET, docker_ports.LAST_PORT, 100) is None


def test_listener_is_named_with_its_process():
    code = (
        "import socket, sys\n"
        f"s = socket.socket(); s.bind(('{QUIET}', 0)); s.listen()\n"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        port = int(child.stdout.readline())
        said = docker_ports.who_listens(QUIET, port, NO_DOCKER)
        child.communicate()
    assert said.endswith(f"(process {child.pid})")
    assert "python" in said


def test_listener_at_all_ipv6_addresses_is_named_for_ipv4():
    with listening("::", family=socket.AF_INET6) as port:
        assert f"(process {os.getpid()})" in docker_ports.who_listens(LOOPBACK, port, NO_DOCKER)


def test_listener_that_cannot_be_known_is_another_program(tmp_path):
    assert docker_ports.who_listens(QUIET, 8888, NO_DOCKER, tmp_path) == docker_ports.ANOTHER_PROGRAM


def test_listener_of_another_user_is_looked_for_among_containers(tmp_path):
    docker = fake_docker(tmp_path, r"printf 'desi-lab-ann\t127.83.21.5:8888->8888/tcp\n'")
    assert docker_ports.who_listens(QUIET, 8888, docker, tmp_path / "empty") == "the Docker container desi-lab-ann"


def test_container_is_named_rather_than_the_proxy_that_listens_for_it(tmp_path):
    make_proc(tmp_path, "docker-proxy")
    docker = fake_docker(tmp_path, r"printf 'desi-lab-ann\t127.83.21.5:8888->8888/tcp\n'")
    assert docker_ports.who_listens(QUIET, 8888, docker, tmp_path) == "the Docker container desi-lab-ann"


def test_other_program_is_named_without_asking_docker(tmp_path):
    make_proc(tmp_path, "ssh")
    docker = fake_docker(tmp_path, r"printf 'desi-lab-ann\t127.83.21.5:8888->8888/tcp\n'")
    assert docker_ports.who_listens(QUIET, 8888, docker, tmp_path) == "ssh (process 41)"


def test_docker_proxy_without_its_container_is_still_named(tmp_path):
    make_proc(tmp_path, "docker-proxy")
    assert docker_ports.who_listens(QUIET, 8888, NO_DOCKER, tmp_path) == "docker-proxy (process 41)"


def test_process_that_ends_while_looked_at_is_passed_over(tmp_path):
    make_proc(tmp_path, "ssh")
    (tmp_path / "7").mkdir()
    assert docker_ports.who_listens(QUIET, 8888, NO_DOCKER, tmp_path) == "ssh (process 41)"


def test_oldest_of_several_processes_that_share_the_socket_is_named(tmp_path):
    make_proc(tmp_path, "worker", pid=105)
    make_proc(tmp_path, "master", pid=41)
    assert docker_ports.who_listens(QUIET, 8888, NO_DOCKER, tmp_path) == "master (process 41)"


def make_proc(folder: Path, name: str, pid: int = 41) -> None:
    (folder / "net").mkdir(exist_ok=True)
    address = f"{struct.unpack('=I', QUIET.packed)[0]:08X}"
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = f"   0: {address}:{8888:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0 100 0\n"
    (folder / "net" / "tcp").write_text(head + line)
    (folder / str(pid) / "fd").mkdir(parents=True)
    (folder / str(pid) / "fd" / "3").symlink_to("socket:[4711]")
    (folder / str(pid) / "comm").write_text(f"{name}\n")


@pytest.mark.parametrize(
    ("ports", "address", "port", "published"),
    [
        ("127.0.0.1:8888->8888/tcp", "127.0.0.1", 8888, True),
        ("127.0.0.1:8888->8888/tcp", "127.0.0.2", 8888, False),
        ("127.0.0.1:18888->8888/tcp", "127.0.0.1", 8888, False),
        ("0.0.0.0:8888->8888/tcp, :::8888->8888/tcp", "127.0.0.1", 8888, True),
        ("0.0.0.0:8888->8888/tcp, [::]:8888->8888/tcp", "::1", 8888, True),
        ("80/tcp, 127.0.0.1:8000-8010->8000-8010/tcp", "127.0.0.1", 8010, True),
        ("127.0.0.1:8000-8010->8000-8010/tcp", "127.0.0.1", 8011, False),
        ("127.0.0.1:8888->8888/udp", "127.0.0.1", 8888, False),
        ("some-host:8888->8888/tcp", "127.0.0.1", 8888, False),
        ("8888/tcp", "127.0.0.1", 8888, False),
        ("", "127.0.0.1", 8888, False),
    ],
)
def test_published_port_is_found_in_what_docker_ps_prints(ports, address, port, published):
    found = docker_ports.published_at(
        ["other\t127.0.0.1:1->1/tcp", f"lab\t{ports}"], ipaddress.ip_address(address), port
    )
    assert found == ("lab" if published else None)


@given(st.ip_addresses(), st.integers(1, 65535), st.sampled_from(["0A", "01", "06"]), st.integers(1, 2**32))
def test_listeners_are_read_as_the_kernel_writes_them(address, port, state, inode):
    packed = address.packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    written = "".join(f"{word:08X}" for word in words)
    text = f"  sl  local_address ...\n 0: {written}:{port:04X} 0:0 {state} 0:0 00:0 0 1000 0 {inode} 1 0 100 0 0 10 0\n"
    expected = [docker_ports.Listener(address, port, str(inode), 1000)] if state == "0A" else []
    assert list(docker_ports.parse_listeners(text)) == expected


def test_listeners_of_an_empty_or_short_table_are_none():
    assert list(docker_ports.parse_listeners("")) == []
    assert list(docker_ports.parse_listeners("head\n 0: 0100007F:22B8\n\n")) == []


@pytest.mark.parametrize(
    ("one", "other", "in_the_way"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.1", True),  # noqa: S104 - data
        ("127.0.0.1", "0.0.0.0", True),  # noqa: S104 - data
        ("::", "127.0.0.1", True),
        ("::1", "127.0.0.1", False),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "::1", False),  # noqa: S104 - data
        ("::", "::1", True),
    ],
)
def test_listener_covers_addresses(one, other, in_the_way):
    assert docker_ports.covers(ipaddress.ip_address(one), ipaddress.ip_address(other)) is in_the_way


def test_address_of_another_computer_is_refused_with_a_reason():
    with pytest.raises(LabError, match="no such address"):
        docker_ports.is_free(ipaddress.ip_address("192.0.2.7"), 8888)


@pytest.mark.parametrize("text", ["", "lab.example.org", "127.0.0.1:8888", "127.0.0", "256.1.1.1", "*", "127.0.0.1/8"])
def test_text_that_is_no_address_is_refused(text):
    with pytest.raises(LabError) as caught:
        docker_ports.parse_address(text)
    assert f"'{text}'" in caught.value.what


def test_localhost_is_the_loopback_address():
    assert docker_ports.parse_address("localhost") == LOOPBACK


@pytest.mark.parametrize("port", [-1, 0, 65536, 888888])
def test_number_that_is_no_port_is_refused(port):
    with pytest.raises(LabError, match="from 1 to 65535"):
        docker_ports.check_port(port)


@pytest.mark.parametrize("port", [1, 8888, 65535])
def test_port_is_accepted(port):
    assert docker_ports.check_port(port) == port


@pytest.mark.docker
def test_container_that_publishes_the_port_is_named(container):
    port = free_port()
    name = container("sleep 300", "--publish", f"{QUIET}:{port}:8888")
    assert not docker_ports.is_free(QUIET, port)
    assert docker_ports.who_listens(QUIET, port) == f"the Docker container {name}"
