# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker import port_owner
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


ANY, ANY6, LOOPBACK6 = "0.0.0.0", "::", "::1"  # noqa: S104 - that is what is tested


@pytest.mark.parametrize(
    ("listens", "asked", "free"),
    [
        (QUIET, QUIET, False),
        ("127.83.21.6", QUIET, True),
        (ANY, LOOPBACK, False),
        (QUIET, ANY, False),
        (ANY6, LOOPBACK, False),
        (LOOPBACK6, QUIET, True),
        (LOOPBACK6, LOOPBACK6, False),
        (QUIET, ANY6, True),
    ],
)
def test_port_is_taken_where_a_listener_is_in_the_way(listens, asked, free):
    family = socket.AF_INET6 if ":" in str(listens) else socket.AF_INET
    with listening(str(listens), family=family, v6only=listens == LOOPBACK6) as port:
        assert docker_ports.is_free(ipaddress.ip_address(asked), port) is free
        assert docker_ports.covers(ipaddress.ip_address(listens), ipaddress.ip_address(asked)) is not free


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


def test_next_free_is_the_first_that_is_or_none():
    with listening(str(QUIET)) as port, listening(str(QUIET), port + 1):
        assert docker_ports.next_free(QUIET, port, 5) == port + 2
        assert docker_ports.next_free(QUIET, port, 1) is None
        assert docker_ports.next_free(QUIET, port, -7) is None
    assert docker_ports.next_free(QUIET, port, -7) == port
    with listening(str(QUIET), docker_ports.LAST_PORT):
        assert docker_ports.next_free(QUIET, docker_ports.LAST_PORT, 100) is None


def test_listener_at_all_ipv6_addresses_is_named_with_its_process_for_ipv4():
    with listening("::", family=socket.AF_INET6) as port:
        said = docker_ports.who_listens(LOOPBACK, port, NO_DOCKER)
    assert said.endswith(f"(process {os.getpid()})")


CONTAINER = r"printf 'desi-lab-ann\t127.83.21.5:8888->8888/tcp\n'"


@pytest.mark.parametrize(
    ("programs", "published", "said"),
    [
        ([], "exit 1", docker_ports.ANOTHER_PROGRAM),
        ([], CONTAINER, "the Docker container desi-lab-ann"),
        (["docker-proxy"], CONTAINER, "the Docker container desi-lab-ann"),
        (["docker-proxy"], "exit 1", "docker-proxy (process 41)"),
        (["ssh"], CONTAINER, "ssh (process 41)"),
        (["master", "worker"], "exit 1", "master (process 41)"),
    ],
)
def test_listener_is_named_as_well_as_can_be_known(tmp_path, programs, published, said):
    for number, name in enumerate(programs):
        make_proc(tmp_path, name, pid=41 + number)
    # A process that ends while it is looked at.
    (tmp_path / "7").mkdir()
    docker = fake_docker(tmp_path, published)
    assert docker_ports.who_listens(QUIET, 8888, docker, tmp_path) == said


def test_process_that_closes_files_while_they_are_read_still_owns_its_port(monkeypatch):
    real, closed = Path.readlink, []

    def readlink(link):
        # The first that is read has just been closed, as an answered connection is.
        if not closed:
            closed.append(link)
            raise FileNotFoundError(errno.ENOENT, "gone")
        return real(link)

    with listening(str(QUIET)) as port:
        for question in (
            lambda: port_owner.sockets_of(os.getpid(), QUIET, port),
            lambda: docker_ports.who_listens(QUIET, port, NO_DOCKER) != docker_ports.ANOTHER_PROGRAM,
        ):
            closed.clear()
            with monkeypatch.context() as patch:
                patch.setattr(Path, "readlink", readlink)
                assert question()
            assert closed


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


def test_mapped_address_is_the_one_that_it_maps():
    mapped = ipaddress.ip_address("::ffff:127.0.0.1")
    assert docker_ports.covers(mapped, LOOPBACK)
    assert not docker_ports.covers(ipaddress.ip_address(ANY), ipaddress.ip_address(LOOPBACK6))
    assert docker_ports.covers(ipaddress.ip_address(ANY6), ipaddress.ip_address(LOOPBACK6))


def test_address_of_another_computer_is_refused_with_a_reason():
    with pytest.raises(LabError, match="no such address"):
        docker_ports.is_free(ipaddress.ip_address("192.0.2.7"), 8888)


@pytest.mark.parametrize("text", ["", "lab.example.org", "127.0.0.1:8888", "127.0.0", "256.1.1.1", "*", "127.0.0.1/8"])
def test_text_that_is_no_address_is_refused(text):
    with pytest.raises(LabError) as caught:
        docker_ports.parse_address(text)
    assert f"'{text}'" in caught.value.what


def test_addresses_and_ports_are_checked():
    assert docker_ports.parse_address("localhost") == LOOPBACK
    assert [docker_ports.check_port(port) for port in (1, 65535)] == [1, 65535]
    for port in (-1, 0, 65536):
        with pytest.raises(LabError, match="from 1 to 65535"):
            docker_ports.check_port(port)


@pytest.mark.docker
def test_container_that_publishes_the_port_is_named(container):
    port = free_port()
    name = container("sleep 300", "--publish", f"{QUIET}:{port}:8888")
    assert not docker_ports.is_free(QUIET, port)
    assert docker_ports.who_listens(QUIET, port) == f"the Docker container {name}"
