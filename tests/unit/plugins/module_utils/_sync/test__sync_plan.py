# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._sync.plan import (
    BOTH,
    DOWN,
    HERE,
    THERE,
    UP,
    conflict_name,
    decide,
    doubtful,
    how,
    remembered,
)

HOSTS = ("laptop", "desi-desi")


class Side:
    """A folder as contents by path; an entry is made of the content, as a size and a time are of a file."""

    def __init__(self, contents):
        self.contents = dict(contents)

    @property
    def files(self):
        return {path: ["file", len(content), time, ""] for path, (content, time) in self.contents.items()}


def run(here, there, base=None, direction=BOTH, delete=False):
    """Sync two folders; return the plan and what is remembered."""
    sides, base = (here, there), base or {}
    before = [side.files for side in sides]
    wanted = doubtful(*before, base)
    same = {path for path in wanted if here.contents[path][0] == there.contents[path][0]}
    plan = decide(*before, base, same, direction, delete, HOSTS)
    staged = [{path: sides[1 - side].contents[path] for path in plan.gets[side]} for side in (HERE, THERE)]
    for side, steps in enumerate(plan.steps):
        contents = sides[side].contents
        for step in steps:
            path = step["path"]
            now = sides[side].files.get(path)
            assert now == step["expected"], (step, now)
            if step["do"] == "aside":
                assert step["to"] not in contents
                contents[step["to"]] = contents.pop(path)
            elif step["do"] == "remove":
                del contents[path]
            else:
                contents[path] = staged[side][step["staged"]]
        for path in contents:
            assert not any(other.startswith(f"{path}/") for other in contents), (path, contents)
    return plan, remembered(plan, base, [side.files for side in sides], ())


def work_on(side, base, which):
    """Return the contents that a side has come to since the last sync: what the other side cannot know."""
    known = {path for path, pair in base.items() if side.files.get(path) == pair[which]}
    return {content for path, (content, _time) in side.contents.items() if path not in known}


def contents_of(*sides):
    return {content for side in sides for content, _time in side.contents.values()}


PATHS = st.sampled_from(["a", "b", "a/x", "b/x", "b/x/y", "c/d"])
# Both sides may come to the same content by themselves. Whoever changes a file changes its time.
VERSIONS = st.builds(lambda content, time: (str(content), 10 * time + content), st.integers(0, 9), st.integers(1, 5))


def tree(contents):
    """Leave out what could not be beside the rest: a file where a folder is."""
    return {path: it for path, it in contents.items() if not any(other.startswith(f"{path}/") for other in contents)}


TREES = st.dictionaries(PATHS, VERSIONS, max_size=5).map(tree)
DIRECTIONS = st.sampled_from([BOTH, UP, DOWN])


@given(TREES, TREES)
@settings(max_examples=150)
def test_a_first_sync_gives_both_sides_all_that_either_had(here, there):
    one, other = Side(here), Side(there)
    had = contents_of(one, other)
    run(one, other)
    assert contents_of(one) == contents_of(other) == had
    assert {path: it[0] for path, it in one.contents.items()} == {path: it[0] for path, it in other.contents.items()}


@given(TREES, st.lists(st.tuples(TREES, TREES, DIRECTIONS), min_size=1, max_size=4))
@settings(max_examples=150)
def test_whatever_happens_between_syncs_no_work_is_ever_lost(first, days):
    one, other, base = Side(first), Side({}), {}
    _plan, base = run(one, other, base)
    for here, there, direction in days:
        # People change, add and remove files on both sides.
        one.contents, other.contents = tree({**one.contents, **here}), tree({**other.contents, **there})
        work = work_on(one, base, HERE), work_on(other, base, THERE)
        _plan, base = run(one, other, base, direction)
        # Each side keeps its own, and has the other's if it was to get it.
        assert work[HERE] <= contents_of(one)
        assert work[THERE] <= contents_of(other)
        if direction in (DOWN, BOTH):
            assert work[THERE] <= contents_of(one)
            assert all(path in one.contents or it[0] in contents_of(one) for path, it in other.contents.items())
        if direction in (UP, BOTH):
            assert work[HERE] <= contents_of(other)
            assert all(path in other.contents or it[0] in contents_of(other) for path, it in one.contents.items())


@given(TREES, TREES, TREES, DIRECTIONS)
@settings(max_examples=150)
def test_what_may_be_deleted_is_only_what_the_other_side_had_and_removed(first, here, there, direction):
    one, other = Side(first), Side({})
    _plan, base = run(one, other)
    known = contents_of(one)
    one.contents, other.contents = dict(here), dict(there)
    before = contents_of(one, other)
    run(one, other, base, direction, delete=True)
    assert before - contents_of(one, other) <= known


@given(TREES, TREES, st.booleans())
@settings(max_examples=100)
def test_a_second_sync_has_nothing_to_do(here, there, delete):
    one, other = Side(here), Side(there)
    _plan, base = run(one, other, delete=delete)
    plan, again = run(one, other, base, delete=delete)
    assert not plan.changes
    assert again == base


@given(TREES, TREES)
@settings(max_examples=100)
def test_a_sync_in_one_direction_changes_nothing_on_the_side_that_gives(here, there):
    one, other = Side(here), Side(there)
    run(one, other, direction=DOWN)
    assert other.contents == there
    one, other = Side(here), Side(there)
    run(one, other, direction=UP)
    assert one.contents == here


@given(TREES, TREES, st.sampled_from([UP, DOWN]))
@settings(max_examples=100)
def test_the_same_conflict_makes_no_further_copy(here, there, direction):
    one, other = Side(here), Side(there)
    _plan, base = run(one, other, direction=direction)
    size = len(one.contents), len(other.contents)
    for _again in range(2):
        _plan, base = run(one, other, base, direction=direction)
    assert (len(one.contents), len(other.contents)) == size


def synced(**contents):
    one, other = Side({path: (content, 1) for path, content in contents.items()}), Side({})
    _plan, base = run(one, other)
    return one, other, base


def test_what_changed_on_one_side_takes_the_place_of_the_other_whatever_its_time():
    one, other, base = synced(a="old")
    other.contents["a"] = ("of an older time", 0)
    plan, _base = run(one, other, base)
    assert one.contents["a"] == ("of an older time", 0)
    assert plan.conflicts == []


def test_of_two_that_changed_the_newer_has_the_name_and_the_other_is_beside_it_on_both_sides():
    one, other, base = synced(a="old")
    one.contents["a"], other.contents["a"] = ("mine", 10**18), ("theirs", 2 * 10**18)
    plan, _base = run(one, other, base)
    kept = "a.conflict-laptop-20010909T014640"
    assert one.contents == other.contents == {"a": ("theirs", 2 * 10**18), kept: ("mine", 10**18)}
    assert [conflict.kept_as for conflict in plan.conflicts] == [kept]


def test_a_file_that_was_removed_on_one_side_comes_back_unless_it_was_told_otherwise():
    one, other, base = synced(a="work")
    del one.contents["a"]
    run(one, other, base)
    assert one.contents == other.contents == {"a": ("work", 1)}
    del one.contents["a"]
    plan, base = run(one, other, base, delete=True)
    assert one.contents == other.contents == {}
    assert plan.removes == ([], ["a"])
    assert base == {}


def test_after_a_conflict_on_the_way_home_the_version_here_goes_up_with_the_next_sync():
    one, other, base = synced(a="old")
    one.contents["a"], other.contents["a"] = ("mine", 3), ("theirs", 2)
    _plan, base = run(one, other, base, DOWN)
    assert one.contents["a"] == ("mine", 3)
    run(one, other, base, BOTH)
    assert other.contents["a"] == ("mine", 3)
    assert "theirs" in contents_of(one) & contents_of(other)


def test_what_changed_while_it_was_synced_is_looked_at_again():
    one, other, base = synced(a="old")
    other.contents["a"] = ("new", 2)
    plan = decide(one.files, other.files, base, hosts=HOSTS)
    assert remembered(plan, base, (one.files, other.files), {"a"}) == base


def test_links_that_lead_to_the_same_place_are_the_same():
    here, there = {"a": ["link", 0, 1, "b"]}, {"a": ["link", 0, 2, "b"]}
    assert not decide(here, there, {}).changes
    assert decide(here, {"a": ["link", 0, 2, "c"]}, {}).conflicts


@pytest.mark.parametrize("name", ["x" * 255, "\N{GREEK SMALL LETTER ALPHA}" * 127])
def test_the_name_of_a_copy_is_one_that_a_file_can_have(name):
    made = conflict_name(f"folder/{name}", "a-host", ["file", 1, 10**18, ""])
    assert made.startswith("folder/")
    assert len(made.removeprefix("folder/").encode()) <= 251


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (([0, 0], [0, 0], [0, 0], 0), "nothing to do"),
        (([1, 0], [999, 0], [0, 0], 0), "1 file brought (999 B)"),
        (([2, 3], [1500, 2_000_000], [0, 0], 0), "2 files brought (1.5 kB), 3 files sent (2.0 MB)"),
        (([0, 0], [0, 0], [1, 2], 0), "1 removed here, 2 removed there"),
        (([1, 0], [0, 0], [0, 0], 1), "1 file brought (0 B), 1 kept twice"),
    ],
)
def test_what_was_done_is_said_in_a_few_words(done, words):
    assert how(*done) == words
