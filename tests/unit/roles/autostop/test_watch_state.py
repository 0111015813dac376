# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from desi_watch import state
from desi_watch.decision import Decision, Memory, Now, Seen, Told, decide
from desi_watch.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

FULL = Memory(1.5, 2.5, 0.5, 2.0, 9.0, 1.0, Told(1.0, 2.0, 3.0, (5.0,)), Told(4.0, 5.0, 6.0, (30.0, 5.0)))
BARE = Memory(1.5, 2.5, 0.5)
MARKS = {"kernels": {"a": "b"}}
LAST = {"at": 7, "why": "Nobody used it."}


@pytest.mark.parametrize("memory", [FULL, BARE])
def test_what_is_remembered_comes_back_from_the_disk_as_it_was(tmp_path, memory):
    assert state.written(tmp_path / "m", state.to_remember(memory, MARKS), 0o600)
    assert state.recalled(state.document(tmp_path / "m")) == (memory, MARKS)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o600


def test_a_file_has_its_mode_whatever_the_mask_says_and_no_link_is_followed(tmp_path):
    (tmp_path / "other").write_text("mine")
    (tmp_path / ".s.new").symlink_to("other")
    assert state.written(tmp_path / "s", {"a": 1}, 0o644)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "other").read_text() == "mine"


def test_a_place_that_takes_nothing_is_told_and_keeps_what_it_has(tmp_path):
    assert not state.written(tmp_path / "none" / "m", {}, 0o600)
    assert state.document(tmp_path / "none" / "m") == {}


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Memory._fields, ANY)), ANY)
def test_no_rubbish_makes_the_watcher_fail(fields, marks):
    memory, found = state.recalled({"memory": fields, "marks": marks})
    assert memory is None or isinstance(memory, Memory)
    assert isinstance(found, dict)


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff", '{"memory": {"wall": 1}}', '{"memory": [], "marks": {}}'])
def test_a_file_that_cannot_be_read_is_no_memory(tmp_path, text):
    (tmp_path / "m").write_bytes(text.encode(errors="surrogateescape"))
    assert state.recalled(state.document(tmp_path / "m")) == (None, {})


def test_one_field_that_is_wrong_is_no_memory():
    kept = json.loads(json.dumps(state.to_remember(FULL, MARKS)))
    for name in Memory._fields:
        broken = {**kept, "memory": {**kept["memory"], name: "rubbish"}}
        assert state.recalled(broken) == (None, {}), name


def test_times_are_told_by_the_wall_clock_and_a_stop_takes_the_place_of_the_last_one():
    now = Now(wall=1_000_000.0, mono=500.0, booted=0.0)
    decision = Decision(active=("a",), idle_at=800.0, deadline=43_200.0)
    told = state.public(decision, Memory(0, 0, 0, quiet_since=440.0), now, LAST)
    times = {"checked": 1_000_000, "idle_since": 999_940, "idle_stop_at": 1_000_300, "deadline": 1_042_700}
    assert told == {"version": 1, "active": ["a"], "last_stop": LAST, **times}
    told = state.public(Decision(stop="Because."), BARE, now, LAST)
    assert told["last_stop"] == {"at": 1_000_000, "why": "Because."}


@pytest.mark.parametrize("found", [None, "x", {}, {"at": "x", "why": "y"}, {"at": 1}, {"at": 1, "why": 2}])
def test_what_cannot_be_a_last_stop_is_none(found):
    assert state.stop_in(found) is None


def test_what_the_watcher_decides_can_be_written(tmp_path):
    memory, _decision = decide(None, Seen(), Settings(), Now(2.0, 1.0, 0.0))
    assert state.recalled(json.loads(json.dumps(state.to_remember(memory, {})))) == (memory, {})
