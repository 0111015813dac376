# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._sync.answers import parse

FILE = ["file", 1, 1, ""]
HASH = "0a" * 32
PLACE = {"path": "a"}
REQUESTS = {
    "list": {"do": "list"},
    "digests": {"do": "digests", "paths": ["a"]},
    "prepare": {"do": "prepare", "sends": ["a"], "gets": []},
    "settle": {"do": "settle", "steps": [PLACE]},
}


def listing(files=None, lines=(), **more):
    return json.dumps({"lines": list(lines), "files": {} if files is None else files, "old": False, **more})


@pytest.mark.security("C2")
@pytest.mark.parametrize(
    "name", ["/etc/x", "", ".", "..", "a/..", "a//b", "a/./b", "../x", "a\0b", "x" * 256, "a/" * 2050, ".bucket/a"]
)
def test_one_bad_name_refuses_the_whole_listing(name):
    with pytest.raises(LabError, match="desi-test"):
        parse(listing({"good": FILE, name: FILE}).encode(), "desi-test", REQUESTS["list"])


@pytest.mark.security("C2", "L13")
@pytest.mark.parametrize(
    ("do", "answer"),
    [
        ("list", "\x1b]0;owned\x07"),
        ("list", listing({"a": ["fifo", 1, 1, ""]})),
        ("list", listing({"a": ["file", -1, 1, ""]})),
        ("list", listing({"a": ["file", 1, 1, "x"]})),
        ("list", listing({"a": ["link", 1, 1, "x\0"]})),
        ("list", listing({"a": FILE, "a/b": FILE})),
        ("list", listing([])),
        ("list", listing(lines=["x"] * 1001)),
        ("list", listing(lines=["x" * 1025])),
        ("list", listing(lines=["x" * 1000] * 100)),
        ("list", "null"),
        ("list", ""),
        ("digests", json.dumps({"digests": {"b": HASH}})),
        ("digests", json.dumps({"digests": {"a": "x" * 64}})),
        ("prepare", json.dumps({"missing": ["b"]})),
        ("settle", json.dumps({"entries": {}, "changed": ["../../x"]})),
        ("settle", json.dumps({"entries": {"../x": FILE}, "changed": []})),
        ("settle", json.dumps({"entries": {}, "changed": ["a", "a"]})),
    ],
)
def test_an_answer_of_another_shape_is_refused_without_a_word_of_it_that_moves_a_cursor(do, answer):
    with pytest.raises(LabError) as caught:
        parse(answer.encode(), "desi-test", REQUESTS[do])
    assert "desi-test" in caught.value.what
    assert caught.value.why.isprintable()
    assert caught.value.do


@pytest.mark.parametrize(
    ("do", "answer"),
    [
        ("list", {"lines": ["*.x"], "files": {"a": FILE, "b/c": ["link", 0, -1, ".."]}, "absent": False, "old": True}),
        ("digests", {"digests": {"a": HASH}}),
        ("prepare", {"missing": ["a"]}),
        ("settle", {"entries": {"a": None, "b": FILE}, "changed": ["a"]}),
    ],
)
def test_an_answer_of_the_right_shape_is_taken(do, answer):
    assert parse(json.dumps(answer).encode(), "desi-test", REQUESTS[do]) == answer
