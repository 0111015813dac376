# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common import files as common_files
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

NOBODY = 65534
PARTS = ("one", "two", "three")


@pytest.fixture
def chain(tmp_path):
    """Three directories of root's, one below the other, and a file in the last."""
    here = tmp_path
    for part in PARTS:
        here = here / part
        here.mkdir(mode=0o755)
    (here / "program").write_text("#!/bin/sh\n")
    return tmp_path


def at(chain, depth):
    return chain.joinpath(*PARTS[:depth])


@pytest.mark.security("C1", "M1")
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("spoil", ["owner", "group", "others", "link"])
def test_a_part_that_somebody_else_can_change_is_named(chain, depth, spoil):
    part = at(chain, depth)
    if spoil == "owner":
        os.chown(part, NOBODY, 0)
    elif spoil == "link":
        part.rename(part.with_name("elsewhere"))
        part.symlink_to("elsewhere")
        os.chown(part, NOBODY, NOBODY, follow_symlinks=False)
    else:
        part.chmod(0o775 if spoil == "group" else 0o757)
    for ask in (common_files.require_root_owned, common_files.open_root_owned):
        with pytest.raises(LabError) as refused:
            ask(str(chain / "one/two/three/program"))
        assert str(part) in refused.value.what


@pytest.mark.security("C1")
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_file_that_others_may_write_to_is_refused(chain, mode):
    program = chain / "one/two/three/program"
    program.chmod(mode)
    with pytest.raises(LabError):
        common_files.require_root_owned(str(program))


def test_a_link_of_roots_leads_on_and_its_target_is_checked(chain):
    (chain / "one/way").symlink_to("two/../two/three")
    assert common_files.require_root_owned(str(chain / "one/way/program")) == str(chain / "one/two/three/program")
    at(chain, 2).chmod(0o777)
    with pytest.raises(LabError):
        common_files.require_root_owned(str(chain / "one/way/program"))


def test_links_in_a_circle_and_relative_paths_are_refused(chain):
    (chain / "a").symlink_to("b")
    (chain / "b").symlink_to("a")
    for path in (str(chain / "a"), "", "relative", "one/../two", "/a\0b"):
        with pytest.raises(LabError):
            common_files.require_root_owned(path)


def test_missing_directories_are_made_as_asked_whatever_the_umask(chain):
    before = os.umask(0o077)
    try:
        os.close(common_files.open_root_owned(str(chain / "one/new/cache"), make=True, mode=0o700))
    finally:
        os.umask(before)
    assert stat.S_IMODE((chain / "one/new").stat().st_mode) == 0o755
    assert stat.S_IMODE((chain / "one/new/cache").stat().st_mode) == 0o700


def test_nothing_is_made_below_what_is_not_roots_or_no_directory(chain):
    with pytest.raises(LabError, match="not safe"):
        common_files.open_root_owned(str(chain / "one/two/three/program"))
    os.chown(chain / "one", NOBODY, NOBODY)
    with pytest.raises(LabError):
        common_files.open_root_owned(str(chain / "one/new"), make=True)
    assert not (chain / "one/new").exists()


def test_the_sticky_bit_guards_what_stands_below_and_not_the_directory_itself(chain):
    at(chain, 2).chmod(0o1777)
    os.close(common_files.open_root_owned(str(at(chain, 3))))
    with pytest.raises(LabError):
        common_files.open_root_owned(str(at(chain, 2)))


def test_no_descriptor_is_left_open(chain):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("one/two/three/program", "one/two/missing"):
        try:
            common_files.require_root_owned(str(chain / path))
        except LabError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.fixture
def shared(tmp_path):
    """A directory that others write to, as a descriptor, and one beside it that is nobody's business."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/file").write_text("mine")
    descriptor = common_files.open_directory(str(tmp_path / "shared"))
    yield descriptor, tmp_path / "shared", tmp_path / "victim"
    os.close(descriptor)


@pytest.mark.security("H6")
def test_a_link_at_the_name_that_is_written_is_replaced_and_not_followed(shared):
    descriptor, folder, victim = shared
    (folder / "out").symlink_to(victim / "file")
    common_files.write_beside(descriptor, "out", b"new", mode=0o640, owner=(NOBODY, NOBODY))
    assert (victim / "file").read_text() == "mine"
    assert (victim / "file").stat().st_uid == 0
    about = (folder / "out").lstat()
    assert stat.S_ISREG(about.st_mode)
    assert (stat.S_IMODE(about.st_mode), about.st_uid) == (0o640, NOBODY)
    assert [path.name for path in folder.iterdir()] == ["out"]


@pytest.mark.security("H6", "C2")
@pytest.mark.parametrize("name", ["../victim/file", "/etc/x", "", "a//b", "./a", "a/..", "a\0b", "link/file"])
def test_no_name_leads_out(shared, name):
    descriptor, folder, victim = shared
    (folder / "link").symlink_to(victim)
    with pytest.raises((ValueError, OSError)):
        common_files.write_beside(descriptor, name, b"new")
    with pytest.raises((ValueError, OSError)):
        common_files.read_below(descriptor, name, 100)
    with pytest.raises((ValueError, OSError)):
        common_files.remove_below(descriptor, name)
    assert (victim / "file").read_text() == "mine"


def test_a_write_that_fails_leaves_what_was_there(shared):
    descriptor, folder, _victim = shared
    (folder / "out").mkdir()
    with pytest.raises(OSError, match="directory"):
        common_files.write_beside(descriptor, "out", b"new")
    assert [path.name for path in folder.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "large"])
def test_only_a_regular_file_of_bounded_size_is_read(shared, kind):
    descriptor, folder, victim = shared
    path = folder / "in"
    if kind == "link":
        path.symlink_to(victim / "file")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"x" * 101)
    with pytest.raises(OSError):
        common_files.read_below(descriptor, "in", 100)


@pytest.mark.security("M1")
def test_removing_takes_links_and_never_what_they_lead_to(shared):
    descriptor, folder, victim = shared
    (folder / "tree/deep").mkdir(parents=True)
    (folder / "tree/deep/link").symlink_to(victim)
    (folder / "tree/file").write_text("x")
    (folder / "link").symlink_to(victim)
    for name in ("tree", "link", "missing"):
        common_files.remove_below(descriptor, name)
    assert list(folder.iterdir()) == []
    assert (victim / "file").read_text() == "mine"


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="ab./\0", max_size=8))
def test_a_name_has_parts_only_where_it_stays_below(name):
    try:
        parts = common_files.parts_below(name)
    except ValueError:
        return
    assert "/".join(parts) == name
    assert all(part not in ("", ".", "..") for part in parts)
