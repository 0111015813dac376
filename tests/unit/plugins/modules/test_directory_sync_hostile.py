# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that lies, and a lab that lays links: a sync touches nothing outside of its folders."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.modules import directory_sync

pytestmark = pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync on this computer")

# Answers the questions of a sync by a file of its own, and lets the real rsync serve what lies on the machine.
SSH = """#!{python}
import json, os, sys
words = sys.argv[sys.argv.index("rsync"):] if "rsync" in sys.argv else []
os.environ["HOME"] = {home!r}
os.chdir({home!r})
if words:
    os.execvp("rsync", words)
text = sys.stdin.buffer.read()
asked = next(each for each in ("settle", "prepare", "digests", "list") if b'"do": "%s"' % each.encode() in text)
said = json.load(open({answers!r}))
if asked == "prepare":
    # Where copies lie is read out of the question, as our own program does.
    ident = json.loads(text[text.rindex(b'{{"do": "prepare"'):])["id"]
    place = os.path.join({home!r}, ".local/state/desi-lab/sync", ident)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.lexists(place):
        os.symlink({remote!r}, place)
sys.stdout.write(json.dumps(said[asked]) if not isinstance(said[asked], str) else said[asked])
"""


class Hostile:
    """A folder here, what is around it, and a machine that answers whatever it was told to."""

    def __init__(self, top: Path, call) -> None:
        self.top, self.call = top, call
        self.home = top / "home"
        self.folder = self.home / "desi-labs" / "desi"
        self.folder.mkdir(parents=True)
        (self.home / ".ssh").mkdir()
        (self.home / ".ssh" / "authorized_keys").write_text("my own key")
        self.remote = top / "machine" / "deep" / "down" / "synced"
        (self.remote / "out").mkdir(parents=True)

    def say(self, files, lines=(), **more) -> None:
        """Let the machine lie; until then its programs are our own, and what is laid in its folder is what attacks."""
        places = {"home": self.top / "machine", "answers": self.top / "answers.json", "remote": self.remote}
        text = SSH.format(python=sys.executable, **{name: str(path) for name, path in places.items()})
        (self.top / "bin/ssh").write_text(text)
        listing = {"lines": list(lines), "files": files, "old": False}
        answers = {"list": listing, "prepare": {"missing": []}, "digests": {"digests": {}}}
        places["answers"].write_text(json.dumps({**answers, "settle": {"entries": {}, "changed": []}, **more}))

    def sync(self, **more):
        given = {"folder": self.folder, "remote": self.remote, "memory": self.top / "memory" / "sync.json"}
        words = {"config": "/dev/null", "host": "desi-test", "direction": "down", **more}
        return self.call(directory_sync, **{name: str(path) for name, path in given.items()}, **words)

    def around(self) -> dict[str, str]:
        """Return what there is outside of the folder, of whoever syncs."""
        found = {}
        for path in self.home.rglob("*"):
            inside = path.is_relative_to(self.folder) or path.is_relative_to(self.home / ".local")
            if not inside and not path.is_dir():
                found[str(path.relative_to(self.home))] = path.read_text()
        return found


@pytest.fixture
def hostile(tmp_path, monkeypatch, call, ssh_here):
    made = Hostile(tmp_path, call)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return made


def entry(path: Path) -> list:
    about = path.lstat()
    return ["file", about.st_size, about.st_mtime_ns, ""]


@pytest.mark.security("C2")
def test_a_listing_with_names_that_lead_up_brings_nothing_above_the_folder(hostile):
    # The first lies in the folder; each of the others is where the one before it was put.
    trap = hostile.remote / ".bash_profile"
    trap.write_text("touch /tmp/owned")
    for name, above in (("a", 1), ("b", 2)):
        (hostile.remote / name).mkdir()
        (hostile.remote / name / "x").write_text("a folder to go up from")
        (hostile.remote / ("../" * above) / ".bash_profile").write_text(trap.read_text())
    about = entry(trap)
    names = (".bash_profile", "a/../../.bash_profile", "a/x", "b/../../../.bash_profile", "b/x")
    hostile.say(dict.fromkeys(names, about))
    before = hostile.around()
    hostile.sync()
    assert hostile.around() == before


@pytest.mark.security("C2", "L13")
def test_an_answer_that_is_refused_names_the_machine_and_brings_nothing(hostile):
    good = hostile.remote / "out" / "good"
    good.write_text("work")
    hostile.say({"good": entry(good), "../x": entry(good)})
    code, result = hostile.sync()
    assert (code, "desi-test" in result["what"], result["why"].isprintable()) == (1, True, True)
    assert not list(hostile.folder.iterdir())
    hostile.say({}, list=json.dumps({"error": "no room\x1b[2J\x9b on the disk"}))
    code, result = hostile.sync()
    assert (code, "no room" in result["why"], result["why"].isprintable()) == (1, True, True)


@pytest.mark.security("C2")
def test_a_machine_that_tells_of_files_that_nobody_asked_for_is_not_believed(hostile):
    (hostile.remote / "out" / "a").write_text("work")
    told = {"entries": {}, "changed": ["../../x"]}
    hostile.say({"a": entry(hostile.remote / "out" / "a")}, settle=told)
    code, result = hostile.sync()
    assert code == 1
    assert "desi-test" in result["what"]
    # It is looked at again the next time.
    assert not (hostile.top / "memory" / "sync.json").exists()


@pytest.mark.security("H5")
def test_links_where_copies_were_staged_lead_nothing_into_another_folder_on_either_side(hostile):
    ssh = hostile.top / "machine" / ".ssh"
    ssh.mkdir()
    (ssh / "authorized_keys").write_text("the owner's key")
    (hostile.folder / ".desi-lab-sync").symlink_to(hostile.home / ".ssh")
    (hostile.remote / ".desi-lab-sync").symlink_to(ssh)
    (hostile.folder / "authorized_keys").write_text("another key")
    (hostile.remote / "a").write_text("work")
    before = hostile.around()
    hostile.sync(direction="both")
    assert hostile.around() == before
    assert (hostile.folder / ".desi-lab-sync").is_symlink()
    assert (hostile.folder / "a").read_text() == "work"
    assert (ssh / "authorized_keys").read_text() == "the owner's key"
    assert (hostile.remote / "authorized_keys").read_text() == "another key"


@pytest.mark.security("C2", "H5")
def test_a_link_that_is_sent_in_place_of_a_folder_leads_no_file_elsewhere(hostile):
    # It is listed as a folder with a file in it, and there is a link where the file is read.
    (hostile.remote / "sub").mkdir()
    (hostile.remote / "sub" / "authorized_keys").write_text("another key")
    about = entry(hostile.remote / "sub" / "authorized_keys")
    (hostile.remote / "out" / "sub").symlink_to(hostile.home / ".ssh")
    hostile.say({"sub/authorized_keys": about})
    before = hostile.around()
    hostile.sync()
    # Then the link comes first, and the file the next time.
    (hostile.remote / "out" / "sub").unlink()
    shutil.copytree(hostile.remote / "sub", hostile.remote / "out" / "sub")
    hostile.say({"sub": ["link", 0, about[2], str(hostile.home / ".ssh")]})
    hostile.sync()
    hostile.say({"sub/authorized_keys": about})
    hostile.sync()
    assert hostile.around() == before


@pytest.mark.security("H5")
def test_links_are_made_anew_and_never_copied(hostile):
    (hostile.remote / "link").symlink_to("../../../.ssh")
    os.utime(hostile.remote / "link", (10**9, 10**9), follow_symlinks=False)
    (hostile.folder / "mine").symlink_to("nowhere")
    code, result = hostile.sync(direction="both")
    assert (code, result["brought"], result["sent"]) == (0, ["link"], ["mine"])
    assert str((hostile.folder / "link").readlink()) == "../../../.ssh"
    assert (hostile.folder / "link").lstat().st_mtime == 10**9
    assert str((hostile.remote / "mine").readlink()) == "nowhere"
    assert not hostile.sync(direction="both")[1]["changed"]


@pytest.mark.security("H5")
def test_what_an_earlier_version_left_in_the_folder_stays_and_is_told(hostile):
    (hostile.folder / ".desi-lab-sync").mkdir()
    (hostile.folder / ".desi-lab-sync" / "a").write_text("came, and was not put in place")
    (hostile.remote / "b").write_text("work")
    code, result = hostile.sync(direction="both")
    assert (code, result["old_copies"]) == (0, ["here"])
    assert (hostile.folder / ".desi-lab-sync" / "a").read_text() == "came, and was not put in place"
    assert not (hostile.remote / ".desi-lab-sync").exists()


@pytest.mark.security("H5")
def test_a_folder_on_another_file_system_is_synced_by_copies_beside_it_that_are_ours_alone(hostile, tmp_path):
    shm = Path("/dev/shm")  # noqa: S108 - a file system that nothing is kept in
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    other = shm / f"desi-lab-test-{os.getpid()}"
    try:
        hostile.folder = other / "desi"
        hostile.folder.mkdir(parents=True)
        (hostile.remote / "a").write_text("work")
        (hostile.folder / "b").write_text("mine")
        assert hostile.sync(direction="both")[0] == 0
        assert (hostile.folder / "a").read_text() == "work"
        assert (hostile.remote / "b").read_text() == "mine"
        assert [each.name for each in other.iterdir()] == ["desi"]
    finally:
        shutil.rmtree(other)


def test_copies_of_a_sync_that_was_given_up_do_not_stay_for_ever(hostile):
    (hostile.remote / "a").write_text("work")
    places = [top / ".local/state/desi-lab/sync" for top in (hostile.home, hostile.top / "machine")]
    for place in places:
        for name, age in (("new", 86_400), ("old", 8 * 86_400)):
            (place / name / "in").mkdir(parents=True)
            os.utime(place / name, (time.time() - age,) * 2)
        place.chmod(0o700)
    assert hostile.sync()[0] == 0
    assert [[each.name for each in place.iterdir()] for place in places] == [["new"], ["new"]]


@pytest.mark.security("M11")
def test_modes_that_come_and_go_give_nobody_any_rights(hostile):
    for folder in (hostile.remote, hostile.folder):
        name = "there" if folder == hostile.remote else "here"
        (folder / f"sub-{name}").mkdir()
        (folder / f"sub-{name}" / name).write_text("#!/bin/sh")
        (folder / f"sub-{name}").chmod(0o2777)
        (folder / f"sub-{name}" / name).chmod(0o6777)
    os.mkfifo(hostile.remote / "pipe")
    assert hostile.sync(direction="both")[0] == 0
    for path in (hostile.folder / "sub-there", hostile.remote / "sub-here"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o7022 == 0
        for file in path.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o755
    assert not (hostile.folder / "pipe").exists()


@pytest.mark.security("L13")
def test_patterns_of_a_machine_take_no_longer_than_others(hostile):
    name = "/".join("a" * 40)
    (hostile.folder / name).mkdir(parents=True)
    (hostile.folder / name / "x").write_text("deep")
    hostile.say({}, lines=["**/a/" * 100 + "b", "*a" * 500 + "b", "a" * 990 + "*" * 24 + "b"])
    assert hostile.sync()[0] == 0


@pytest.mark.security("H5")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root does it for somebody else")
def test_root_syncs_with_the_rights_of_the_person_alone(hostile, open_to_others):
    # The person lays a link in place of the folder: root's own files are neither read nor written through it.
    secret = open_to_others / "roots"
    secret.mkdir(mode=0o700)
    (secret / "key").write_text("root's")
    for path in (hostile.home, hostile.folder.parent, hostile.folder):
        os.chown(path, 65534, 65534)
    shutil.rmtree(hostile.folder)
    hostile.folder.symlink_to(secret)
    (hostile.remote / "a").write_text("work")
    code, _result = hostile.sync(direction="both", uid=65534, gid=65534)
    assert code == 1
    assert [each.name for each in secret.iterdir()] == ["key"]
    assert not (hostile.remote / "key").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root does it for somebody else")
def test_what_root_syncs_for_a_person_belongs_to_them(hostile, open_to_others):
    for path in (hostile.home, hostile.folder.parent, hostile.folder):
        os.chown(path, 65534, 65534)
    (hostile.remote / "sub").mkdir()
    (hostile.remote / "sub" / "a").write_text("work")
    code, result = hostile.sync(direction="both", uid=65534, gid=65534)
    assert code == 0, result
    for path in (hostile.folder / "sub", hostile.folder / "sub" / "a"):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)
