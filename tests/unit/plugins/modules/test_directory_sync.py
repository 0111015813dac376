# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from loopback import await_that

from ansible_collections.desi.lab.plugins.module_utils._sync.run import Memory, Spec
from ansible_collections.desi.lab.plugins.modules import directory_sync

pytestmark = pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync on this computer")


class Folders:
    """A folder here and one on a machine."""

    def __init__(self, call, home: Path, config: Path) -> None:
        self.call = call
        # Names with spaces are names, too.
        self.here, self.there = home / "my work", home / "there"
        self.here.mkdir()
        self.there.mkdir()
        self.memory = home / "sync.json"
        given = {"folder": self.here, "config": config, "remote": self.there, "memory": self.memory}
        self.given = {**{name: str(path) for name, path in given.items()}, "host": "desi-test", "here": "laptop"}

    def attempt(self, **more):
        return self.call(directory_sync, **{**self.given, **more})

    def sync(self, **more):
        code, result = self.attempt(**more)
        assert code == 0, result
        return result


@pytest.fixture
def folders(ssh_here, call, tmp_path):
    return Folders(call, tmp_path, Path("/dev/null"))


@pytest.fixture
def far(machine, call, tmp_path):
    """Folders of which one is on a machine that is a real SSH server on loopback."""
    machine.start()
    made = Folders(call, tmp_path, machine.config)
    made.machine = machine
    return made


def tree(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in found
    }


def test_new_files_go_both_ways_whatever_they_and_the_temporary_directory_are_called(far, monkeypatch, tmp_path):
    (tmp_path / "100%n").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "100%n"))
    (far.here / "a folder").mkdir()
    (far.here / "a folder" / "odd\nname*?'\"").write_text("up")
    (far.there / "sub").mkdir()
    (far.there / "sub" / "\N{GREEK SMALL LETTER ALPHA}.ipynb").write_text("down")
    (far.there / "link").symlink_to("sub")
    result = far.sync()
    assert result["changed"]
    assert tree(far.here) == tree(far.there)
    assert len(tree(far.here)) == 3
    assert "2 files brought" in result["how"]
    assert "1 file sent" in result["how"]


def test_a_second_run_has_nothing_to_do_and_nothing_is_left_behind(far):
    (far.here / "a").write_text("1")
    script = far.there / "script"
    script.write_text("#!/bin/sh")
    script.chmod(0o755)
    os.utime(script, (10**9, 10**9))
    odd = os.fsencode(far.there) + b"/\xff\xfe"
    Path(os.fsdecode(odd)).write_text("bytes")
    far.sync()
    # It logs in once, and leaves no connection.
    assert (far.machine.home / "sshd.log").read_text().count("Accepted publickey") == 1
    await_that(lambda: not far.machine.sessions())
    assert Path(os.fsdecode(os.fsencode(far.here) + b"/\xff\xfe")).read_text() == "bytes"
    assert (far.here / "script").stat().st_mtime == 10**9
    assert (far.here / "script").stat().st_mode & 0o111
    result = far.sync()
    assert (result["changed"], result["how"]) == (False, "nothing to do")
    assert not list(far.here.glob(".desi*")) + list(far.there.glob(".desi*"))


def test_what_changed_on_both_sides_is_kept_twice_and_told(folders):
    (folders.here / "a").write_text("first")
    folders.sync()
    (folders.here / "a").write_text("mine")
    (folders.there / "a").write_text("theirs, longer")
    os.utime(folders.here / "a", (10**9, 10**9))
    result = folders.sync()
    kept = "a.conflict-laptop-20010909T014640"
    assert tree(folders.here) == tree(folders.there) == {"a": "theirs, longer", kept: "mine"}
    assert result["conflicts"] == [{"path": "a", "kept_as": kept, "of": "laptop"}]
    assert not folders.sync()["changed"]


def test_two_that_came_to_the_same_content_are_no_conflict(folders):
    (folders.here / "a").write_text("same")
    (folders.there / "a").write_text("same")
    os.utime(folders.here / "a", (10**9, 10**9))
    result = folders.sync()
    assert result["conflicts"] == []
    assert not result["changed"]


def test_nothing_is_deleted_unless_told(folders):
    (folders.here / "a").write_text("work")
    (folders.here / "sub").mkdir()
    (folders.here / "sub" / "b").write_text("work")
    folders.sync()
    shutil.rmtree(folders.here / "sub")
    folders.sync()
    assert tree(folders.here) == tree(folders.there) == {"a": "work", "sub/b": "work"}
    shutil.rmtree(folders.here / "sub")
    result = folders.sync(delete=True)
    assert result["removed_there"] == ["sub/b"]
    assert tree(folders.there) == {"a": "work"}
    assert not (folders.there / "sub").exists()


def test_patterns_of_both_sides_and_the_bucket_are_left_out(folders):
    (folders.here / ".labignore").write_text("*.big\n!kept.big\n/only-here/\n")
    (folders.there / ".bucket").mkdir()
    (folders.there / ".bucket" / "spectrum").write_text("of the survey")
    (folders.there / "edr").symlink_to(".bucket/edr")
    for name in ("x.big", "kept.big"):
        (folders.there / name).write_text(name)
    for name in (".ipynb_checkpoints", "only-here"):
        (folders.there / name).mkdir()
        (folders.there / name / "a").write_text("left out")
    folders.sync()
    assert set(tree(folders.here)) == {".labignore", "kept.big"}


def test_check_mode_tells_what_would_be_done_and_does_nothing(folders):
    (folders.there / "a").write_text("work")
    result = folders.sync(_ansible_check_mode=True)
    assert result["changed"]
    assert result["brought"] == ["a"]
    assert tree(folders.here) == {}
    assert not folders.memory.exists()


def test_sync_with_an_unreadable_record_loses_no_file(folders):
    memory = Memory(Spec(str(folders.here), "", "h", str(folders.there), str(folders.memory)))
    for text in ("", "{", "[]", '{"base": 1}', '{"base": {"a": 3}, "folder": "another"}'):
        folders.memory.write_text(text)
        assert memory.read() == {}
    (folders.here / "a").write_text("mine")
    (folders.there / "a").write_text("theirs")
    folders.sync()
    assert sorted(tree(folders.here).values()) == sorted(tree(folders.there).values()) == ["mine", "theirs"]


def test_what_is_remembered_of_another_machine_is_not_believed(folders):
    (folders.here / "a").write_text("work")
    folders.sync(peer="i-1")
    (folders.there / "a").unlink()
    folders.sync(peer="i-2", delete=True)
    assert tree(folders.here) == tree(folders.there) == {"a": "work"}


def test_a_machine_that_does_not_answer_is_told_in_three_sentences(far):
    far.machine.stop()
    code, result = far.attempt()
    assert code == 1
    assert far.machine.host in result["what"]
    assert "refused" in result["why"]
    assert "again" in result["do"]


def test_a_folder_that_does_not_exist_is_told(folders):
    shutil.rmtree(folders.there)
    code, result = folders.attempt()
    assert code == 1
    assert str(folders.there) in result["why"]
    # Where nothing was made yet, there is nothing to bring home.
    assert not folders.sync(direction="down")["changed"]
    shutil.rmtree(folders.here)
    code, result = folders.attempt()
    assert code == 1
    assert "lab_folder" in result["do"]


def test_a_machine_without_rsync_is_told_with_who_installs_it(far):
    (far.there / "a").write_text("work")
    far.machine.stop()
    shell = far.machine.home / "shell"
    words = 'case $SSH_ORIGINAL_COMMAND in rsync*) exec rsync-is-not-here;; *) eval "$SSH_ORIGINAL_COMMAND";; esac'
    shell.write_text(words.replace("rsync-is-not-here", "sh -c 'PATH=/nowhere; rsync'"))
    far.machine.start(None, "-o", f"ForceCommand=sh {shell}")
    code, result = far.attempt()
    assert code == 1
    assert "rsync is not installed there" in result["why"]


def test_a_folder_that_may_be_made_is_made_when_there_is_something_to_put_into_it(folders):
    wanted = folders.here / "of" / "its own"
    folders.sync(folder=str(wanted), create=True, direction="down")
    assert not wanted.exists()
    (folders.there / "a").write_text("work")
    folders.sync(folder=str(wanted), create=True, direction="down")
    assert tree(wanted) == {"a": "work"}


@pytest.mark.parametrize("says", ["openrsync: protocol version 29", "rsync  version 2.6.9  protocol version 29"])
def test_an_rsync_that_is_too_old_is_told_with_how_to_get_another(folders, program, says):
    program("rsync", f"echo '{says}'")
    code, result = folders.attempt()
    assert code == 1
    assert "brew install rsync" in result["do"]
