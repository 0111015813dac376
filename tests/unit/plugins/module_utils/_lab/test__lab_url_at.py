# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._lab.url import url_at

HOSTS = some.one_of(
    some.sampled_from(["lab.example.org", "localhost", "a"]),
    some.ip_addresses(v=4).map(str),
    some.ip_addresses(v=6).map(str),
)
PORTS = some.integers(1, 65535)
SCHEMES = some.sampled_from(["http", "https"])
# What a URL may have behind its host, to the letter, be it sensible or not.
LETTERS = some.from_regex(r"[!-~]*", fullmatch=True)
RESTS = some.just("") | some.builds(str.__add__, some.sampled_from(["/", "?", "#"]), LETTERS)


@pytest.mark.parametrize(
    ("url", "host", "port", "scheme", "there"),
    [
        ("http://127.0.0.1:8888/lab?token=6f1c", "203.0.113.7", 8888, "", "http://203.0.113.7:8888/lab?token=6f1c"),
        ("http://127.0.0.1:8888/lab?token=6f1c", "203.0.113.7", 443, "https", "https://203.0.113.7/lab?token=6f1c"),
        ("https://127.0.0.1:8888/lab", "lab.example.org", 443, "", "https://lab.example.org/lab"),
        ("http://127.0.0.1:8888/lab", "lab.example.org", 80, "", "http://lab.example.org/lab"),
        ("http://127.0.0.1:8888/lab", "lab.example.org", 443, "", "http://lab.example.org:443/lab"),
        ("http://127.0.0.1/lab", "2001:db8::7", 8888, "", "http://[2001:db8::7]:8888/lab"),
        ("http://[::1]:8888/lab", "[2001:db8::7]", "8888", "", "http://[2001:db8::7]:8888/lab"),
        ("http://ann:secret@h:1/lab", "203.0.113.7", 8888, "", "http://203.0.113.7:8888/lab"),
        ("HTTP://h", "203.0.113.7", 8888, "", "http://203.0.113.7:8888"),
        ("http://(c0ffee or 127.0.0.1):8888/", "203.0.113.7", 8888, "", None),
        ("http://h/?", "203.0.113.7", 80, "", "http://203.0.113.7/?"),
        ("http://h?a=%2f+b#x", "203.0.113.7", 80, "", "http://203.0.113.7?a=%2f+b#x"),
    ],
)
def test_url_is_that_of_another_place(url, host, port, scheme, there):
    if there is None:
        with pytest.raises(LabError):
            url_at(url, host, port, scheme)
    else:
        assert url_at(url, host, port, scheme) == there


@given(SCHEMES, HOSTS, PORTS, RESTS, HOSTS, PORTS, SCHEMES | some.just(""))
def test_only_the_place_is_another_one(scheme, host, port, rest, new_host, new_port, new_scheme):
    at = f"[{host}]" if ":" in host else host
    there = url_at(f"{scheme}://{at}:{port}{rest}", new_host, new_port, new_scheme)
    parts = urlsplit(there)
    assert there.endswith(rest)
    assert (parts.hostname, parts.scheme) == (new_host, new_scheme or scheme)
    assert (parts.port or {"http": 80, "https": 443}[parts.scheme]) == new_port
    assert there == f"{parts.scheme}://{parts.netloc}{rest}"


@given(HOSTS, PORTS, RESTS, HOSTS, PORTS)
def test_where_a_url_was_before_does_not_matter(host, port, rest, between, passing):
    url = f"http://127.0.0.1:8888{rest}"
    assert url_at(url_at(url, between, passing), host, port) == url_at(url, host, port)


@pytest.mark.parametrize(
    ("url", "host", "port", "scheme"),
    [
        ("", "h", 80, ""),
        ("127.0.0.1:8888/lab", "h", 80, ""),
        ("ftp://h/", "h", 80, ""),
        ("http:///lab", "h", 80, ""),
        ("http://h/la b", "h", 80, ""),
        ("http://h/lab\n", "h", 80, ""),
        ("http://h/", "", 80, ""),
        ("http://h/", "http://h", 80, ""),
        ("http://h/", "h/path", 80, ""),
        ("http://h/", "h:80", 80, ""),
        ("http://h/", "h h", 80, ""),
        ("http://h/", "h@i", 80, ""),
        ("http://h/", "h", 0, ""),
        ("http://h/", "h", 65536, ""),
        ("http://h/", "h", -1, ""),
        ("http://h/", "h", "x", ""),
        ("http://h/", "h", "", ""),
        ("http://h/", "h", 8.5, ""),
        ("http://h/", "h", True, ""),
        ("http://h/", "h", 80, "ftp"),
        ("http://h/", "h", 80, "HTTPS"),
    ],
)
def test_what_is_no_place_is_refused(url, host, port, scheme):
    with pytest.raises(LabError):
        url_at(url, host, port, scheme)


def test_token_of_a_url_that_is_none_is_not_told():
    with pytest.raises(LabError) as caught:
        url_at("httpx://h/lab?token=6f1cdead", "h", 80)
    assert "6f1cdead" not in str(caught.value)
