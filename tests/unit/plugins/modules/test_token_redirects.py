# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server sends whoever asks on to another one, which wants the token."""

import json
import re
from pathlib import Path

import pytest
from web_server import web_server

from ansible_collections.desi.lab.plugins.modules import jupyter_activity_info, jupyter_probe

TOKEN = "c0ffee0123456789"  # noqa: S105 - of a server that the tests make
ROLES = Path(__file__).parents[4] / "roles"


@pytest.fixture
def servers():
    """Return the URL of a server and what two were asked: the first sends on to the second, but for a kernel."""
    asked = ([], [])

    def answer(number, leads_to=""):
        def answered(request):
            request.rfile.read(int(request.headers.get("Content-Length") or 0))
            asked[number].append((request.path, request.headers["Authorization"]))
            goes = leads_to if request.command == "GET" else ""
            made = json.dumps({"id": "k", "version": "2"}).encode()
            return 302 if goes else 200, made, {"Location": goes + request.path} if goes else {}

        return answered

    with web_server(answer(1)) as second, web_server(answer(0, second)) as first:
        yield f"{first}/lab?token={TOKEN}", *asked


@pytest.mark.security("L5")
def test_no_redirect_takes_the_token_along(servers, call):
    url, first, second = servers
    code, result = call(jupyter_activity_info, url=url)
    assert (code, result["running"][0]["label"]) == (0, "server")
    assert call(jupyter_probe, url=url, timeout=1)[0] == 1
    assert [token for _path, token in first] == [f"token {TOKEN}"] * 2
    assert second == []


@pytest.mark.security("L5")
def test_role_sends_the_token_by_nothing_that_follows_or_that_checks_no_certificate():
    for tasks in ROLES.glob("*/tasks/*.yml"):
        text = tasks.read_text()
        assert "Authorization" not in text, tasks
        assert "validate_certs: false" not in text, tasks
    run = (ROLES / "jupyter/tasks/run.yml").read_text()
    (asked,) = re.findall(r"desi\.lab\.jupyter_(?:probe|token):\n((?: {8,}.*\n)+)", run)
    assert 'container: "{{ __jupyter_container_name }}"' in asked
    assert "verify: true" in asked
