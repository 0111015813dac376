# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import base64
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from bucket_stand_in import make_certificate

from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK
from ansible_collections.desi.lab.plugins.module_utils._doctor.proxies import authority_findings, proxy_findings

TARGET = "data.example.org:443"


@contextmanager
def proxy(answer):
    """A server that says one thing to whoever asks; None says nothing at all."""
    heard, released = [], threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _address = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(4096).decode())
                    if answer is None:
                        released.wait(30)
                    else:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}", heard
        finally:
            released.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def look(seconds=5.0, **environment):
    return proxy_findings(environment, TARGET, seconds)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\n", OK),
        (b"HTTP/1.0 407 Proxy Authentication Required\r\n\r\n", BROKEN),
        (b"SSH-2.0-OpenSSH_9.2\r\n", BROKEN),
        (b"", BROKEN),
    ],
)
def test_a_proxy_is_judged_by_what_it_answers(answer, verdict):
    with proxy(answer) as (address, heard):
        (found,) = look(https_proxy=f"http://{address}")
    assert found.verdict == verdict
    assert heard[0].startswith(f"CONNECT {TARGET} HTTP/1.1\r\n")
    assert "Authorization" not in heard[0]


def test_a_proxy_is_told_who_asks_and_nobody_else_is():
    with proxy(b"HTTP/1.1 200 OK\r\n\r\n") as (address, heard):
        (found,) = look(https_proxy=f"http://ann:s3cr%40t@{address}")
    assert base64.b64encode(b"ann:s3cr@t").decode() in heard[0]
    assert found.verdict == OK
    assert "s3cr" not in str(found)
    assert "with a user and a password" in found.found


def test_a_proxy_that_says_nothing_is_given_up_in_time():
    began = time.monotonic()
    with proxy(None) as (address, _heard):
        (found,) = look(0.3, http_proxy=f"http://{address}")
    assert time.monotonic() - began < 5
    assert (found.verdict, "nothing came within 0.3 s" in found.found) == (BROKEN, True)


def test_a_proxy_that_is_not_there_or_has_no_address_is_told(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (found,) = look(ALL_PROXY=f"http://127.0.0.1:{port}")
    assert (found.verdict, "connection refused" in found.found) == (BROKEN, True)

    def fail(*_args, **_more):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    (found,) = look(https_proxy="http://proxy.example.org:3128")
    assert (found.verdict, "its name is not resolved" in found.found) == (BROKEN, True)


def test_of_a_socks_proxy_it_is_known_whether_it_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        (found,) = look(all_proxy=f"socks5h://127.0.0.1:{server.getsockname()[1]}")
    assert found.verdict == OK


def test_files_of_authorities_are_read(tmp_path):
    good, none = tmp_path / "good.pem", tmp_path / "none.pem"
    make_certificate(good)
    none.write_text("no certificate\n")
    (found,) = authority_findings({"SSL_CERT_FILE": str(good)})
    assert (found.verdict, found.found) == (OK, f"1 in {good} (SSL_CERT_FILE)")
    for path, problem in (
        (none, "holds no certificates"),
        (tmp_path, "is a folder"),
        (tmp_path / "gone", "is not there"),
    ):
        (found,) = authority_findings({"AWS_CA_BUNDLE": str(path)})
        assert (found.verdict, problem in found.found) == (BROKEN, True)
        assert "unset AWS_CA_BUNDLE" in found.do


def test_without_a_file_the_authorities_are_those_of_the_system():
    (found,) = authority_findings({"SSL_CERT_FILE": ""})
    assert (found.verdict, found.found) == (OK, "those of the system")
