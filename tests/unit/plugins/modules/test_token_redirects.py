# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server sends whoever asks on to another one, which wants the token."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.desi.lab.plugins.modules import jupyter_activity_info, jupyter_probe

TOKEN = "c0ffee0123456789"  # noqa: S105 - of a server that the tests make
ROLES = Path(__file__).parents[4] / "roles"


@pytest.fixture
def servers():
    """Return two servers: the first sends all on to the second, but for a kernel that it makes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.server.asked.append((self.path, self.headers["Authorization"]))
            made = json.dumps({"id": "k", "version": "2"}).encode()
            goes = self.server.to if self.command == "GET" else ""
            self.send_response(302 if goes else 200)
            if goes:
                self.send_header("Location", goes + self.path)
            self.send_header("Content-Length", str(len(made)))
            self.end_headers()
            self.wfile.write(made)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_arguments):
            pass

    first, second = (ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
    first.to, second.to = f"http://127.0.0.1:{second.server_port}", ""
    for each in (first, second):
        each.asked = []
        threading.Thread(target=each.serve_forever, daemon=True).start()
    yield first, second
    for each in (first, second):
        each.shutdown()
        each.server_close()


def url(server):
    return f"http://127.0.0.1:{server.server_port}/lab?token={TOKEN}"


def module(which, **arguments):
    with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
        which.main()
    return caught.value.code


@pytest.mark.security("L5")
def test_no_redirect_takes_the_token_along(servers, capsys):
    first, second = servers
    assert module(jupyter_activity_info, url=url(first)) == 0
    assert json.loads(capsys.readouterr().out)["running"][0]["label"] == "server"
    assert module(jupyter_probe, url=url(first), timeout=1) == 1
    assert [token for _path, token in first.asked] == [f"token {TOKEN}"] * 2
    assert second.asked == []


@pytest.mark.security("L5")
def test_role_sends_the_token_by_nothing_that_follows_or_that_checks_no_certificate():
    for tasks in ROLES.glob("*/tasks/*.yml"):
        text = tasks.read_text()
        assert "Authorization" not in text, tasks
        assert "validate_certs: false" not in text, tasks
    probes = re.findall(r"desi\.lab\.jupyter_probe:\n((?: {8,}.*\n)+)", (ROLES / "jupyter/tasks/run.yml").read_text())
    assert probes
    assert all('container: "{{ __jupyter_container_name }}"' in probe for probe in probes)
