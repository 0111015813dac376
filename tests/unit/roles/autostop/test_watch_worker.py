# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker's machine ends when its scheduler is silent, when its time is over, and when AWS takes it back."""

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from web_server import web_server

from ansible_collections.desi.lab.plugins.plugin_utils._workers import new_identity

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "roles/autostop/files/worker"))
import watch_worker
from watch_worker import Seen, decide

SETTINGS = {"silent_minutes": 10, "max_hours": 12}
HOUR = 3600.0


@pytest.mark.parametrize(
    ("silent_since", "seen", "since", "retire", "why"),
    [
        (None, Seen(60, True, False), None, False, ""),
        (None, Seen(60, False, False), 60, False, ""),
        (60, Seen(659, False, False), 60, False, ""),
        (60, Seen(660, False, False), 60, False, "10 minutes"),
        (60, Seen(900, True, False), None, False, ""),
        # What was remembered of another boot is no time ago.
        (5000, Seen(60, False, False), 60, False, ""),
        (None, Seen(60, True, True), None, True, "spot"),
        (60, Seen(90, False, True), 60, False, "spot"),
        (None, Seen(12 * HOUR, True, False), None, True, "12 hours"),
        (None, Seen(12 * HOUR - 1, True, False), None, False, ""),
    ],
)
def test_the_end_follows_from_what_is_seen(silent_since, seen, since, retire, why):
    decision = decide(SETTINGS, silent_since, seen)
    assert (decision.silent_since, decision.retire) == (since, retire)
    assert why in decision.why if why else decision.why == ""


def test_without_a_longest_time_it_goes_on():
    assert decide({**SETTINGS, "max_hours": 0}, None, Seen(1e6, True, False)).why == ""


@pytest.mark.parametrize(
    ("status", "body", "taken"),
    [(200, b'{"action": "terminate"}', True), (404, b"", False), (200, b"[]", False)],
)
def test_a_notice_is_asked_for_with_a_token(status, body, taken):
    asked = []

    def answer(request):
        asked.append((request.command, request.path, request.headers["X-aws-ec2-metadata-token"]))
        return (200, b"secret", {}) if request.command == "PUT" else (status, body, {})

    with web_server(answer) as url:
        assert watch_worker.taken_back(url) is taken
    assert asked == [("PUT", "/api/token", None), ("GET", "/meta-data/spot/instance-action", "secret")]


def test_nobody_who_answers_is_no_notice_and_a_silent_scheduler(tmp_path):
    assert watch_worker.taken_back("http://127.0.0.1:9") is False
    settings = {"scheduler": "127.0.0.1", "port": 9, "certificate": str(tmp_path / "none")}
    assert watch_worker.scheduler_answers(settings) is False


@pytest.fixture
def scheduler(tmp_path):
    """Yield a port at which TLS is spoken with the certificate of a lab, until the socket is closed."""
    certificate = tmp_path / "lab.pem"
    certificate.write_text(new_identity("desi")[0])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate)

    def serve(listening):
        while True:
            try:
                line, _peer = listening.accept()
                context.wrap_socket(line, server_side=True).close()
            except ssl.SSLError:
                continue
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield listening


def test_program_shuts_the_machine_down_once_its_scheduler_was_silent_for_long(tmp_path, scheduler):
    silent = 0.6
    systemctl, told = tmp_path / "systemctl", tmp_path / "told"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >{told}\n')
    systemctl.chmod(0o755)
    place = {"scheduler": "127.0.0.1", "port": scheduler.getsockname()[1], "certificate": str(tmp_path / "lab.pem")}
    settings = tmp_path / "worker.json"
    settings.write_text(json.dumps({**place, "silent_minutes": silent / 60, "max_hours": 0}))
    command = [sys.executable, "-I", "-S", watch_worker.__file__, str(settings), str(tmp_path / "state.json")]

    def look():
        subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True, timeout=60)
        return told.exists()

    assert not look()
    assert watch_worker.remembered(str(tmp_path / "state.json")) is None
    scheduler.shutdown(socket.SHUT_RDWR)
    scheduler.close()
    begun = time.monotonic()
    while not look():
        assert time.monotonic() < begun + 60
    assert time.monotonic() >= begun + silent
    assert told.read_text() == "poweroff\n"
