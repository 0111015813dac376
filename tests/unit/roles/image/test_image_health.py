# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab is healthy if its server answers, be it in the clear or by TLS."""

from __future__ import annotations

import datetime
import http.server
import importlib.util
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FILE = Path(__file__).parents[4] / "roles/image/files/embedded/lab/healthcheck.py"


@pytest.fixture
def answers():
    """Return the function that the image asks its server with."""
    spec = importlib.util.spec_from_file_location("healthcheck", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.answers


@pytest.fixture
def certificate(tmp_path) -> Path:
    """Return a certificate with its key, which nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def serve():
    """Return a function that serves a status at /api on a port here, by TLS if it is given a certificate."""
    servers = []

    def begin(status: int, certificate: Path | None = None) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status if self.path == "/api" else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_answers_in_the_clear_is_healthy(answers, serve):
    assert answers(serve(200))


def test_a_server_that_answers_by_tls_is_healthy_whoever_signed_its_certificate(answers, serve, certificate):
    assert answers(serve(200, certificate))


def test_a_server_that_answers_by_an_error_is_not_healthy(answers, serve, certificate):
    assert not answers(serve(500))
    assert not answers(serve(500, certificate))


def test_where_nobody_listens_nothing_is_healthy(answers):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert not answers(probe.getsockname()[1])
