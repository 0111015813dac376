# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the relay writes and removes in its cache, attacked by whoever can lay links there."""

import os

import pytest
from desi_stream.__main__ import forget_others
from desi_stream.fits import Header
from desi_stream.kinds import Kinds

NOBODY = 65534
SHAPE = [Header(1, 8, (4,), 0)]

pytestmark = pytest.mark.security("M1")


@pytest.fixture
def victim(tmp_path):
    folder = tmp_path / "victim"
    (folder / "deep").mkdir(parents=True)
    (folder / "precious").write_text("precious")
    return folder


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir(0o700)
    return folder


def assert_untouched(victim):
    assert (victim / "precious").read_text() == "precious"
    assert (victim / "deep").is_dir()
    assert sorted(entry.name for entry in victim.iterdir()) == ["deep", "precious"]


@pytest.mark.parametrize("name", ["vfs", "vfsMeta"])
def test_link_in_place_of_what_is_tidied_leads_nowhere(cache, victim, name):
    (cache / name).symlink_to(victim)
    forget_others(cache)
    assert_untouched(victim)


def test_links_in_what_is_tidied_are_removed_and_not_followed(cache, victim):
    (cache / "vfs/old").mkdir(parents=True)
    (cache / "vfs/link").symlink_to(victim)
    (cache / "vfs/old/link").symlink_to(victim)
    forget_others(cache)
    assert_untouched(victim)
    assert list((cache / "vfs").iterdir()) == []


def test_cache_that_is_a_link_is_not_tidied(tmp_path, victim):
    (victim / "vfs/precious").mkdir(parents=True)
    (tmp_path / "link").symlink_to(victim)
    forget_others(tmp_path / "link")
    assert (victim / "vfs/precious").is_dir()


@pytest.mark.parametrize("name", ["relay.json", ".relay.json.new"])
def test_links_at_names_that_are_written_are_not_followed(cache, victim, name):
    (cache / name).symlink_to(victim / "precious")
    Kinds(cache / "relay.json").learn("coadd-*.fits", SHAPE)
    assert_untouched(victim)
    assert not (cache / "relay.json").is_symlink()
    assert Kinds(cache / "relay.json").get("coadd-*.fits") == SHAPE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay what others own")
@pytest.mark.parametrize("how", ["owner", "mode"])
def test_nothing_is_written_or_removed_where_others_may_write(cache, how):
    (cache / "vfs/old").mkdir(parents=True)
    os.chown(cache, NOBODY, NOBODY) if how == "owner" else cache.chmod(0o777)
    forget_others(cache)
    Kinds(cache / "relay.json").learn("coadd-*.fits", SHAPE)
    assert [entry.name for entry in cache.iterdir()] == ["vfs"]
    assert (cache / "vfs/old").is_dir()


def test_disk_that_fails_while_it_is_written_leaves_nothing_half(cache, monkeypatch):
    def fail(*_arguments, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", fail)
    Kinds(cache / "relay.json").learn("coadd-*.fits", SHAPE)
    assert list(cache.iterdir()) == []
