# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._lab.instance_answer import ACCESSES
from ansible_collections.desi.lab.plugins.plugin_utils._ssh_access import access_in, is_allowed, recorded_access


def memory(access="tunnel", port=8888):
    return json.dumps({"access": access, "port": port})


def row(access="", port=0):
    return {"id": "i-1", "access": access, "port": port}


@pytest.mark.parametrize(
    ("told", "known", "certified", "access", "port"),
    [
        (row("tunnel", 8888), memory(), False, "tunnel", 8888),
        (row("direct", 8888), memory("direct"), False, "direct", 8888),
        (row("https", 443), memory("https", 443), False, "https", 443),
        # A safer way than the one remembered is taken.
        (row("tunnel", 8888), memory("direct"), False, "tunnel", 8888),
        (row("https", 443), memory("direct", 443), False, "https", 443),
        # A lab of 0.1.0: nothing is remembered but what lies there.
        (row("tunnel", 9999), "", False, "tunnel", 9999),
        (row("https", 443), "", True, "https", 443),
        # Tags that say nothing, or no word that there is.
        (row(), memory("direct", 9999), False, "direct", 9999),
        (row("gopher", "8888; id"), memory("https", 443), False, "https", 443),
        (row("gopher", 99999), "", False, "tunnel", 0),
        ({}, memory(), False, "", 0),
    ],
)
def test_what_is_known_is_used_and_a_safer_way_too(told, known, certified, access, port):
    assert recorded_access(told, known, certified) == {"access": access, "port": port, "asks": {}}


@pytest.mark.security("M14")
@pytest.mark.parametrize(
    ("told", "known", "certified", "safe", "words"),
    [
        (row("direct", 8888), memory(), False, ("tunnel", 8888), "without encryption"),
        (row("direct", 443), memory("https", 443), False, ("https", 443), "without encryption"),
        (row("https", 8888), memory(), False, ("tunnel", 8888), "open to the network, encrypted"),
        (row("direct", 8888), "", False, ("tunnel", 8888), "without encryption"),
        (row("direct", 443), "", True, ("https", 443), "without encryption"),
        (row("https", 443), "", False, ("tunnel", 443), "encrypted"),
        (row("direct", 8888), "{", False, ("tunnel", 8888), "without encryption"),
        (row("tunnel", 9999), memory(), False, ("tunnel", 8888), "on port 9999"),
        (row("direct", 9999), memory(), False, ("tunnel", 8888), "on port 9999"),
    ],
)
def test_a_weaker_way_or_another_port_is_asked_about_and_not_used(told, known, certified, safe, words):
    way = recorded_access(told, known, certified)
    assert (way["access"], way["port"]) == safe
    assert (way["asks"]["access"], way["asks"]["port"]) == (told["access"], told["port"])
    assert words in way["asks"]["words"]


@given(
    st.text() | st.sampled_from(ACCESSES), st.integers() | st.text(), st.sampled_from([*ACCESSES, ""]), st.booleans()
)
def test_tag_never_weakens_access_without_confirmation(access, port, known, certified):
    way = recorded_access(row(access, port), memory(known, 8888), certified)
    assert ACCESSES.index(way["access"]) >= ACCESSES.index(known or "tunnel") or certified
    assert way["port"] == 8888


@pytest.mark.parametrize("text", ["", "[]", "null", '{"access": 3, "port": "x"}', '{"access": ["direct"]}'])
def test_unreadable_access_record_is_empty(text):
    assert access_in(text) == {"access": "", "port": 0}


@pytest.mark.parametrize(
    ("access", "port", "allowed"),
    [
        ("direct", 9999, True),
        ("direct", "9999", True),
        ("direct", 8888, False),
        ("", 9999, False),
        ("https", 9999, False),
    ],
)
def test_explicit_access_and_port_count_as_confirmation(access, port, allowed):
    way = recorded_access(row("direct", 9999), memory(), False)
    assert is_allowed(way["asks"], way, access, port) is allowed


def test_unchanged_access_needs_no_confirmation():
    way = recorded_access(row("direct", 8888), memory(), False)
    assert is_allowed(way["asks"], way, "direct", "")
