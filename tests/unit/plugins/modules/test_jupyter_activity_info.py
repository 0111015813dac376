# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.server
import json
import threading

import pytest
from ansible.module_utils.testing import patch_module_args
from loopback import free_port

from ansible_collections.desi.lab.plugins.module_utils._jupyter.activity import lines_of, words_of
from ansible_collections.desi.lab.plugins.modules import jupyter_activity_info

TOKEN = "0123456789abcdef"  # noqa: S105 - of a server that the tests make
SESSIONS = [
    {"path": "idle.ipynb", "kernel": {"execution_state": "idle"}},
    {"path": "busy.ipynb", "kernel": {"execution_state": "busy"}},
]


@pytest.fixture
def server():
    """Return a function that serves answers by path, as a Jupyter server does for those who know its token."""
    made = []

    def serve(answers):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                known = self.headers["Authorization"] == f"token {TOKEN}"
                body = answers.get(self.path)
                self.send_response(403 if not known else 404 if body is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode() if known and body is not None else b"")

            def log_message(self, *_arguments):
                pass

        made.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=made[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{made[-1].server_port}/lab?token={TOKEN}"

    yield serve
    for each in made:
        each.shutdown()
        each.server_close()


@pytest.fixture
def ask(capsys):
    def run(url):
        with patch_module_args({"url": url}), pytest.raises(SystemExit) as caught:
            jupyter_activity_info.main()
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        assert TOKEN not in json.dumps({key: value for key, value in json.loads(shown).items() if key != "invocation"})
        return json.loads(shown)

    return run


def test_kernels_and_terminals_are_named_those_first_that_compute(server, ask):
    result = ask(server({"/api/sessions": SESSIONS, "/api/terminals": [{"name": "1"}]}))
    assert [line["text"] for line in result["running"]] == ["busy.ipynb", "idle.ipynb", "1"]
    assert "computes" in result["running"][0]["about"]
    assert result["words"] == "2 kernels and 1 terminal"
    assert not result["changed"]


def test_a_server_without_terminals_has_none(server, ask):
    assert len(ask(server({"/api/sessions": SESSIONS}))["running"]) == 2


def test_nothing_runs_in_a_server_that_was_just_started(server, ask):
    assert ask(server({"/api/sessions": [], "/api/terminals": []}))["running"] == []


@pytest.mark.parametrize("answers", [{}, {"/api/sessions": "what?"}])
def test_of_a_server_that_cannot_be_asked_nobody_knows(server, ask, answers):
    result = ask(server(answers))
    assert [line["label"] for line in result["running"]] == ["server"]
    assert result["words"]


def test_of_a_server_that_is_not_there_nobody_knows(ask):
    assert ask(f"http://127.0.0.1:{free_port()}/lab?token={TOKEN}")["running"][0]["label"] == "server"


def test_a_session_without_a_notebook_is_named_somehow():
    found = lines_of([{"kernel": {"id": "abc", "execution_state": "unheard-of"}}, {}], [])
    assert [line["text"] for line in found] == ["a kernel", "abc"] or [line["text"] for line in found] == [
        "abc",
        "a kernel",
    ]
    assert words_of(found[:1]) == "1 kernel"
