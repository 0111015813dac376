# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import contextlib
import json
import os
import posixpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common import names
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._sync import answers

pytestmark = pytest.mark.security("C2")
PARTS = st.one_of(st.sampled_from(["", ".", "..", "a", "~", "-e", "\0", "\udcff", "\ud800"]), st.text(max_size=8))


@settings(deadline=None)
@given(st.lists(PARTS, max_size=6).map("/".join))
def test_a_relative_name_leads_nowhere_but_below(text):
    try:
        name = names.RelativeName(text)
    except names.BadAnswer:
        return
    whole = posixpath.normpath(posixpath.join("/top/folder", name))
    assert whole == f"/top/folder/{text}"
    assert b"\0" not in os.fsencode(name)


def test_names_may_be_odd_but_are_texts():
    for name in ("a", "a b/\nc", "\udcff\udcfe", "...", "..a", "-rf", "a" * 255):
        assert names.RelativeName(name) == name
    for thing in (None, 3, b"a", ["a"], {}, True):
        with pytest.raises(names.BadAnswer):
            names.RelativeName(thing)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
ENTRIES = st.lists(st.one_of(st.sampled_from(["file", "link"]), JSON), max_size=5)
LISTINGS = st.fixed_dictionaries(
    {"lines": st.one_of(JSON, st.lists(st.text())), "old": st.one_of(JSON, st.booleans())},
    optional={"files": st.one_of(JSON, st.dictionaries(st.text(), ENTRIES)), "absent": JSON},
)
REQUESTS = st.sampled_from(
    [
        {"do": "list"},
        {"do": "digests", "paths": ["a"]},
        {"do": "prepare", "sends": ["a"], "gets": []},
        {"do": "settle", "steps": [{"path": "a"}]},
    ]
)


@settings(deadline=None)
@given(st.one_of(JSON, LISTINGS, st.dictionaries(st.sampled_from(["digests", "missing", "entries"]), JSON)), REQUESTS)
def test_an_answer_is_of_its_shape_or_refused_in_three_sentences(answer, request):
    try:
        found = answers.parse(json.dumps(answer).encode(), "desi-desi", request)
    except LabError as error:
        assert "desi-desi" in error.what
        assert error.why.isprintable()
        return
    for path, entry in found.get("files", {}).items():
        assert isinstance(path, names.RelativeName)
        assert [type(each) for each in entry] == [str, int, int, str]


@pytest.mark.security("L13")
@settings(deadline=None)
@given(st.binary(max_size=64))
def test_bytes_are_a_document_or_refused(data):
    with contextlib.suppress(names.BadAnswer):
        names.strict_json(data, 64)


@pytest.mark.security("L13")
@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"NaN", b"1e999", b"1" * 5000, b'{"a": 1, "a": 2}', b"\xff", b"", b"[1" + b" " * 100_000]
)
def test_documents_without_end_or_sense_are_refused(data):
    with pytest.raises(names.BadAnswer):
        names.strict_json(data, 100_000)


@settings(deadline=None)
@given(st.text())
def test_whatever_is_shown_moves_no_cursor(text):
    assert names.shown(text).isprintable()


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a//b", "//a", "/a/\x1b[2J", "", "/a/", "/a\0"])
def test_paths_that_are_not_plain_are_refused(path):
    with pytest.raises(names.BadAnswer):
        names.absolute_path(path)


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        (names.truth, 1),
        (names.moment, True),
        (names.moment, -1),
        (names.moment, 1e300),
        (names.whole_number, 1.0),
        (names.whole_number, True),
        (names.whole_number, 2**63),
        (names.text, "a\nb"),
        (names.text, "x" * 1001),
        (names.sequence, {}),
        (names.mapping, []),
    ],
)
def test_what_has_another_type_is_refused(parse, value):
    with pytest.raises(names.BadAnswer):
        parse(value)
