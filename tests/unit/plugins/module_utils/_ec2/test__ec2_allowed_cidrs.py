# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import ipaddress
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_server import web_server

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import allowed_cidrs as address

ANN, BOB = "203.0.113.7", "198.51.100.4"


@contextmanager
def service(body="127.0.0.1\n", status=200, delay=None, location=""):
    """A service on loopback that tells an address."""
    asked = []

    def answer(request):
        asked.append(dict(request.headers))
        if delay is not None:
            delay.wait(20)
        return status, body if isinstance(body, bytes) else body.encode(), {"Location": location} if location else {}

    with web_server(answer) as url:
        try:
            yield f"{url}/", asked
        finally:
            if delay is not None:
                delay.set()


# Ranges that people give


@pytest.mark.parametrize(
    ("text", "cidr", "said"),
    [
        (ANN, f"{ANN}/32", ""),
        (f"{ANN}/32", f"{ANN}/32", ""),
        ("203.0.113.0/255.255.255.0", "203.0.113.0/24", ""),
        ("127.0.0.1", "127.0.0.1/32", ""),
        # As wide as that of an institute.
        ("198.128.0.0/16", "198.128.0.0/16", ""),
        ("203.0.113.7/24", "203.0.113.0/24", "203.0.113.7/24 stands for the whole range 203.0.113.0/24."),
        ("0.0.0.0/0", "0.0.0.0/0", "EVERYBODY"),
        ("203.0.0.0/15", "203.0.0.0/15", "131,072 addresses"),
        *((each, each, "private range") for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.1.4/32", "100.64.3.2/32")),
    ],
)
def test_range_is_taken_and_one_that_is_wide_or_odd_with_a_note(text, cidr, said):
    found, notes = address.parse_cidr(text)
    assert found == cidr
    assert said in notes[-1] if said else notes == []


@pytest.mark.parametrize("text", ["2001:db8::/32", "::1", "::/0", "::ffff:203.0.113.7"])
def test_ipv6_is_refused_as_what_it_is(text):
    with pytest.raises(LabError, match="IPv6") as caught:
        address.parse_cidr(text)
    assert text in caught.value.what


@pytest.mark.parametrize(
    "text",
    ["", "me", "203.0.113.7/33", "203.0.113", "203.0.113.7/", "/32", "203.0.113.256", "1.2.3.4-1.2.3.9", "0", "*"],
)
def test_text_that_is_no_range_is_refused(text):
    with pytest.raises(LabError, match="neither an IPv4 address") as caught:
        address.parse_cidr(text)
    assert f"“{text}”" in caught.value.what
    assert "lab_allow_from" in caught.value.do


@given(st.text(max_size=20))
def test_any_text_is_either_a_range_or_refused(text):
    try:
        cidr, _notes = address.parse_cidr(text)
    except LabError:
        return
    assert str(ipaddress.IPv4Network(cidr)) == cidr


def test_ranges_are_collected_with_their_notes_and_auto_is_the_own_address():
    assert address.allowed(["Auto", "198.51.100.0/24", " auto "], ANN).cidrs == [f"{ANN}/32", "198.51.100.0/24"]
    found = address.allowed(["0.0.0.0/0", "203.0.113.7/24", ANN, f"{ANN}/32"])
    assert (len(found.cidrs), len(found.notes)) == (3, 2)
    with pytest.raises(LabError, match="lab_allow_from is empty"):
        address.allowed([])


# What services answer


PUBLIC, HERE = "https://ip.example.org", "http://127.0.0.1:5000/ip"


@pytest.mark.parametrize(
    ("url", "body", "found"),
    [
        (PUBLIC, f"  {ANN} \r\n", ANN),
        *((PUBLIC, body, "") for body in ("", "<html>", f"{ANN} {BOB}", "2001:db8::1", f"{ANN}/32")),
        *((PUBLIC, body, "") for body in ("0.1.2.3", "10.1.2.3", "127.0.0.1", "169.254.1.1")),
        # Only a service on this computer may answer with what means nothing on the internet.
        *((url, "127.0.0.1", "127.0.0.1") for url in (HERE, "http://localhost/ip", "http://[::1]:80/")),
    ],
)
def test_answer_is_an_address_that_somebody_has_on_the_internet(url, body, found):
    assert address.read_answer(url, body) == found


@pytest.mark.parametrize(
    "url",
    ["http://ip.example.org", "http://192.0.2.1/", "ftp://127.0.0.1/", "file:///etc/hostname", "https://", "", "ip"],
)
def test_service_whose_answer_could_be_forged_is_refused(url):
    with pytest.raises(LabError, match="HTTPS"):
        address.check_services([PUBLIC, url])
    address.check_services([PUBLIC, HERE, "http://localhost:1/"])


@pytest.mark.parametrize(
    ("answers", "complete", "address_found"),
    [
        ([], True, ""),
        ([ANN], False, ""),
        ([ANN], True, ANN),
        ([ANN, ""], True, ANN),
        ([ANN, BOB], True, ""),
        ([ANN, ANN], False, ANN),
        ([BOB, ANN, ANN, BOB], True, ""),
        ([BOB, ANN, ANN, BOB, ANN], True, ANN),
    ],
)
def test_address_is_what_most_agree_on(answers, complete, address_found):
    assert address.agreed(answers, complete) == address_found


def test_two_that_agree_are_believed_without_waiting_for_the_third():
    late = threading.Event()
    with service() as (one, asked), service() as (two, also_asked), service(delay=late) as (three, _c):
        begun = time.monotonic()
        assert address.AddressQuery([three, one, two, one], 15).address() == "127.0.0.1"
        assert time.monotonic() - begun < 10
    assert len(asked) == len(also_asked) == 1
    assert asked[0]["User-Agent"] == "desi-lab"


@pytest.mark.parametrize(
    "answer", [{"status": 503}, {"body": "<html>log in</html>"}, {"body": b"\xff\xfe"}, {"body": "1" * 100_000}]
)
def test_answer_that_is_none_is_told_with_what_to_do(answer):
    with service(**answer) as (url, _asked), pytest.raises(LabError) as caught:
        address.AddressQuery([url]).address()
    assert "127.0.0.1" in caught.value.why
    assert "none gave" in caught.value.why
    assert "-e lab_allow_from=" in caught.value.do


def test_service_that_sends_elsewhere_is_not_followed():
    with service() as (right, asked), service(status=302, location=right) as (url, _asked):
        with pytest.raises(LabError):
            address.AddressQuery([url]).address()
        assert asked == []


def test_one_answer_is_enough_where_the_others_fail():
    with service(status=500) as (one, _a), service() as (two, _b):
        assert address.AddressQuery([one, two]).address() == "127.0.0.1"
    with pytest.raises(LabError, match="no service"):
        address.AddressQuery([]).address()


def test_services_that_disagree_are_told_with_what_they_see():
    with service("127.0.0.1") as (one, _a), service(ANN) as (two, _b), pytest.raises(LabError) as caught:
        address.AddressQuery([one, two]).address()
    assert f"127.0.0.1 and {ANN}" in caught.value.why


def test_service_that_hangs_is_not_waited_for():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        begun = time.monotonic()
        with pytest.raises(LabError):
            address.AddressQuery([f"http://127.0.0.1:{deaf.getsockname()[1]}/"], 0.3).address()
    assert time.monotonic() - begun < 5


def test_proxy_is_not_asked_for_a_service_on_this_computer(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with service() as (url, _asked):
        assert address.AddressQuery([url]).address() == "127.0.0.1"
