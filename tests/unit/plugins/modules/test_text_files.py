# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import json
import os

import pytest

from ansible_collections.desi.lab.plugins.modules import text_files


@pytest.fixture
def run(call):
    return lambda files, **more: call(text_files, files={str(path): text for path, text in files.items()}, **more)


def test_files_are_written_with_their_directories_and_a_second_run_changes_nothing(run, tmp_path):
    files = {tmp_path / "a/b/one.py": "one\n", tmp_path / "two.json": "größe"}
    code, dry = run(files, _ansible_check_mode=True)
    assert (code, dry["written"], list(tmp_path.iterdir())) == (0, [str(path) for path in files], [])
    code, result = run(files)
    assert (code, result["changed"], result["written"]) == (0, True, dry["written"])
    assert {path: path.read_text() for path in files} == files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o755
    assert run(files)[1]["changed"] is False
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "two.json"]


def test_only_what_differs_is_written_and_shown(run, tmp_path):
    files = {tmp_path / "one": "1", tmp_path / "two": "2"}
    run(files)
    kept = (tmp_path / "one").stat().st_ino
    _code, result = run({**files, tmp_path / "two": "3"})
    assert [(each["before"], each["after"]) for each in result["diff"]] == [("2", "3")]
    assert (tmp_path / "one").stat().st_ino == kept
    assert run(files, mode="0600")[1]["written"] == [str(path) for path in files]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@pytest.mark.parametrize(
    ("there", "after"),
    [
        (None, {"a": 1, "b": 2}),
        ('{"a": 3, "c": 4}', {"a": 3, "b": 2}),
        ("[1]", {"a": 1, "b": 2}),
        ("no JSON", {"a": 1, "b": 2}),
    ],
)
def test_values_that_are_kept_stay_where_there_are_some(run, tmp_path, there, after):
    file = tmp_path / "one.json"
    if there is not None:
        file.write_text(there)
    given = {"files": {file: '{"a": 1, "b": 2}'}, "kept": {str(file): ["a"]}}
    _code, result = run(**given)
    assert (result["changed"], json.loads(file.read_text())) == (True, after)
    assert result["kept"] == ([str(file)] if there and '"a"' in there else [])
    assert run(**given)[1]["changed"] is False


@pytest.mark.parametrize(("path", "words"), [("one", "not the absolute path"), ("{}/file/one", "{}/file")])
def test_a_place_where_no_file_can_be_is_refused(run, tmp_path, path, words):
    (tmp_path / "file").write_text("")
    code, result = run({path.format(tmp_path): "1"})
    assert code == 1
    assert words.format(tmp_path) in result["what"] + result["why"]
    assert (tmp_path / "file").read_text() == ""


def test_what_is_not_wanted_is_removed_with_what_is_in_it_and_no_link_is_followed(run, tmp_path):
    (tmp_path / "tree/below").mkdir(parents=True)
    (tmp_path / "tree/below/file").write_text("1")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("2")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    names = [str(tmp_path / name) for name in ("tree", "link", "absent", "no/folder/either")]
    _code, dry = run({}, absent=names, _ansible_check_mode=True)
    assert (dry["removed"], len(list(tmp_path.iterdir()))) == (names[:2], 3)
    code, result = run({}, absent=names)
    assert (code, result["changed"], result["removed"]) == (0, True, names[:2])
    assert [each["path"] for each in result["diff"]] == names[:2]
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["kept", "kept/file"]
    assert run({}, absent=names)[1]["changed"] is False


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "Make room"), (errno.EACCES, "as a user who may"), (errno.EROFS, "mounted"), (errno.EIO, "again")],
)
def test_what_the_disk_says_is_told_with_the_whole_path_and_what_helps(run, tmp_path, monkeypatch, number, words):
    def refuse(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    code, result = run({tmp_path / "one": "1"})
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert str(tmp_path / "one") in result["what"]
    assert os.strerror(number) in result["why"]
    assert words in result["do"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_is_written_for_a_person_stays_theirs(run, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65533)
    (folder / "old").write_text("1")
    os.chown(folder / "old", 65532, 65531)
    run({folder / "old": "2", folder / "new": "2"}, root_owned=False)
    owners = [(path.stat().st_uid, path.stat().st_gid) for path in (folder / "old", folder / "new")]
    assert owners == [(65532, 65531), (65534, 65533)]


@pytest.mark.parametrize("path", ["one", "/", "{}/one/.."])
def test_a_path_that_may_be_another_is_not_removed(run, tmp_path, path):
    (tmp_path / "one").mkdir()
    code, result = run({}, absent=[path.format(tmp_path)])
    assert code == 1
    assert "not the absolute path" in result["why"]
    assert (tmp_path / "one").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay what others own")
@pytest.mark.security("M1")
def test_root_writes_nothing_where_somebody_else_may_write(run, tmp_path):
    folder = tmp_path / "home" / "lib"
    folder.mkdir(parents=True)
    os.chown(folder.parent, 65534, 65534)
    code, result = run({folder / "program": "x"})
    assert code == 1
    assert "not safe" in result["what"]
    assert list(folder.iterdir()) == []
    code, _result = run({folder / "program": "x"}, root_owned=False)
    assert (code, (folder / "program").read_text()) == (0, "x")
    code, result = run({}, absent=[str(folder / "program")])
    assert (code, "not safe" in result["what"], (folder / "program").exists()) == (1, True, True)
