# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._lab.url import Url, check_place, parse_url, url_at, write_url


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
def test_url_is_parsed_into_its_parts(text, expected):
    assert parse_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
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


def test_url_without_a_known_token_has_none_and_all_hosts_are_written():
    for token in ("", "..."):
        assert write_url(Url("https", ("a",), 8888, "/lab", token), "a", 443) == "https://a/lab"
    texts = Url("http", ("5f0c", "127.0.0.1"), 8888, "/", "t").texts()
    assert texts == ["http://5f0c:8888/?token=t", "http://127.0.0.1:8888/?token=t"]
    hosts = ("127.0.0.1", "localhost", "[::1]", "::1", "5f0c", "[::]")
    assert [Url("http", ("x", host), 8888, "/", "t").is_local for host in hosts] == [True] * 4 + [False] * 2


@given(st.text(min_size=1).filter(lambda text: text != "..."), st.integers(1, 65535))
def test_any_token_survives_being_printed_and_written_again(token, port):
    assume(token.encode("utf-8", "ignore").decode() == token)
    url = parse_url(f"http://0.0.0.0:8888/lab?token={quote_plus(token)}")
    written = urlsplit(write_url(url, "127.0.0.1", port))
    assert parse_qs(written.query, keep_blank_values=True) == {"token": [token]}
    assert (written.port or 80) == port


@given(st.text())
def test_parsing_any_text_returns_a_url_or_none(text):
    for form in (text, f"http://{text}", f"http://a:{text}/", f"http://a/?token={text}"):
        url = parse_url(form)
        assert url is None or url.texts()


def test_host_and_port_are_checked():
    for host in ("127.0.0.1", "lab.example.org", "my_host", "::1", "[::1]", "fe80::1%eth0", "labör"):
        check_place(host, 8888)
        check_place(host, None)
    for host in ("", "http://lab", "lab/", "lab:8888", "a b", "lab?x", "user@lab", "lab\n", "[::1]:8888"):
        with pytest.raises(LabError, match="is not a host"):
            check_place(host, 8888)
    for port in (0, -1, 65536):
        with pytest.raises(LabError, match="is not a port"):
            check_place("127.0.0.1", port)


@pytest.mark.security("L2")
@pytest.mark.parametrize(
    "url", ["http://h:1/lab?token=a{}b", "http://h:1/l{}ab?token=ab", "http://h:1/lab?token=ab#{}"]
)
def test_a_letter_that_no_url_has_makes_it_none(url):
    assert parse_url(url.format("")) is not None
    for letter in ("\b", "\a", "\x9b", "\x1b", "\x00", "\u202e", "\ufeff", '"', "<", "\\"):
        assert parse_url(url.format(letter)) is None


# From elsewhere


@pytest.mark.parametrize(
    ("url", "host", "port", "scheme", "there"),
    [
        ("http://127.0.0.1:8888/lab?token=6f1c", "203.0.113.7", 8888, "", "http://203.0.113.7:8888/lab?token=6f1c"),
        ("http://127.0.0.1:8888/lab?token=6f1c", "203.0.113.7", 443, "https", "https://203.0.113.7/lab?token=6f1c"),
        ("http://127.0.0.1:8888/lab", "lab.example.org", 443, "", "http://lab.example.org:443/lab"),
        ("http://127.0.0.1/lab", "2001:db8::7", 8888, "", "http://[2001:db8::7]:8888/lab"),
        ("http://[::1]:8888/lab", "[2001:db8::7]", "8888", "", "http://[2001:db8::7]:8888/lab"),
        ("http://ann:secret@h:1/lab", "203.0.113.7", 8888, "", "http://203.0.113.7:8888/lab"),
        ("HTTP://h", "203.0.113.7", 8888, "", "http://203.0.113.7:8888"),
        ("http://h?a=%2f+b#x", "203.0.113.7", 80, "", "http://203.0.113.7?a=%2f+b#x"),
    ],
)
def test_url_is_that_of_another_place(url, host, port, scheme, there):
    assert url_at(url, host, port, scheme) == there


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (
            "url",
            ["", "127.0.0.1:8888/lab", "ftp://h/", "http:///lab", "http://h/la b", "http://h/lab\n", "httpx://h/s"],
        ),
        ("host", ["", "http://h", "h/path", "h:80", "h h", "h@i"]),
        ("port", [0, 65536, -1, "x", "", 8.5, True]),
        ("scheme", ["ftp", "HTTPS"]),
    ],
)
def test_what_is_no_place_is_refused_and_its_url_not_told(field, values):
    for value in values:
        with pytest.raises(LabError) as caught:
            url_at(**{"url": "http://h/?token=secret", "host": "h", "port": 80, field: value})
        assert "secret" not in str(caught.value)
