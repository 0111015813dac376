# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


import json

import pytest
from desi_watch import state
from desi_watch.decision import Decision, Now, Record, Warned
from hypothesis import given
from hypothesis import strategies as st

FULL = Record(1.5, 2.5, 0.5, 2.0, 9.0, 1.0, Warned(1.0, 2.0, 3.0, (5.0,)), Warned(4.0, 5.0, 6.0, (30.0, 5.0)))
BARE = Record(1.5, 2.5, 0.5)
MARKS = {"kernels": {"a": "b"}}
STORED = state.as_document(FULL, MARKS)["memory"]
LAST = {"at": 7, "why": "Nobody used it."}


@pytest.mark.parametrize("record", [FULL, BARE])
def test_what_is_remembered_comes_back_from_the_disk_as_it_was(tmp_path, record):
    assert state.write_document(tmp_path / "m", state.as_document(record, MARKS), 0o600)
    assert state.read_record(state.read_document(tmp_path / "m")) == (record, MARKS)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o600


def test_a_file_has_its_mode_whatever_the_mask_says_and_no_link_is_followed(tmp_path):
    (tmp_path / "other").write_text("mine")
    (tmp_path / ".s.new").symlink_to("other")
    assert state.write_document(tmp_path / "s", {"a": 1}, 0o644)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "other").read_text() == "mine"


def test_a_place_that_takes_nothing_is_reported_and_keeps_what_it_has(tmp_path):
    assert not state.write_document(tmp_path / "none" / "m", {}, 0o600)
    assert state.read_document(tmp_path / "none" / "m") == {}


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(STORED, ANY)), ANY)
def test_invalid_state_files_do_not_fail_the_watcher(fields, marks):
    record, found = state.read_record({"memory": {**STORED, **fields}, "marks": marks})
    assert record is None or isinstance(record, Record)
    assert isinstance(found, dict)


@pytest.mark.parametrize("text", ["{", "[]", "\udcff", '{"memory": {"wall": 1}}'])
def test_a_file_that_cannot_be_read_is_no_record(tmp_path, text):
    (tmp_path / "m").write_bytes(text.encode(errors="surrogateescape"))
    assert state.read_record(state.read_document(tmp_path / "m")) == (None, {})


def test_one_field_that_is_wrong_is_no_record():
    kept = json.loads(json.dumps(state.as_document(FULL, MARKS)))
    for name in STORED:
        broken = {**kept, "memory": {**kept["memory"], name: "rubbish"}}
        assert state.read_record(broken) == (None, {}), name


def test_times_are_given_by_the_wall_clock_and_a_stop_takes_the_place_of_the_last_one():
    now = Now(wall=1_000_000.0, mono=500.0, booted=0.0)
    decision = Decision(active=("a",), idle_at=800.0, deadline=43_200.0)
    warned = state.public_state(decision, Record(0, 0, 0, quiet_since=440.0), now, LAST)
    times = {"checked": 1_000_000, "idle_since": 999_940, "idle_stop_at": 1_000_300, "deadline": 1_042_700}
    assert warned == {"version": 1, "active": ["a"], "last_stop": LAST, **times}
    warned = state.public_state(Decision(stop="Because."), BARE, now, LAST)
    assert warned["last_stop"] == {"at": 1_000_000, "why": "Because."}


@pytest.mark.security("L2")
@pytest.mark.parametrize("name", ["\x1b]0;owned\x07", "\u202egpj", "\ud800", "x" * 5000])
def test_what_everybody_may_read_can_be_printed_and_has_an_end_whatever_notebooks_are_called(name):
    now = Now(wall=1_000_000.0, mono=500.0, booted=0.0)
    told = state.public_state(Decision(stop=f"Because of {name}."), BARE, now, LAST)["last_stop"]["why"]
    kept = state.public_state(Decision(), BARE, now, {"at": 7, "why": name})["last_stop"]["why"]
    for text in (told, kept, state.printable(name)):
        assert text.isprintable()
        assert len(text) <= 1000
        text.encode()
    assert state.printable("a kernel is busy, naïve") == "a kernel is busy, naïve"


@pytest.mark.parametrize("found", [None, "x", {}, {"at": "x", "why": "y"}, {"at": 1}, {"at": 1, "why": 2}])
def test_what_cannot_be_a_last_stop_is_none(found):
    assert state.stop_in(found) is None
