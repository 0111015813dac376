# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""What runs in a Jupyter server and would end with it: kernels with their notebooks, and terminals."""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

from ansible_collections.desi.lab.plugins.module_utils._labs import server_api

STATES = {"busy": "computes at this moment", "idle": "waits for you", "starting": "is starting"}
PATIENCE_SECONDS = 10
UNKNOWN = {"label": "server", "text": "it does not answer, so nobody knows what runs in it", "about": ""}

Line = dict[str, str]


def lines_of(sessions: t.Iterable[t.Mapping[str, t.Any]], terminals: t.Iterable[t.Mapping[str, t.Any]]) -> list[Line]:
    """Return a line for each kernel and each terminal, those first that compute."""
    found = []
    for session in sessions:
        kernel = session.get("kernel") or {}
        state = str(kernel.get("execution_state") or "")
        what = str(session.get("path") or session.get("name") or kernel.get("name") or kernel.get("id") or "a kernel")
        row = {"label": "kernel", "text": what, "about": STATES.get(state, state)}
        found.append((state != "busy", row))
    rows = [row for _order, row in sorted(found, key=lambda pair: (pair[0], pair[1]["text"]))]
    return rows + [{"label": "terminal", "text": str(each.get("name") or ""), "about": ""} for each in terminals]


def words_of(lines: t.Sequence[Line]) -> str:
    """Return how much that is, in words."""
    told = []
    for label in ("kernel", "terminal"):
        number = sum(line["label"] == label for line in lines)
        if number:
            told.append(f"{number} {label}{'' if number == 1 else 's'}")
    return " and ".join(told) or "what runs in it"


def ask(url: str) -> list[Line]:
    """Return what runs in the server at a URL with its token. One that does not answer is told as such."""
    try:
        sessions = _get(url, "api/sessions")
        try:
            terminals = _get(url, "api/terminals")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            # A server may have no terminals.
            terminals = []
        return lines_of(sessions, terminals)
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        return [dict(UNKNOWN)]


def _get(url: str, question: str) -> t.Any:  # noqa: ANN401 - JSON
    token = "".join(parse_qs(urlsplit(url).query).get("token", [])[:1])
    request = urllib.request.Request(server_api(url, question))  # noqa: S310 - the lab's own URL
    if token:
        request.add_header("Authorization", f"token {token}")
    # It is asked on its own machine, where its certificate, which is for another name, proves nothing.
    context = ssl._create_unverified_context()  # noqa: S323 - as above
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with urllib.request.build_opener(*handlers).open(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)
