# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.desi.lab.plugins.modules import text_files


@pytest.fixture
def run(capsys):
    def run_module(files, **arguments):
        given = {"files": {str(path): content for path, content in files.items()}, **arguments}
        with patch_module_args(given), pytest.raises(SystemExit) as caught:
            text_files.main()
        return caught.value.code, json.loads(capsys.readouterr().out)

    return run_module


def test_files_are_written_with_their_folders_and_a_second_run_changes_nothing(run, tmp_path):
    files = {tmp_path / "a/b/one.py": "one\n", tmp_path / "two.json": "größe"}
    code, result = run(files)
    assert (code, result["changed"]) == (0, True)
    assert result["written"] == [str(path) for path in files]
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
    assert result["written"] == [str(tmp_path / "two")]
    assert [(each["before"], each["after"]) for each in result["diff"]] == [("2", "3")]
    assert (tmp_path / "one").stat().st_ino == kept


def test_a_mode_that_differs_is_put_right(run, tmp_path):
    (tmp_path / "one").write_text("1")
    (tmp_path / "one").chmod(0o666)
    assert run({tmp_path / "one": "1"}, mode="0600")[1]["changed"] is True
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    assert run({tmp_path / "one": "1"}, mode="0600")[1]["changed"] is False


def test_a_link_is_replaced_and_what_it_leads_to_is_left(run, tmp_path):
    (tmp_path / "other").write_text("1")
    (tmp_path / "other").chmod(0o644)
    (tmp_path / "one").symlink_to("other")
    assert run({tmp_path / "one": "1"})[1]["changed"] is True
    assert not (tmp_path / "one").is_symlink()
    assert (tmp_path / "other").read_text() == "1"


def test_check_mode_tells_what_would_be_written_and_writes_nothing(run, tmp_path):
    _code, result = run({tmp_path / "a/one": "1"}, _ansible_check_mode=True)
    assert (result["changed"], result["written"]) == (True, [str(tmp_path / "a/one")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["", "rw", "-1", "1777", "0x1"])
def test_a_mode_that_is_none_is_refused(run, tmp_path, mode):
    code, result = run({tmp_path / "one": "1"}, mode=mode)
    assert code == 1
    assert result["what"] and result["why"] and result["do"]
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_not_absolute_is_refused(run):
    code, result = run({"one": "1"})
    assert (code, result["why"]) == (1, "It is not an absolute path.")


def test_a_place_where_no_file_can_be_is_told(run, tmp_path):
    (tmp_path / "file").write_text("")
    code, result = run({tmp_path / "file/one": "1"})
    assert code == 1
    assert str(tmp_path / "file") in result["what"]
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay what others own")
@pytest.mark.security("M1")
@pytest.mark.parametrize("which", ["folder", "above", "link"])
def test_root_writes_nothing_where_somebody_else_may_write(run, tmp_path, which):
    folder = tmp_path / "home" / "lib"
    folder.mkdir(parents=True)
    if which == "link":
        (tmp_path / "link").symlink_to(folder)
        os.lchown(tmp_path / "link", 65534, 65534)
    else:
        os.chown(folder if which == "folder" else folder.parent, 65534, 65534)
    code, result = run({(tmp_path / "link" if which == "link" else folder) / "program": "x"})
    assert code == 1
    assert "not safe" in result["what"]
    assert list(folder.iterdir()) == []
