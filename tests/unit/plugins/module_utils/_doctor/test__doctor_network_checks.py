# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._doctor import network_checks as checks
from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, SKIPPED, WARNING

MIB = 2**20
SECRET = "pass-w0rd@x"  # noqa: S105 - made up


def proxies(**environment):
    return checks.read_proxies(environment)


@pytest.mark.parametrize(
    ("value", "address"),
    [
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
    found, _unreadable = proxies(
        http_proxy="http://p:1", HTTP_PROXY="http://p:1", HTTPS_PROXY="http://p:1", ALL_PROXY="http://q:1"
    )
    assert [(proxy.host, proxy.names) for proxy in found] == [
        ("p", ("http_proxy", "HTTPS_PROXY")),
        ("q", ("ALL_PROXY",)),
    ]


def test_settings_that_are_written_twice_and_differ_are_found():
    same = {"http_proxy": "a", "HTTP_PROXY": "a", "https_proxy": "b"}
    assert checks.twice(same) == []
    assert checks.twice({**same, "HTTPS_PROXY": "c", "no_proxy": "x", "NO_PROXY": "y"}) == ["https_proxy", "no_proxy"]


@pytest.mark.parametrize(
    ("status", "problem", "verdict", "said"),
    [
        (None, "", OK, "answers"),
        (407, "", BROKEN, "407"),
        (403, "", WARNING, "403"),
        (None, "connection refused", BROKEN, "connection refused"),
    ],
)
def test_a_proxy_is_judged_by_its_answer_and_its_password_is_never_told(status, problem, verdict, said):
    (proxy,), _unreadable = proxies(https_proxy=f"http://ann:{SECRET.replace('@', '%40')}@proxy.example.org:3128")
    assert proxy.secret == SECRET
    found = checks.judge_proxy(proxy, status, problem)
    assert (found.verdict, said in found.found) == (verdict, True)
    for hidden in (SECRET, "pass-w0rd", "ann"):
        assert hidden not in str(found.as_result())


def test_settings_of_proxies_that_cannot_work_are_told_beside_those_that_can():
    (proxy,), _unreadable = proxies(http_proxy="http://p:1")
    found = checks.judge_proxies([checks.judge_proxy(proxy, 200, "")], ["HTTPS_PROXY"], ["no_proxy"])
    assert [each.verdict for each in found] == [OK, BROKEN, WARNING]
    assert "HTTPS_PROXY" in found[1].found
    assert "no_proxy and NO_PROXY" in found[2].found


def store(name, problem="", path="/etc/ca.pem", count=140):
    return {"name": name, "path": path, "count": count, "problem": problem}


def bucket(seconds, rate):
    return checks.judge_bucket("desidata", checks.Measured(seconds, rate, 4 * MIB, 0.0))


@pytest.mark.parametrize(("findings", "verdict", "says"), [
    (checks.judge_proxies([], [], []), OK, "none is set"),
    (checks.judge_authorities([store("SSL_CERT_FILE"), store("CURL_CA_BUNDLE"), store("AWS_CA_BUNDLE", "", "/x")]), OK,
     "140 in /etc/ca.pem (SSL_CERT_FILE, CURL_CA_BUNDLE) · 140 in /x (AWS_CA_BUNDLE)"),
    (checks.judge_authorities([store("SSL_CERT_FILE"), store("AWS_CA_BUNDLE", "is not there")]), BROKEN,
     "AWS_CA_BUNDLE=/etc/ca.pem: is not there"),
    (checks.judge_clock(None), SKIPPED, "not compared"),
    (checks.judge_clock(0.4), OK, "right"),
    (checks.judge_clock(-60), OK, "right within 60 s"),
    (checks.judge_clock(61), WARNING, "61 s ahead of"),
    (checks.judge_clock(-299), WARNING, "5 minutes behind"),
    (checks.judge_clock(300), BROKEN, "5 minutes ahead of"),
    (checks.judge_clock(-3 * 3600), BROKEN, "about 3 hours behind"),
    (bucket(0.02, 80 * MIB), OK, "answers in 20 ms, 80.0 MiB/s"),
    (bucket(0.02, None), OK, "answers in 20 ms"),
    (bucket(0.5, 2 * MIB), OK, "500 ms"),
    (bucket(0.51, 80 * MIB), WARNING, "510 ms"),
    (bucket(0.02, 2 * MIB - 1), WARNING, "2.0 MiB/s"),
])  # fmt: skip
def test_what_is_measured_is_judged(findings, verdict, says):
    (found,) = findings
    assert (found.verdict, says in found.found) == (verdict, True)
    assert bool(found.do) is (verdict in (WARNING, BROKEN))
