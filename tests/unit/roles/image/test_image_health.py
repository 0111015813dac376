# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab is healthy if its server answers, be it in the clear or by TLS."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from web_server import web_server

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
    new = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=x"
    subprocess.run([*new.split(), "-keyout", file, "-out", f"{file}.crt"], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_a_server_is_healthy_if_it_answers_in_the_clear_or_by_tls_whoever_signed(answers, certificate):
    for tls in (None, certificate):
        for status in (200, 500):
            answer = {"/api": (status, b"", {})}
            with web_server(lambda asked, answer=answer: answer.get(asked.path, (404, b"", {})), tls) as url:
                assert answers(urlsplit(url).port) is (status == 200)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert not answers(probe.getsockname()[1])
