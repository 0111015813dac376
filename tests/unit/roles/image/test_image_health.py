# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab is healthy if its server answers, be it in the clear or by TLS."""

from __future__ import annotations

import http.server
import importlib.util
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

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
    file = tmp_path / "both.pem"
    new = [
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-subj",
        "/CN=x",
    ]
    subprocess.run([*new, "-keyout", file, "-out", f"{file}.crt"], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
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


def test_a_server_is_healthy_if_it_answers_in_the_clear_or_by_tls_whoever_signed(answers, serve, certificate):
    for tls in (None, certificate):
        assert answers(serve(200, tls))
        assert not answers(serve(500, tls))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert not answers(probe.getsockname()[1])
