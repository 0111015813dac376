# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.run_log import KEPT, LONGEST, open_log, state_directory

TOKEN = "6f1c" * 12
NOBODY = "65534"


@pytest.mark.parametrize(
    ("environment", "uid", "folder"),
    [
        ({"HOME": "/home/ann"}, 1000, "/home/ann/.local/state/desi-lab"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/state"}, 1000, "/state/desi-lab"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "relative"}, 1000, "/home/ann/.local/state/desi-lab"),
        ({"HOME": "/root", "XDG_STATE_HOME": "/state", "SUDO_UID": "0"}, 0, "/state/desi-lab"),
        ({"HOME": "/home/ann", "SUDO_UID": "0"}, 1000, "/home/ann/.local/state/desi-lab"),
        ({"HOME": "/root", "SUDO_UID": "4294967294"}, 0, None),
        ({"HOME": ""}, 1000, None),
    ],
)
def test_logs_are_the_persons_who_works_here(environment, uid, folder):
    assert state_directory(environment, uid) == (Path(folder) if folder else None)


def test_log_is_the_persons_alone_and_holds_no_secret(tmp_path):
    log = open_log({"HOME": str(tmp_path), "AWS_SECRET_ACCESS_KEY": "sesame"}, "local")
    log.write(f"opened http://127.0.0.1:8888/lab?token={TOKEN}\nwith sesame and {TOKEN}")
    log.close()
    text = log.path.read_text()
    assert TOKEN not in text
    assert "sesame" not in text
    assert "opened http://127.0.0.1:8888/lab?token=<hidden>\n" in text
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.security("M7")
def test_a_secret_that_was_typed_is_in_no_log(tmp_path):
    words = ["-e", "ansible_become_pass='hunter 2xyz'", "-e", "smtp_passphrase=it's&more"]
    log = open_log({"HOME": str(tmp_path)}, "local", words)
    log.write(f"it ran {shlex.join(words)}\nsudo: hunter 2xyz")
    log.close()
    text = log.path.read_text()
    assert not [each for each in ("hunter", "2xyz", "it's", "more") if each in text]
    assert text.count("<hidden>") == 3


@pytest.mark.parametrize("year", ["2001", "2999"])
def test_so_many_logs_are_kept_and_the_oldest_go(tmp_path, year):
    folder = tmp_path / ".local/state/desi-lab"
    folder.mkdir(parents=True)
    for number in range(KEPT + 5):
        (folder / f"{year}-01-01-0000{number:02d}-local-1.log").write_text("")
    (folder / "mine.txt").write_text("kept")
    log = open_log({"HOME": str(tmp_path)}, "local")
    assert len(list(folder.glob("*.log"))) == KEPT
    assert log.path.exists()
    assert not (folder / f"{year}-01-01-000000-local-1.log").exists()
    assert (folder / "mine.txt").exists()


def test_long_text_is_cut_and_a_run_without_a_place_for_its_log_goes_on(tmp_path):
    log = open_log({"HOME": str(tmp_path)}, "local")
    log.write("x" * (LONGEST + 7))
    assert "and 7 letters more" in log.path.read_text()
    (tmp_path / "file").write_text("")
    log = open_log({"HOME": str(tmp_path / "file")}, "local")
    log.write("unheard")
    log.close()
    assert log.path is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for somebody else")
def test_root_writes_nothing_where_the_caller_of_sudo_may_not(tmp_path, monkeypatch):
    person = type("Entry", (), {"pw_dir": str(tmp_path / "home"), "pw_name": "nobody"})
    monkeypatch.setattr("pwd.getpwuid", lambda _uid: person)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", int(NOBODY), int(NOBODY))
    (tmp_path / "roots").mkdir(mode=0o755)
    caller = {"SUDO_UID": NOBODY, "SUDO_GID": NOBODY, "HOME": "/root"}
    log = open_log(caller, "local")
    assert log.path.stat().st_uid == int(NOBODY)
    log.close()
    # A trap: the state folder leads to a place where the person may not write.
    for path in (tmp_path / "home/.local/state/desi-lab").iterdir():
        path.unlink()
    (tmp_path / "home/.local/state/desi-lab").rmdir()
    (tmp_path / "home/.local/state/desi-lab").symlink_to(tmp_path / "roots")
    assert open_log(caller, "local").path is None
    assert list((tmp_path / "roots").iterdir()) == []
    assert os.geteuid() == 0
