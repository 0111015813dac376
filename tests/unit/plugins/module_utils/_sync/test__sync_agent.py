# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._sync import agent
from ansible_collections.desi.lab.plugins.module_utils._sync.run import SENT


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
    assert agent.is_ignored(path, is_folder, agent.rules_of(lines)) is ignored


@settings(max_examples=50)
@given(st.lists(st.text(alphabet="ab*?!/.", min_size=1, max_size=5), max_size=4))
def test_git_itself_leaves_out_the_same_files(lines):
    # What git makes of a slash at both ends, or of several, is its own affair.
    plain = [line for line in lines if "//" not in line and "***" not in line and line.strip("!/.") and "." not in line]
    paths = ["a", "b", "ab", "a/b", "b/a", "a/a/b", "b/ab/a"]
    tree = sorted({*paths} - {"a", "b"})
    for path in tree:
        parts = path.split("/")
        above = any(agent.is_ignored("/".join(parts[:n]), True, agent.rules_of(plain)) for n in range(1, len(parts)))
        assert (above or agent.is_ignored(path, False, agent.rules_of(plain))) is git_ignores(tuple(plain))[path]


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


@pytest.mark.security("L13")
@given(st.lists(st.text(alphabet="ab*?[]!^\\/#. -", max_size=300), max_size=5), st.text(alphabet="ab/.", min_size=1))
def test_no_pattern_fails_or_takes_long(lines, path):
    began = time.process_time()
    agent.is_ignored(path, False, agent.rules_of(lines))
    assert time.process_time() - began < 1


@pytest.mark.security("L13")
@pytest.mark.parametrize("line", ["**/a/" * 200 + "b", "*a" * 500 + "b", "*" * 1000 + "b", "a*" * 500 + "b"])
def test_patterns_that_explode_elsewhere_do_not(line):
    began = time.process_time()
    for path in ("/".join("a" * 1000) + "/c", "a" * 255 + "/" + "a" * 250 + "c"):
        assert not agent.is_ignored(path, False, agent.rules_of([line]))
    assert time.process_time() - began < 2


@pytest.mark.security("L13")
def test_a_file_of_patterns_is_bounded_and_no_link_to_a_secret(folder):
    (folder.path / ".labignore").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match=r"\.labignore cannot be read"):
        agent.own_lines(folder.fd)
    (folder.path / ".labignore").unlink()
    (folder.path / ".labignore").write_text("x\n" * 1001)
    with pytest.raises(OSError, match="more than"):
        agent.own_lines(folder.fd)


def place(path, expected=None, beside="beside"):
    return {"do": "place", "path": path, "staged": "new", "expected": expected, "beside": beside}


class Folder:
    """A folder, opened, and the rooms of its copies."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.path, self.staging = top / "folder", top / "staging"
        for path in (self.path, self.staging):
            path.mkdir()
        self.fd = os.open(self.path, os.O_RDONLY)
        self.staged = os.open(self.staging, os.O_RDONLY)
        self.rooms = agent.rooms_in(self.staged)
        (self.staging / "in" / "new").write_text("new")

    def settle(self, *steps):
        return agent.settle(self.fd, self.rooms, list(steps))

    def close(self) -> None:
        for each in (self.fd, self.staged, *self.rooms):
            os.close(each)


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path)
    yield made
    made.close()


def test_file_changed_during_the_sync_stays_and_the_new_one_is_kept_beside(folder):
    (folder.path / "a").write_text("saved a moment ago")
    done = folder.settle(place("a"))
    assert (folder.path / "a").read_text() == "saved a moment ago"
    assert (folder.path / "beside").read_text() == "new"
    assert done["changed"] == ["a"]


def test_a_folder_that_was_made_meanwhile_stays_and_a_taken_name_is_not_used(folder):
    (folder.path / "a").mkdir()
    (folder.path / "beside").write_text("2")
    folder.settle(place("a"))
    assert (folder.path / "a").is_dir()
    assert (folder.path / "beside").read_text() == "2"
    assert (folder.path / "beside-2").read_text() == "new"


def test_what_changed_meanwhile_is_neither_removed_nor_moved(folder):
    (folder.path / "a").write_text("1")
    old = ["file", 1, 0, ""]
    steps = [{"do": "remove", "path": "a", "expected": old}, {"do": "aside", "path": "a", "to": "b", "expected": old}]
    assert folder.settle(*steps)["changed"] == ["a", "a"]
    assert (folder.path / "a").read_text() == "1"
    assert not (folder.path / "b").exists()


@pytest.mark.security("H5")
def test_nothing_is_written_through_a_link_to_somewhere_else(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder.path / "sub").symlink_to(elsewhere)
    with pytest.raises(OSError, match="A link or a file"):
        folder.settle(place("sub/a"))
    assert not list(elsewhere.iterdir())


def test_what_went_before_it_could_be_copied_is_left_out(folder):
    (folder.staging / "in" / "new").unlink()
    assert folder.settle(place("a")) == {"entries": {}, "changed": []}


def test_only_files_and_links_are_listed(folder):
    (folder.path / "a").write_text("1")
    (folder.path / "link").symlink_to("nowhere")
    os.mkfifo(folder.path / "pipe")
    assert {path: entry[0] for path, entry in agent.listing(folder.fd, []).items()} == {"a": "file", "link": "link"}


@pytest.mark.security("H5")
def test_what_lies_behind_a_link_is_neither_sent_nor_compared(folder):
    (folder.top / "secret").mkdir()
    (folder.top / "secret" / "key").write_text("mine")
    (folder.path / "sub").symlink_to(folder.top / "secret")
    (folder.path / "key").symlink_to(folder.top / "secret" / "key")
    assert agent.digests(folder.fd, ["sub/key", "key"]) == {}
    assert agent.prepare(folder.fd, folder.rooms, ["sub/key"], ["sub/key", "key"]) == {"missing": ["sub/key"]}
    assert not list((folder.staging / "base").rglob("key"))
    # A link goes as a link.
    agent.prepare(folder.fd, folder.rooms, ["key"], [])
    assert (folder.staging / "out" / "key").is_symlink()


def test_where_there_are_no_hard_links_what_goes_is_copied(folder, monkeypatch):
    (folder.path / "a").write_text("work")
    os.utime(folder.path / "a", (10**9, 10**9))
    monkeypatch.setattr(agent.os, "link", lambda *_words, **_more: Path("/nowhere").stat())
    agent.prepare(folder.fd, folder.rooms, ["a"], ["a"])
    copy = folder.staging / "out" / "a"
    assert (copy.read_text(), copy.stat().st_mtime, copy.stat().st_nlink) == ("work", 10**9, 1)


NAMES = st.one_of(
    st.sampled_from(
        ["../out", "a/../../out", "/etc/desi-lab-test", "link/a", "link", "a/link/b", ".", "", "a/", "//a"]
    ),
    st.lists(st.sampled_from(["a", "b", "..", ".", "", "link"]), max_size=5).map("/".join),
)
STEPS = st.one_of(
    st.builds(place, NAMES, st.none(), NAMES),
    st.builds(lambda path: {"do": "remove", "path": path, "expected": ["file", 4, 10**18, ""]}, NAMES),
    st.builds(lambda a, b: {"do": "aside", "path": a, "to": b, "expected": ["file", 4, 10**18, ""]}, NAMES, NAMES),
)


@pytest.mark.security("C2", "H5")
@settings(max_examples=150)
@given(st.lists(STEPS, max_size=6))
def test_no_step_touches_anything_outside_of_the_folder(steps):
    with tempfile.TemporaryDirectory() as place_of_all:
        folder = Folder(Path(place_of_all))
        for path in (folder.top / "out", folder.top / "a", folder.path / "b"):
            path.write_text("mine")
            os.utime(path, (10**9, 10**9))
        (folder.path / "link").symlink_to(folder.top)
        for step in steps:
            with contextlib.suppress(OSError, ValueError):
                folder.settle(step)
        folder.close()
        outside = {path.name: path.read_text() for path in folder.top.iterdir() if not path.is_dir()}
        assert outside == {"out": "mine", "a": "mine"}
        assert sorted(path.name for path in folder.top.iterdir()) == ["a", "folder", "out", "staging"]


@pytest.mark.security("H5")
def test_a_writer_that_swaps_a_directory_for_a_link_leads_nothing_elsewhere(folder):
    victim = folder.top / "victim"
    victim.mkdir()
    (victim / "new").write_text("mine")
    (folder.path / "real").mkdir()
    (folder.path / "trap").symlink_to(victim)
    ended = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not ended.is_set():
            for name in ("real", "trap"):
                try:
                    (folder.path / name).rename(folder.path / "sub")
                except OSError:
                    # It was made between two swaps, for what is put there.
                    (folder.path / "sub").rename(folder.path / f"made-{swaps}-{name}")
                    continue
                (folder.path / "sub").rename(folder.path / name)
            swaps += 1

    writer = threading.Thread(target=swap)
    writer.start()
    placed = 0
    try:
        for number in range(300):
            (folder.staging / "in" / "new").write_text("theirs")
            with contextlib.suppress(OSError):
                folder.settle(
                    place(f"sub/{number}"), {"do": "remove", "path": "sub/new", "expected": ["file", 4, 0, ""]}
                )
                agent.prepare(folder.fd, folder.rooms, [f"sub/{number}", "sub/new"], [])
                placed += 1
    finally:
        ended.set()
        writer.join()
    assert placed
    assert swaps
    assert {path.name: path.read_text() for path in victim.iterdir()} == {"new": "mine"}
    assert not (folder.staging / "out" / "sub" / "new").exists()


def test_what_is_sent_to_a_machine_stands_on_python_and_itself_alone():
    sent: set[str] = set()
    for module in SENT:
        tree = ast.parse(Path(module.__file__).read_text())
        for node in ast.walk(tree):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert all(name in sent or name.partition(".")[0] in sys.stdlib_module_names for name in names)
        sent.add(module.__name__)
