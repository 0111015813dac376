# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import urllib.error

import pytest
from web_server import web_server

from ansible_collections.desi.lab.plugins.module_utils._common.web import is_loopback_url, make_opener


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.8.8.8", True), ("[::1]", True), ("localhost", True), ("192.0.2.1", False), ("a.b", False), ("", False)],
)
def test_url_of_this_computer_is_known(host, here):
    assert is_loopback_url(f"http://{host}:80/x") is here


def test_proxies_are_passed_by_and_redirects_followed_as_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with web_server(lambda asked: (200 if asked.path == "/there" else 302, b"", {"Location": "/there"})) as base:
        url = f"{base}/"
        assert make_opener(direct=True).open(url, timeout=5).url == f"{url}there"
        with pytest.raises(urllib.error.HTTPError, match="302"):
            make_opener(direct=True, redirects=False).open(url, timeout=5)
        with pytest.raises(urllib.error.URLError, match="refused"):
            make_opener().open(url, timeout=5)
