# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, SKIPPED, WARNING
from ansible_collections.desi.lab.plugins.module_utils._doctor.network_checks import (
    Measured,
    judge_authorities,
    judge_bucket,
    judge_clock,
    judge_proxies,
    judge_proxy,
    read_proxies,
    twice,
)

MIB = 2**20
SECRET = "pass-w0rd@x"  # noqa: S105 - made up


def proxies(**environment):
    return read_proxies(environment)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("http://proxy.example.org:3128", "proxy.example.org:3128"),
        ("http://proxy.example.org", "proxy.example.org:80"),
        ("proxy.example.org:3128", "proxy.example.org:3128"),
        ("https://proxy.example.org", "proxy.example.org:443"),
        ("socks5h://127.0.0.1", "127.0.0.1:1080"),
        ("http://[2001:db8::1]:3128/", "[2001:db8::1]:3128"),
        (" http://proxy.example.org:3128 ", "proxy.example.org:3128"),
    ],
)
def test_a_proxy_is_read_in_every_form(value, address):
    (found,), unreadable = proxies(https_proxy=value)
    assert (found.address, unreadable) == (address, [])


@pytest.mark.parametrize("value", ["http://", "http://host:port", "http://a b:3128", "http://[::1", "http://h:99999"])
def test_what_is_no_address_is_named_and_its_value_is_not(value):
    assert proxies(https_proxy=value) == ([], ["https_proxy"])


def test_one_proxy_in_several_variables_is_one():
    found, _unreadable = proxies(http_proxy="http://p:1", HTTPS_PROXY="http://p:1", ALL_PROXY="http://q:1")
    assert [(proxy.host, proxy.names) for proxy in found] == [
        ("p", ("http_proxy", "HTTPS_PROXY")),
        ("q", ("ALL_PROXY",)),
    ]


def test_settings_that_are_written_twice_and_differ_are_found():
    same = {"http_proxy": "a", "HTTP_PROXY": "a", "https_proxy": "b"}
    assert twice(same) == []
    assert twice({**same, "HTTPS_PROXY": "c", "no_proxy": "x", "NO_PROXY": "y"}) == ["https_proxy", "no_proxy"]


@pytest.mark.parametrize(
    ("status", "problem", "verdict", "said"),
    [
        (200, "", OK, "answers"),
        (None, "", OK, "answers"),
        (407, "", BROKEN, "407"),
        (403, "", WARNING, "403"),
        (502, "", WARNING, "502"),
        (None, "connection refused", BROKEN, "connection refused"),
    ],
)
def test_a_proxy_is_judged_by_its_answer_and_its_password_is_never_told(status, problem, verdict, said):
    (proxy,), _unreadable = proxies(https_proxy=f"http://ann:{SECRET.replace('@', '%40')}@proxy.example.org:3128")
    assert proxy.secret == SECRET
    found = judge_proxy(proxy, status, problem)
    assert (found.verdict, said in found.found) == (verdict, True)
    for hidden in (SECRET, "pass-w0rd", "ann"):
        assert hidden not in str(found.as_result())


def test_without_a_proxy_that_is_told():
    (found,) = judge_proxies([], [], [])
    assert (found.verdict, found.found) == (OK, "none is set")


def test_settings_of_proxies_that_cannot_work_are_told_beside_those_that_can():
    (proxy,), _unreadable = proxies(http_proxy="http://p:1")
    found = judge_proxies([judge_proxy(proxy, 200, "")], ["HTTPS_PROXY"], ["no_proxy"])
    assert [each.verdict for each in found] == [OK, BROKEN, WARNING]
    assert "HTTPS_PROXY" in found[1].found
    assert "no_proxy and NO_PROXY" in found[2].found


def store(name, problem="", path="/etc/ca.pem", count=140):
    return {"name": name, "path": path, "count": count, "problem": problem}


def test_files_of_authorities_are_told_once_each():
    (found,) = judge_authorities([store("SSL_CERT_FILE"), store("CURL_CA_BUNDLE"), store("AWS_CA_BUNDLE", path="/x")])
    assert found.verdict == OK
    assert found.found == "140 in /etc/ca.pem (SSL_CERT_FILE, CURL_CA_BUNDLE) · 140 in /x (AWS_CA_BUNDLE)"


def test_a_file_of_authorities_that_is_none_is_broken():
    (found,) = judge_authorities([store("SSL_CERT_FILE"), store("AWS_CA_BUNDLE", "is not there")])
    assert (found.verdict, found.found) == (BROKEN, "AWS_CA_BUNDLE=/etc/ca.pem: is not there")


@pytest.mark.parametrize(
    ("ahead", "verdict", "said"),
    [
        (None, SKIPPED, "not compared"),
        (0.4, OK, "right"),
        (-60, OK, "right within 60 s"),
        (61, WARNING, "61 s ahead of"),
        (-299, WARNING, "5 minutes behind"),
        (300, BROKEN, "5 minutes ahead of"),
        (-3 * 3600, BROKEN, "about 3 hours behind"),
    ],
)
def test_a_clock_is_judged_by_how_far_it_is_off(ahead, verdict, said):
    (found,) = judge_clock(ahead)
    assert (found.verdict, said in found.found) == (verdict, True)


@pytest.mark.parametrize(
    ("seconds", "rate", "verdict", "said"),
    [
        (0.02, 80 * MIB, OK, "answers in 20 ms, 80.0 MiB/s"),
        (0.02, None, OK, "answers in 20 ms"),
        (0.5, 2 * MIB, OK, "500 ms"),
        (0.51, 80 * MIB, WARNING, "510 ms"),
        (0.02, 2 * MIB - 1, WARNING, "2.0 MiB/s"),
    ],
)
def test_a_bucket_is_judged_by_how_fast_it_is(seconds, rate, verdict, said):
    (found,) = judge_bucket("desidata", Measured(seconds, rate, 4 * MIB, 0.0))
    assert (found.verdict, said in found.found) == (verdict, True)
    assert (found.do == "") is (verdict == OK)
