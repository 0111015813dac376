# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._lab.url import Url, check_place, parse_url, write_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8888/lab?token=t", Url("http", ("127.0.0.1",), 8888, "/lab", "t")),
        ("https://lab.example.org/user/x/lab?token=t", Url("https", ("lab.example.org",), 443, "/user/x/lab", "t")),
        ("http://lab.example.org?token=t", Url("http", ("lab.example.org",), 80, "/", "t")),
        ("http://(5f0c or 127.0.0.1):8888/?token=t", Url("http", ("5f0c", "127.0.0.1"), 8888, "/", "t")),
        ("http://[::1]:8888/tree?token=t", Url("http", ("[::1]",), 8888, "/tree", "t")),
        ("http://::1:8888/tree?token=t", Url("http", ("::1",), 8888, "/tree", "t")),
        ("or http://a:1/?token=t", Url("http", ("a",), 1, "/", "t")),
        ("http://a:1/?token=t&token=u", Url("http", ("a",), 1, "/", "t")),
        ("http://a:1/?reset&token=t&x=y", Url("http", ("a",), 1, "/", "t")),
        ("http://a:1/?mytoken=t", Url("http", ("a",), 1, "/", "")),
        ("http://a:1/?token=t#top", Url("http", ("a",), 1, "/", "t")),
        ("http://a:1/?token=a%2Fb", Url("http", ("a",), 1, "/", "a%2Fb")),
    ],
)
def test_url_is_taken_apart(text, expected):
    assert parse_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "http:///lab",
        "http://a:0/",
        "http://a:65536/",
        "ftp://a:1/",
        "http+unix://%2Ftmp%2Fs/",
        "file:///home/ann/jpserver-17-open.html",
        "http://a:1/ and more",
        "see http://a:1/",
        "http://a b:1/",
        "http://(a or b:1/",
    ],
)
def test_text_that_is_not_wholly_a_url_is_none(text):
    assert parse_url(text) is None


@pytest.mark.parametrize(
    ("host", "port", "written"),
    [
        ("127.0.0.1", 9999, "http://127.0.0.1:9999/lab?token=a%2Fb"),
        ("203.0.113.7", 80, "http://203.0.113.7/lab?token=a%2Fb"),
        ("::1", 8888, "http://[::1]:8888/lab?token=a%2Fb"),
        ("[::1]", 8888, "http://[::1]:8888/lab?token=a%2Fb"),
    ],
)
def test_url_is_written_for_another_place(host, port, written):
    assert write_url(Url("http", ("0.0.0.0",), 8888, "/lab", "a%2Fb"), host, port) == written  # noqa: S104 - data


@pytest.mark.parametrize("token", ["", "..."])
def test_url_without_a_known_token_has_none(token):
    assert write_url(Url("https", ("a",), 8888, "/lab", token), "a", 443) == "https://a/lab"


def test_all_hosts_are_written_out():
    url = Url("http", ("5f0c", "127.0.0.1"), 8888, "/", "t")
    assert url.texts() == ["http://5f0c:8888/?token=t", "http://127.0.0.1:8888/?token=t"]


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("[::1]", True), ("::1", True), ("5f0c", False), ("[::]", False)],
)
def test_local_url_is_known(host, local):
    assert Url("http", ("other", host), 8888, "/", "t").is_local is local


@given(st.text(min_size=1).filter(lambda text: text != "..."), st.integers(1, 65535))
def test_any_token_survives_being_printed_and_written_again(token, port):
    assume(token.encode("utf-8", "ignore").decode() == token)
    url = parse_url(f"http://0.0.0.0:8888/lab?token={quote_plus(token)}")
    written = urlsplit(write_url(url, "127.0.0.1", port))
    assert parse_qs(written.query, keep_blank_values=True) == {"token": [token]}
    assert (written.port or 80) == port


@given(st.text())
def test_no_text_raises(text):
    for form in (text, f"http://{text}", f"http://a:{text}/", f"http://a/?token={text}"):
        url = parse_url(form)
        assert url is None or url.texts()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "lab.example.org", "lab", "my_host", "::1", "[::1]", "fe80::1%eth0", "labör"]
)
def test_host_is_accepted(host):
    check_place(host, 8888)
    check_place(host, None)


@pytest.mark.parametrize(
    "host", ["", "http://lab", "lab/", "lab:8888", "a b", "lab?x", "user@lab", "lab\n", "[::1]:8888"]
)
def test_text_that_is_no_host_is_refused(host):
    with pytest.raises(LabError, match="is not a host"):
        check_place(host, 8888)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_number_that_is_no_port_is_refused(port):
    with pytest.raises(LabError, match="is not a port"):
        check_place("127.0.0.1", port)


@pytest.mark.security("L2")
@pytest.mark.parametrize("letter", ["\b", "\a", "\x9b", "\x1b", "\x00", "\u202e", "\ufeff", '"', "<", "\\"])
@pytest.mark.parametrize(
    "url", ["http://h:1/lab?token=a{}b", "http://h:1/l{}ab?token=ab", "http://h:1/lab?token=ab#{}"]
)
def test_a_letter_that_no_url_has_makes_it_none(url, letter):
    assert parse_url(url.format("")) is not None
    assert parse_url(url.format(letter)) is None
