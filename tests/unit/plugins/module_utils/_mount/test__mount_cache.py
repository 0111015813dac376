# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache that root writes: its size, where it comes from, and its removal, attacked by whose home it was in."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount import cache as cache_of
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import make_spec

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay what others own")


@pytest.fixture
def home(tmp_path):
    """A person's home with a cache of 0.1.0, which root made in a folder of the person's."""
    made = tmp_path / "home"
    (made / ".cache").mkdir(parents=True)
    for folder in (made, made / ".cache"):
        os.chown(folder, NOBODY, NOBODY)
    old = made / ".cache/desi-lab/lab-1"
    (old / "vfs/desi/lab").mkdir(parents=True)
    old.chmod(0o700)
    (old / "vfs/desi/lab/a.fits").write_bytes(b"kept")
    return made


@pytest.fixture
def old(home):
    return home / ".cache/desi-lab/lab-1"


@pytest.fixture
def new(tmp_path):
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache" / "lab-1"


@pytest.mark.security("L9")
def test_cache_of_an_earlier_version_is_moved_and_nothing_of_roots_stays_in_the_home(home, old, new):
    inode = old.stat().st_ino
    assert cache_of.move_cache(str(old), str(new)) == ""
    cache_of.make_cache(str(new))
    assert new.stat().st_ino == inode
    assert (new / "vfs/desi/lab/a.fits").read_bytes() == b"kept"
    assert (new / cache_of.MARKER).exists()
    assert list((home / ".cache").iterdir()) == []


SPOILED = {
    "a person's": lambda old: os.chown(old, NOBODY, NOBODY),
    "a link": lambda old: (old.rename(old.with_name("real")), old.symlink_to("real")),
    "below a link": lambda old: (old.parent.rename(old.parent.with_name("real")), old.parent.symlink_to("real")),
    "open": lambda old: old.chmod(0o755),
    "something else": lambda old: (old / "thesis.tex").touch(),
}


@pytest.mark.security("M1")
@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_cache_that_may_not_be_roots_own_is_left_and_named(old, new, spoil):
    spoil(old)
    assert cache_of.move_cache(str(old), str(new)) == str(old)
    assert not os.path.lexists(new)
    assert (old / "vfs/desi/lab/a.fits").read_bytes() == b"kept"


def test_cache_in_another_file_system_is_left_and_named(old, new):
    subprocess.run(["mount", "-t", "tmpfs", "none", str(new.parent)], check=True)
    try:
        assert cache_of.move_cache(str(old), str(new)) == str(old)
    finally:
        subprocess.run(["umount", str(new.parent)], check=True)


@pytest.mark.security("M1")
def test_what_is_swapped_in_at_the_last_moment_goes_back_to_where_it_was(old, new, monkeypatch):
    victim = old.with_name("victim")
    victim.mkdir(0o700)
    rename, swapped = os.rename, []

    def racing(*arguments, **more):
        if not swapped:
            swapped.append(rename(old, old.with_name("aside")))
            rename(victim, old)
        return rename(*arguments, **more)

    monkeypatch.setattr(os, "rename", racing)
    assert cache_of.move_cache(str(old), str(new)) == str(old)
    assert not os.path.lexists(new)
    assert old.is_dir()


def test_cache_that_is_there_already_is_not_replaced_and_the_earlier_one_is_named(old, new):
    cache_of.make_cache(str(new))
    assert cache_of.move_cache(str(old), str(new)) == str(old)
    assert cache_of.move_cache("", str(new)) == ""
    assert cache_of.move_cache(str(old.with_name("none")), str(new)) == ""


@pytest.mark.security("M1")
@pytest.mark.parametrize("part", ["home", "cache", "link"])
def test_cache_is_not_made_where_somebody_else_may_write(tmp_path, part):
    folder = tmp_path / "home" / "cache"
    folder.mkdir(parents=True)
    if part == "link":
        (tmp_path / "link").symlink_to(folder)
        os.lchown(tmp_path / "link", NOBODY, NOBODY)
        folder = tmp_path / "link"
    else:
        os.chown(tmp_path / "home" if part == "home" else folder, NOBODY, NOBODY)
    with pytest.raises(LabError):
        cache_of.make_cache(str(folder / "lab-1"))
    assert list(folder.iterdir()) == []


@pytest.fixture
def caches(tmp_path):
    """Two caches of ours among what is somebody's."""
    root = tmp_path / "scratch"
    root.mkdir()
    for name in ("lab-1", "lab-2"):
        cache_of.make_cache(str(root / name))
        (root / name / "vfs").mkdir()
    (root / "thesis").mkdir()
    (root / "thesis/years.tex").touch()
    (root / "notes.txt").touch()
    return root


@pytest.mark.security("M2", "G1")
def test_purge_removes_what_is_marked_and_names_the_rest(caches):
    gone, left = cache_of.purge(str(caches), check_mode=True)
    assert (caches / "lab-1").exists()
    assert cache_of.purge(str(caches)) == (gone, left)
    assert gone == [str(caches / "lab-1"), str(caches / "lab-2")]
    assert left == [str(caches / "notes.txt"), str(caches / "thesis")]
    assert (caches / "thesis/years.tex").exists()
    assert cache_of.purge(str(caches)) == ([], left)
    assert cache_of.purge(str(caches / "none")) == ([], [])


@pytest.mark.security("M2", "G1")
def test_purge_takes_no_folder_of_a_person_and_never_the_top(home, caches):
    os.chown(caches, NOBODY, NOBODY)
    for path in (caches, home, home / ".cache/desi-lab"):
        before = sorted(path.rglob("*"))
        with pytest.raises(LabError):
            cache_of.purge(str(path))
        assert sorted(path.rglob("*")) == before
    gone, left = cache_of.purge("/", check_mode=True)
    assert gone == []
    assert "/usr" in left


@pytest.mark.security("M2")
@pytest.mark.parametrize("forged", ["mark of another", "directory of another", "link", "mark is a link"])
def test_forged_marks_do_nothing(caches, tmp_path, forged):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").touch()
    place = caches / "forged"
    if forged == "link":
        cache_of.make_cache(str(victim))
        place.symlink_to(victim)
    else:
        place.mkdir()
        (place / "precious").touch()
        mark = place / cache_of.MARKER
        if forged == "mark is a link":
            mark.symlink_to(caches / "lab-1" / cache_of.MARKER)
        else:
            mark.touch()
            os.chown(place if forged == "directory of another" else mark, NOBODY, NOBODY)
    gone, left = cache_of.purge(str(caches))
    assert str(place) not in gone
    assert str(place) in left
    assert (victim / "precious").exists()
    assert forged == "link" or (place / "precious").exists()


@pytest.mark.security("M2", "G1")
def test_a_mark_marks_no_other_place(caches, tmp_path):
    shutil.copytree(caches / "lab-1", caches / "copied")
    shutil.copy(caches / "lab-1" / cache_of.MARKER, caches / "thesis")
    (caches / "lab-2").rename(caches / "renamed")
    (caches / "lab-2").symlink_to("thesis")
    (tmp_path / "alias").symlink_to(caches)
    gone, left = cache_of.purge(str(tmp_path / "alias"))
    assert gone == [f"{tmp_path}/alias/lab-1"]
    assert {Path(path).name for path in left} == {"copied", "lab-2", "notes.txt", "renamed", "thesis"}
    assert (caches / "thesis/years.tex").exists()


@pytest.mark.security("M2", "G1")
def test_what_others_keep_in_a_cache_stays_and_is_named(caches):
    (caches / "lab-1/results").mkdir()
    (caches / "lab-1/.prefetched.json.0123456789abcdef").touch()
    (caches / "lab-1/prefetch.lock").touch()
    for _again in range(2):
        assert str(caches / "lab-1") in cache_of.purge(str(caches))[1]
        assert [entry.name for entry in (caches / "lab-1").iterdir()] == ["results"]
    assert not (caches / "lab-2").exists()


@pytest.mark.security("M1", "M2")
def test_links_in_a_cache_lead_its_removal_nowhere(caches, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").touch()
    (caches / "lab-1/vfs").rmdir()
    (caches / "lab-1/vfs").symlink_to(victim)
    cache_of.purge(str(caches))
    assert (victim / "precious").exists()
    assert not (caches / "lab-1").exists()


def test_mark_alone_is_no_reason_to_leave_a_cache_that_came_to_nothing(tmp_path):
    cache_of.make_cache(str(tmp_path / "lab-1"))
    cache_of.remove_empty_marker(str(tmp_path / "lab-1"))
    assert list(Path(tmp_path / "lab-1").iterdir()) == []
    cache_of.make_cache(str(tmp_path / "lab-2"))
    (tmp_path / "lab-2/vfs").mkdir()
    cache_of.remove_empty_marker(str(tmp_path / "lab-2"))
    assert (tmp_path / "lab-2" / cache_of.MARKER).exists()


@pytest.mark.security("M1")
def test_place_below_a_folder_for_all_is_roots_once_root_has_made_it(tmp_path):
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    cache_of.require_safe_path(str(shared / "cache" / "lab-1"))
    cache_of.make_cache(str(shared / "cache" / "lab-1"))
    # Not what somebody else has made there before, and not the folder itself.
    (shared / "theirs").mkdir()
    os.chown(shared / "theirs", NOBODY, NOBODY)
    for path in (shared, shared / "theirs", shared / "theirs" / "lab-1"):
        with pytest.raises(LabError):
            cache_of.require_safe_path(str(path))
    (shared / "file").touch()
    with pytest.raises(LabError, match="not a directory"):
        cache_of.require_safe_path(str(shared / "file" / "lab-1"))


@pytest.mark.parametrize("path", ["", "cache", "cache/lab-1", "./cache"])
def test_path_that_is_not_absolute_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError, match="not an absolute path"):
        cache_of.require_safe_path(path)


def test_place_that_only_root_may_look_into_is_not_refused_to_others():
    child = os.fork()
    if child == 0:
        # The check before anything is made has no rights.
        try:
            os.setuid(NOBODY)
            cache_of.require_safe_path("/root/desi-lab-cache/lab-1")
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Its size


@pytest.mark.parametrize(
    ("free", "used", "size"),
    [
        (100 * cache_of.GIB, 0, 50 * cache_of.GIB),
        (60 * cache_of.GIB, 40 * cache_of.GIB, 50 * cache_of.GIB),  # what is in the cache already counts as free
        (7 * cache_of.GIB, 0, 3 * cache_of.GIB),
        (cache_of.GIB // 2, 0, cache_of.GIB),
        (9000 * cache_of.GIB, 0, 500 * cache_of.GIB),
    ],
)
def test_cache_takes_half_of_what_is_free_within_bounds(free, used, size):
    assert cache_of.default_size(free, used) == size


def test_size_is_the_one_asked_for_or_that_of_the_mount_that_is_there(tmp_path):
    asked = make_spec({"bucket": "lab", "cache": "/c", "cache_max": "3GiB"})
    assert cache_of.with_size(asked, {"cache": "/c", "cache_max": "9GiB"}) == asked
    assert cache_of.with_size(make_spec({"bucket": "lab"}), None).cache_max == 0
    spec = make_spec({"bucket": "lab", "cache": str(tmp_path / "not" / "yet")})
    assert cache_of.with_size(spec, {"cache": spec.cache, "cache_max": "7GiB"}).cache_max == 7 * cache_of.GIB
    assert cache_of.with_size(spec, {"cache": "/another", "cache_max": "7GiB"}).cache_max % cache_of.GIB == 0
    assert cache_of.with_size(spec, None).cache_max >= cache_of.GIB


def test_file_that_was_read_in_part_counts_for_that_part(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(10_000_000)
        file.write(b"x" * 4096)
    used = cache_of.used_by(tmp_path)
    assert 0 < used < 100_000
    (tmp_path / "other-name").hardlink_to(tmp_path / "sparse")
    assert cache_of.used_by(tmp_path) == used
    assert cache_of.used_by(tmp_path / "none") == 0
