# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from jupyter_stand_in import TOKEN
from loopback import free_port

from ansible_collections.desi.lab.plugins.module_utils._jupyter.activity import activity_rows, activity_text
from ansible_collections.desi.lab.plugins.modules import jupyter_activity_info

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
SESSIONS = [
    {"path": "idle.ipynb", "kernel": {"execution_state": "idle"}},
    {"path": "busy.ipynb", "kernel": {"execution_state": "busy"}},
]


def url(server):
    return f"http://127.0.0.1:{server.port}/lab?token={TOKEN}"


@pytest.fixture
def ask(call):
    def run(url):
        code, result = call(jupyter_activity_info, url=url)
        assert (code, result.pop("changed"), result.pop("invocation", {}).get("module_args", {}).get("url")) in [
            (0, False, HIDDEN),
            (0, False, None),
        ]
        assert TOKEN not in json.dumps(result)
        return result

    return run


@pytest.mark.parametrize(
    ("sessions", "terminals", "texts", "words"),
    [
        (SESSIONS, [{"name": "1"}], ["busy.ipynb", "idle.ipynb", "1"], "2 kernels and 1 terminal"),
        # A server may have no terminals.
        (SESSIONS, None, ["busy.ipynb", "idle.ipynb"], "2 kernels"),
        ([], [], [], "what runs in it"),
    ],
)
def test_kernels_and_terminals_are_named_those_first_that_compute(jupyter, ask, sessions, terminals, texts, words):
    answers = {"/api/sessions": (200, sessions, {})}
    answers |= {} if terminals is None else {"/api/terminals": (200, terminals, {})}
    result = ask(url(jupyter(answers=answers)))
    assert ([line["text"] for line in result["running"]], result["words"]) == (texts, words)
    assert not texts or "computes" in result["running"][0]["about"]


@pytest.mark.parametrize("answers", [{}, {"/api/sessions": (200, "what?", {})}, None])
def test_of_a_server_that_cannot_be_asked_nobody_knows(jupyter, ask, answers):
    there = f"http://127.0.0.1:{free_port()}/lab" if answers is None else url(jupyter(answers=answers))
    result = ask(there)
    assert [line["label"] for line in result["running"]] == ["server"]
    assert result["words"]


def test_a_session_without_a_notebook_is_named_somehow():
    found = activity_rows([{"kernel": {"id": "abc", "execution_state": "unheard-of"}}, {}], [])
    assert sorted(line["text"] for line in found) == ["a kernel", "abc"]
    assert activity_text(found[:1]) == "1 kernel"
