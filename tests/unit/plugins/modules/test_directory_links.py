# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.modules import directory_links


@pytest.fixture
def run(call):
    return partial(call, directory_links)


@pytest.fixture
def view(tmp_path):
    """The folder around a mount that shows nothing yet."""
    for name in ("edr", "dr1", "target"):
        (tmp_path / "view" / ".bucket" / name).mkdir(parents=True)
    (tmp_path / "view" / ".bucket" / "README.md").touch()
    return tmp_path / "view"


def links(folder):
    return {entry.name: str(entry.readlink()) for entry in folder.iterdir() if entry.is_symlink()}


SHOWN = {name: f".bucket/{name}" for name in ("README.md", "dr1", "edr", "target")}


def test_entries_are_shown_as_relative_links_and_a_second_run_changes_nothing(run, view):
    code, result = run(path=str(view), hidden=".bucket")
    assert (code, result["changed"]) == (0, True)
    assert result["entries"] == sorted(SHOWN)
    assert result["diff"] == {"before": {}, "after": SHOWN}
    assert links(view) == SHOWN
    assert (view / "edr").is_dir()
    inode = (view / "edr").lstat().st_ino

    code, result = run(path=str(view), hidden=".bucket")
    assert (code, result["changed"]) == (0, False)
    assert result["diff"]["before"] == result["diff"]["after"] == SHOWN
    assert (view / "edr").lstat().st_ino == inode


def test_view_follows_what_comes_and_goes_but_not_in_check_mode(run, view):
    (view / "edr").symlink_to(".bucket/dr1")
    before = links(view)
    code, result = run(path=str(view), hidden=".bucket", _ansible_check_mode=True)
    assert (code, result["changed"], result["diff"]["after"], links(view)) == (0, True, SHOWN, before)
    run(path=str(view), hidden=".bucket")
    assert links(view) == SHOWN
    (view / ".bucket" / "target").rmdir()
    (view / ".bucket" / "dr2").mkdir()
    # An entry that is called like the hidden directory itself is not shown.
    (view / ".bucket" / ".bucket").mkdir()
    assert run(path=str(view), hidden=".bucket")[1]["changed"]
    assert set(links(view)) == {"README.md", "dr1", "dr2", "edr"}


def test_things_that_are_not_ours_are_left_alone(run, view):
    (view / "notes.txt").write_text("mine")
    (view / "elsewhere").symlink_to("/nowhere")
    run(path=str(view), hidden=".bucket")
    _code, result = run(path=str(view), hidden=".bucket", state="absent")
    assert result["changed"]
    assert (view / "notes.txt").read_text() == "mine"
    assert links(view) == {"elsewhere": "/nowhere"}


@pytest.mark.parametrize("make", [Path.touch, lambda place: place.symlink_to("/nowhere")])
def test_entry_whose_place_is_taken_is_refused_and_nothing_is_changed(run, view, make):
    place = view / "edr"
    make(place)
    before = sorted(view.iterdir())
    code, result = run(path=str(view), hidden=".bucket")
    assert code == 1
    assert result["what"] == f"The folder {view} cannot show edr."
    assert str(place) in result["do"]
    assert sorted(view.iterdir()) == before


def test_hidden_folder_that_is_not_there_is_refused(run, view):
    code, result = run(path=str(view.parent / "missing"), hidden=".bucket")
    assert (code, result["why"]) == (1, "No such file or directory.")


def test_absent_takes_the_links_away_and_the_folder_once_it_is_empty(run, view):
    run(path=str(view), hidden=".bucket")
    code, result = run(path=str(view), hidden=".bucket", state="absent")
    assert (code, result["changed"]) == (0, True)
    assert result["diff"] == {"before": SHOWN, "after": {}}
    assert [entry.name for entry in view.iterdir()] == [".bucket"]

    for entry in (view / ".bucket").iterdir():
        entry.unlink() if entry.is_file() else entry.rmdir()
    (view / ".bucket").rmdir()
    assert run(path=str(view), hidden=".bucket", state="absent", _ansible_check_mode=True)[1]["changed"]
    assert view.exists()
    assert run(path=str(view), hidden=".bucket", state="absent")[1]["changed"]
    assert not view.exists()


def test_absent_removes_the_empty_directories_above(run, tmp_path):
    (tmp_path / "other").touch()
    (tmp_path / "lib/mounts/view").mkdir(parents=True)
    assert run(path=str(tmp_path / "lib/mounts/view"), hidden=".bucket", state="absent", parents=5)[1]["changed"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["other"]


@pytest.mark.security("G1")
@pytest.mark.parametrize("hidden", ["", ".", "..", "a/b", "/"])
def test_links_of_others_are_not_taken_for_those_into_the_hidden_directory(run, view, hidden):
    (view / "elsewhere").symlink_to("/nowhere")
    (view / "beside").symlink_to("../sibling")
    before = links(view)
    code, result = run(path=str(view), hidden=hidden, state="absent")
    assert (code, links(view)) == (1, before)
    assert "one plain name" in result["why"]


@pytest.mark.security("G1")
@pytest.mark.parametrize("path", ["", "view"])
def test_path_that_is_not_absolute_is_refused(run, view, monkeypatch, path):
    run(path=str(view), hidden=".bucket")
    monkeypatch.chdir(view if not path else view.parent)
    code, result = run(path=path, hidden=".bucket", state="absent")
    assert (code, result["what"]) == (1, f"The links in the folder {path or '(none)'} are left as they are.")
    assert links(view) == SHOWN


def test_absent_changes_nothing_where_nothing_of_ours_is(run, view):
    for path in (view, view.parent / "missing"):
        code, result = run(path=str(path), hidden=".bucket", state="absent")
        assert (code, result["changed"]) == (0, False)
    assert (view / ".bucket" / "edr").is_dir()


def test_failing_disk_is_told_in_three_sentences(run, view, monkeypatch):
    def fail(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "symlink", fail)
    monkeypatch.setattr(directory_links, "apply", fail)
    code, result = run(path=str(view), hidden=".bucket")
    assert code == 1
    assert (result["what"], result["why"]) == (f"The folder {view} could not be changed.", "Read-only file system.")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay what others own")
@pytest.mark.security("M1")
def test_root_lays_no_links_where_somebody_else_may_write(run, view):
    os.chown(view.parent, 65534, 65534)
    code, result = run(path=str(view), hidden=".bucket")
    assert code == 1
    assert "not safe" in result["what"]
    assert links(view) == {}
