# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from loopback import await_that

from ansible_collections.desi.lab.plugins.module_utils._sync.run import Memory, Spec
from ansible_collections.desi.lab.plugins.modules import directory_sync

pytestmark = pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync on this computer")


class Folders:
    """A folder here and one on a machine, which is a real SSH server on loopback."""

    def __init__(self, machine, capsys, home: Path) -> None:
        self.machine, self.capsys = machine, capsys
        # Names with spaces are names, too.
        self.here, self.there = home / "my work", home / "there"
        self.here.mkdir()
        self.there.mkdir()
        self.memory = home / "sync.json"

    def attempt(self, **more):
        arguments = {
            "folder": str(self.here),
            "config": str(self.machine.config),
            "host": self.machine.host,
            "remote": str(self.there),
            "memory": str(self.memory),
            "here": "laptop",
            **more,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            directory_sync.main()
        return caught.value.code, json.loads(self.capsys.readouterr().out)

    def sync(self, **more):
        code, result = self.attempt(**more)
        assert code == 0, result
        return result


@pytest.fixture
def folders(machine, capsys, tmp_path):
    machine.start()
    return Folders(machine, capsys, tmp_path)


def tree(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in found
    }


@pytest.mark.parametrize("name", ["my files", "100%n"])
def test_files_go_both_ways_whatever_the_temporary_directory_is_called(folders, monkeypatch, name):
    (folders.here / "a").write_text("up")
    (folders.there / "b").write_text("down")
    # A short one: that of the test is too long for a socket.
    with tempfile.TemporaryDirectory(prefix=name, dir="/tmp") as temporary:
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        folders.sync()
        monkeypatch.undo()
    assert tree(folders.here) == tree(folders.there) == {"a": "up", "b": "down"}


def test_new_files_go_both_ways_whatever_they_are_called(folders):
    (folders.here / "a folder").mkdir()
    (folders.here / "a folder" / "odd\nname*?'\"").write_text("up")
    (folders.there / "sub").mkdir()
    (folders.there / "sub" / "\N{GREEK SMALL LETTER ALPHA}.ipynb").write_text("down")
    (folders.there / "link").symlink_to("sub")
    result = folders.sync()
    assert result["changed"]
    assert tree(folders.here) == tree(folders.there)
    assert len(tree(folders.here)) == 3
    assert "2 files brought" in result["how"]
    assert "1 file sent" in result["how"]


def test_a_second_run_has_nothing_to_do_and_nothing_is_left_behind(folders):
    (folders.here / "a").write_text("1")
    script = folders.there / "script"
    script.write_text("#!/bin/sh")
    script.chmod(0o755)
    os.utime(script, (10**9, 10**9))
    odd = os.fsencode(folders.there) + b"/\xff\xfe"
    Path(os.fsdecode(odd)).write_text("bytes")
    folders.sync()
    # It logs in once, and leaves no connection.
    assert (folders.machine.home / "sshd.log").read_text().count("Accepted publickey") == 1
    await_that(lambda: not folders.machine.sessions())
    assert Path(os.fsdecode(os.fsencode(folders.here) + b"/\xff\xfe")).read_text() == "bytes"
    assert (folders.here / "script").stat().st_mtime == 10**9
    assert (folders.here / "script").stat().st_mode & 0o111
    result = folders.sync()
    assert (result["changed"], result["how"]) == (False, "nothing to do")
    assert not list(folders.here.glob(".desi*")) + list(folders.there.glob(".desi*"))


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


def test_a_machine_that_does_not_answer_is_told_in_three_sentences(folders):
    folders.machine.stop()
    code, result = folders.attempt()
    assert code == 1
    assert folders.machine.host in result["what"]
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


def test_a_machine_without_rsync_is_told_with_who_installs_it(folders):
    (folders.there / "a").write_text("work")
    folders.machine.stop()
    shell = folders.machine.home / "shell"
    words = 'case $SSH_ORIGINAL_COMMAND in rsync*) exec rsync-is-not-here;; *) eval "$SSH_ORIGINAL_COMMAND";; esac'
    shell.write_text(words.replace("rsync-is-not-here", "sh -c 'PATH=/nowhere; rsync'"))
    folders.machine.start(None, "-o", f"ForceCommand=sh {shell}")
    code, result = folders.attempt()
    assert code == 1
    assert "rsync is not installed there" in result["why"]


def test_a_folder_that_may_be_made_is_made_when_there_is_something_to_put_into_it(folders):
    wanted = folders.here / "of" / "its own"
    folders.sync(folder=str(wanted), create=True, direction="down")
    assert not wanted.exists()
    (folders.there / "a").write_text("work")
    folders.sync(folder=str(wanted), create=True, direction="down")
    assert tree(wanted) == {"a": "work"}


@pytest.mark.parametrize("says", ["openrsync: protocol version 29", "rsync  version 2.6.9  protocol version 29", ""])
def test_an_rsync_that_is_too_old_is_told_with_how_to_get_another(folders, monkeypatch, tmp_path, says):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "rsync").write_text(f"#!/bin/sh\necho '{says}'\n")
    (tools / "rsync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    code, result = folders.attempt()
    assert code == 1
    assert "brew install rsync" in result["do"]
