# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils import _sync_hands as hands


@pytest.mark.parametrize(
    ("lines", "path", "is_folder", "ignored"),
    [
        (["*.fits"], "a/b.fits", False, True),
        (["*.fits", "!keep.fits"], "a/keep.fits", False, False),
        (["/a.txt"], "b/a.txt", False, False),
        (["/a.txt"], "a.txt", False, True),
        (["data/"], "data", False, False),
        (["data/"], "sub/data", True, True),
        (["a/b"], "x/a/b", False, False),
        (["**/b"], "x/a/b", False, True),
        (["a/**"], "a/x/y", False, True),
        (["a/**/b"], "a/b", False, True),
        (["a/**/b"], "a/x/y/b", False, True),
        (["a?c"], "abc", False, True),
        (["a?c"], "a/c", False, False),
        (["[a-c].x"], "b.x", False, True),
        (["[!a-c].x"], "b.x", False, False),
        (["# a comment"], "# a comment", False, False),
        (["\\#a"], "#a", False, True),
        (["a  "], "a", False, True),
        (["*"], "sub/a", False, True),
        ([], "a/.ipynb_checkpoints", True, True),
        (["!.ipynb_checkpoints/"], ".ipynb_checkpoints", True, False),
        ([], ".git", True, False),
    ],
)
def test_patterns_mean_what_they_mean_to_git(lines, path, is_folder, ignored):
    assert hands.is_ignored(path, is_folder, hands.rules_of(lines)) is ignored


@given(st.lists(st.text(alphabet="ab*?[]!^\\/#. -", max_size=8)), st.text(alphabet="ab/.", min_size=1))
def test_no_line_makes_it_fail(lines, path):
    assert hands.is_ignored(path, False, hands.rules_of(lines)) in (True, False)


@given(st.lists(st.text(alphabet="ab*?!/.", min_size=1, max_size=5), max_size=4))
def test_git_itself_leaves_out_the_same_files(lines):
    # What git makes of a slash at both ends, or of several, is its own affair.
    plain = [line for line in lines if "//" not in line and "***" not in line and line.strip("!/.") and "." not in line]
    paths = ["a", "b", "ab", "a/b", "b/a", "a/a/b", "b/ab/a"]
    tree = sorted({*paths} - {"a", "b"})
    for path in tree:
        parts = path.split("/")
        above = any(hands.is_ignored("/".join(parts[:n]), True, hands.rules_of(plain)) for n in range(1, len(parts)))
        assert (above or hands.is_ignored(path, False, hands.rules_of(plain))) is git_ignores(tuple(plain))[path]


CACHE: dict = {}


def git_ignores(lines):
    """Return what git says, for the same paths."""
    if lines not in CACHE:
        with tempfile.TemporaryDirectory() as place:
            subprocess.run(["git", "init", "-q", place], check=True)
            tree = ["ab", "a/b", "b/a", "a/a/b", "b/ab/a"]
            for path in tree:
                Path(place, path).parent.mkdir(parents=True, exist_ok=True)
                Path(place, path).touch()
            Path(place, ".gitignore").write_text("\n".join(lines))
            command = ["git", "-C", place, "check-ignore", "--no-index", *tree]
            found = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
            CACHE[lines] = {path: path in found for path in tree}
    return CACHE[lines]


def place(path, expected=None, beside="beside"):
    return {"do": "place", "path": path, "staged": "new", "expected": expected, "beside": beside}


@pytest.fixture
def folder(tmp_path):
    staging = tmp_path / hands.STAGING
    staging.mkdir()
    (staging / "new").write_text("new")
    return tmp_path


def test_what_changed_meanwhile_stays_and_the_new_one_is_put_beside(folder):
    (folder / "a").write_text("saved a moment ago")
    done = hands.settle(folder, [place("a")], None)
    assert (folder / "a").read_text() == "saved a moment ago"
    assert (folder / "beside").read_text() == "new"
    assert done["changed"] == ["a"]


def test_a_folder_that_was_made_meanwhile_stays(folder):
    (folder / "a").mkdir()
    hands.settle(folder, [place("a")], None)
    assert (folder / "a").is_dir()
    assert (folder / "beside").read_text() == "new"


def test_a_name_that_is_taken_is_not_used(folder):
    (folder / "a").write_text("1")
    (folder / "beside").write_text("2")
    hands.settle(folder, [place("a")], None)
    assert (folder / "beside").read_text() == "2"
    assert (folder / "beside-2").read_text() == "new"


def test_what_changed_meanwhile_is_neither_removed_nor_moved(folder):
    (folder / "a").write_text("1")
    old = ["file", 1, 0, ""]
    steps = [
        {"do": "remove", "path": "a", "expected": old},
        {"do": "aside", "path": "a", "to": "b", "expected": old},
    ]
    assert hands.settle(folder, steps, None)["changed"] == ["a", "a"]
    assert (folder / "a").read_text() == "1"
    assert not (folder / "b").exists()


def test_nothing_is_written_through_a_link_to_somewhere_else(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "sub").symlink_to(elsewhere)
    with pytest.raises(OSError, match="is a link"):
        hands.settle(folder, [place("sub/a")], None)
    assert not list(elsewhere.iterdir())


def test_what_went_before_it_could_be_copied_is_left_out(folder):
    (folder / hands.STAGING / "new").unlink()
    assert hands.settle(folder, [place("a")], None) == {"entries": {}, "changed": []}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_new_files_and_folders_belong_to_the_person(folder):
    hands.settle(folder, [place("sub/a")], [1234, 1235])
    for path in (folder / "sub", folder / "sub" / "a"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_only_files_and_links_are_listed(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert {path: entry[0] for path, entry in hands.listing(tmp_path, []).items()} == {"a": "file", "link": "link"}


def test_what_is_sent_to_a_machine_stands_on_python_alone():
    source = Path(hands.__file__).read_text()
    names = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert names <= set(sys.stdlib_module_names)
