# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import threading
from pathlib import Path

import pytest
from desi_lab import bucket, environment, home, person, releases, start, words
from desi_lab.errors import NO_DATA, RELEASE_MISSING, StartError

EDR = releases.Release("edr", "fuji", True)
DR2 = releases.Release("dr2", "loa", False)


@pytest.fixture
def container(tmp_path, monkeypatch, bucket_like):
    """Everything that the entry point touches, moved below a temporary folder; gives the environment."""
    for name in ("state", "nersc", "home", "synced", "extrausers"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(start, "STATE", tmp_path / "state")
    monkeypatch.setattr(environment, "NERSC", tmp_path / "nersc")
    monkeypatch.setattr(start.person, "may_become", lambda _uid: False)
    share = tmp_path / "share"
    (share / ".jupyter" / "lab").mkdir(parents=True)
    (share / "welcome.ipynb").write_text('{"cells": []}')
    (share / ".jupyter" / "lab" / "layout").write_text("{}")
    populate_home = home.populate_home
    monkeypatch.setattr(start.home, "populate_home", lambda *given: populate_home(*given, share))
    return {"HOME": str(tmp_path / "home"), "DESI_DATA": str(bucket_like), "SYNCED": str(tmp_path / "synced")}


def test_a_start_sets_up_surroundings_and_home_for_the_lab(container, tmp_path, bucket_like, capsys):
    surroundings = dict(container)
    assert start.prepare(surroundings, ["python", "fit.py"]) == ["python", "fit.py"]
    assert surroundings["DESI_ROOT"] == f"{bucket_like}/edr"
    assert start.prepare({**container, "JUPYTER_TOKEN": "s3cr3t"}, []) == ["jupyter", "lab"]
    written = {file.name: file.read_text() for file in (tmp_path / "state").iterdir()}
    lines = written["environment.sh"].splitlines()
    assert f"export DESI_ROOT={bucket_like}/edr" in lines
    assert any(line.startswith("export USER=") for line in lines)
    assert "s3cr3t" not in str(written)
    place = tmp_path / "home"
    assert (place / "welcome.ipynb").read_text() == '{"cells": []}'
    assert (place / ".jupyter" / "lab" / "layout").exists()
    assert (place / "desidata").readlink() == bucket_like
    assert (place / "synced").readlink() == tmp_path / "synced"
    assert (place / "scratch").is_dir()
    assert "SYNTHETIC" not in capsys.readouterr().out


def test_synthetic_data_and_a_folder_that_cannot_be_written_are_announced(container, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(start.home, "writable", lambda _place: False)
    start.prepare({**container, "DESI_LAB_SYNTHETIC": "1"}, [])
    said = capsys.readouterr().out
    assert "SYNTHETIC" in said
    assert "cannot be written" in said
    assert "SYNTHETIC" in (tmp_path / "state" / "greeting").read_text()
    assert "SYNTHETIC" in (tmp_path / "home" / "welcome.ipynb").read_text()


@pytest.mark.parametrize(
    ("where", "writable", "leads_to"),
    [("home", True, "synced"), ("home", False, "home"), ("elsewhere", True, "elsewhere")],
    ids=["kept", "read-only", "a folder of ones own"],
)
def test_terminals_open_in_the_folder_that_is_kept(container, tmp_path, monkeypatch, where, writable, leads_to):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / where)
    monkeypatch.setattr(start.home, "writable", lambda _place: writable)
    start.prepare(container, [])
    assert Path.cwd() == tmp_path / leads_to


def test_a_restart_keeps_the_token_which_is_nobody_elses(container, tmp_path, monkeypatch):
    mounted = tmp_path / "mountinfo"
    monkeypatch.setattr(start, "MOUNTINFO", mounted)
    mounted.write_text(f"1 2 8:1 /docker/containers/{'a' * 64}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n")
    start.prepare(container, [])
    token = (tmp_path / "state/token").read_text()
    assert (len(token), (tmp_path / "state/token").stat().st_mode & 0o777) == (48, 0o600)
    start.prepare(container, [])
    assert (tmp_path / "state/token").read_text() == token
    # A container of an image that was made of this one.
    mounted.write_text(mounted.read_text().replace("a" * 64, "b" * 64))
    start.prepare(container, [])
    assert (tmp_path / "state/token").read_text() != token
    # Where nobody can tell, none is kept.
    mounted.write_text("")
    start.prepare(container, [])
    assert not (tmp_path / "state/token").exists()


def test_a_restart_leaves_what_the_person_changed(container, tmp_path):
    start.prepare(dict(container), [])
    (tmp_path / "home" / "welcome.ipynb").write_text('{"mine": true}')
    start.prepare(dict(container), [])
    assert (tmp_path / "home" / "welcome.ipynb").read_text() == '{"mine": true}'


def test_an_empty_data_folder_is_filled_by_a_mount_before_root_steps_down(container, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    seen = []
    monkeypatch.setattr(start.person, "may_become", lambda uid: seen.append(("step down", uid)) or True)

    def mount(_env, place):
        seen.append(("mount", place))
        return bucket.Bucket.from_environment({})

    monkeypatch.setattr(start.bucket, "mount", mount)
    command = start.prepare({**container, "DESI_DATA": str(empty), "NB_UID": "4711", "NB_GID": "4712"}, [])
    assert seen == [("mount", empty), ("step down", 4711)]
    # Data that are there are never mounted over.
    start.prepare({**container, "NB_UID": "4711"}, [])
    assert seen[2:] == [("step down", 4711)]
    assert command[:5] == ["setpriv", "--reuid", "4711", "--regid", "4712"]


def test_no_data_and_no_right_to_mount_ends_the_start_unless_that_is_let_pass(container, tmp_path, monkeypatch):
    monkeypatch.setattr(person, "has_capabilities", lambda *_bits: False)
    env = {**container, "DESI_DATA": str(tmp_path / "nowhere")}
    with pytest.raises(StartError) as caught:
        start.prepare(dict(env), [])
    assert caught.value.code == NO_DATA
    assert start.prepare({**env, "DESI_LAB_ALLOW_MISSING": "1"}, []) == ["jupyter", "lab"]


def test_a_data_folder_that_cannot_be_looked_at_is_explained(tmp_path):
    with pytest.raises(StartError, match="cannot be read") as caught:
        start.is_empty(_Unreadable(tmp_path))
    assert "Transport endpoint" in caught.value.why


class _Unreadable(type(Path())):
    def iterdir(self):
        raise OSError(107, "Transport endpoint is not connected")


def test_a_missing_release_is_told_with_what_is_there(bucket_like):
    with pytest.raises(StartError) as caught:
        start.await_release(DR2, bucket_like / "dr2", bucket_like)
    assert caught.value.code == RELEASE_MISSING
    assert "dr1, edr, raw_spectro_data, target" in caught.value.why
    assert "not public yet" in caught.value.why


def test_the_inside_of_a_release_in_place_of_its_parent_is_recognized(bucket_like):
    inside = bucket_like / "edr"
    with pytest.raises(StartError) as caught:
        start.await_release(EDR, inside / "edr", inside)
    assert "inside of one release" in caught.value.do


def test_a_link_into_a_mount_that_comes_late_is_waited_for_and_given_up_when_it_never_comes(tmp_path):
    (tmp_path / "edr").symlink_to(tmp_path / ".bucket" / "edr")
    with pytest.raises(StartError, match="missing") as caught:
        start.await_release(EDR, tmp_path / "edr", tmp_path, seconds=0.1)
    assert ".bucket/edr" in caught.value.why
    timer = threading.Timer(0.3, os.makedirs, [tmp_path / ".bucket" / "edr"])
    timer.start()
    start.await_release(EDR, tmp_path / "edr", tmp_path, seconds=30)
    timer.join()


def test_an_error_ends_in_its_exit_code_and_three_plain_lines(monkeypatch, capsys):
    monkeypatch.setenv("DESI_RELEASE", "dr9")
    assert start.main([]) == 2
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["DESI", "What", "Why", "Do"]


def test_a_command_that_does_not_exist_and_a_disk_that_cannot_be_written_are_explained(monkeypatch, capsys):
    monkeypatch.setattr(start, "prepare", lambda _env, argv: list(argv))
    assert start.main(["no-such-command"]) == 127
    assert "no-such-command cannot be run" in capsys.readouterr().err

    def fail(_env, _argv):
        raise OSError(30, "Read-only file system", "/var/lib/desi-lab/environment.sh")

    monkeypatch.setattr(start, "prepare", fail)
    assert start.main([]) == 1
    said = capsys.readouterr().err
    assert "/var/lib/desi-lab/environment.sh" in said
    assert "Read-only file system" in said


def test_the_greeting_says_where_data_and_files_are():
    variables = {"DESI_RELEASE": "edr", "SPECPROD": "fuji", "DESI_ROOT": "/d/edr", "SYNCED": "/home/synced"}
    assert all(word in words.greeting(variables, False) for word in ("edr", "fuji", "/d/edr", "/home/synced"))
