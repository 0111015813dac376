# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from desi_lab import shims

RELEASES = ("edr", "dr1", "dr2")


@pytest.fixture
def nersc(tmp_path):
    place = tmp_path / "desi"
    place.mkdir()
    return place


@pytest.mark.parametrize("release", ["edr", "dr1"])
def test_the_two_paths_that_the_bucket_keeps_elsewhere_are_back_in_each_release(nersc, bucket_like, release):
    shims.lay(nersc, bucket_like, "edr", RELEASES)
    assert (nersc / "public" / release / "target" / "catalogs").is_dir()
    assert (nersc / "public" / release / "spectro" / "data" / "20210101").is_dir()


def test_everything_else_of_a_release_is_where_nersc_has_it(nersc, bucket_like):
    (bucket_like / "edr" / "README.md").write_text("read me")
    shims.lay(nersc, bucket_like, "edr", RELEASES)
    assert (nersc / "public/edr/README.md").read_text() == "read me"
    assert (nersc / "public/edr/spectro/redux/fuji").is_dir()
    assert (nersc / "public/edr/vac").is_dir()
    assert (nersc / "public/raw_spectro_data/20210101").is_dir()


@pytest.mark.parametrize(("release", "production"), [("edr", "fuji"), ("dr1", "iron")])
def test_the_chosen_release_is_also_right_below_the_root_of_nersc(nersc, bucket_like, release, production):
    shims.lay(nersc, bucket_like, release, RELEASES)
    assert (nersc / "spectro/redux" / production).is_dir()
    assert (nersc / "spectro/data/20210101").is_dir()
    assert (nersc / "target/catalogs").is_dir()
    assert (nersc / "survey").is_dir()
    assert (nersc / "vac").is_dir()


def test_a_copy_laid_out_as_at_nersc_is_shown_as_it_is(nersc, nersc_like):
    shims.lay(nersc, nersc_like, "edr", RELEASES)
    assert (nersc / "public/edr/target").readlink() == nersc_like / "edr/target"
    assert (nersc / "public/edr/spectro/data").readlink() == nersc_like / "edr/spectro/data"


def test_a_second_start_finds_the_same(nersc, bucket_like):
    shims.lay(nersc, bucket_like, "edr", RELEASES)
    before = sorted((str(path), path.is_symlink()) for path in nersc.rglob("*"))
    shims.lay(nersc, bucket_like, "edr", RELEASES)
    assert sorted((str(path), path.is_symlink()) for path in nersc.rglob("*")) == before


def test_nothing_is_written_into_the_data(nersc, bucket_like):
    before = sorted(map(str, bucket_like.rglob("*")))
    shims.lay(nersc, bucket_like, "dr1", RELEASES)
    assert sorted(map(str, bucket_like.rglob("*"))) == before


def test_data_that_are_not_there_leave_no_dead_links_for_what_was_put_back(nersc, tmp_path):
    data = tmp_path / "data"
    (data / "edr" / "spectro").mkdir(parents=True)
    shims.lay(nersc, data, "edr", RELEASES)
    assert not (nersc / "public/edr/target").is_symlink()
    assert not (nersc / "public/edr/spectro/data").is_symlink()


def test_a_link_replaces_a_link_into_a_folder_instead_of_going_into_it(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    shims.link(tmp_path / "old", tmp_path / "place")
    shims.link(tmp_path / "new", tmp_path / "place")
    assert (tmp_path / "place").readlink() == tmp_path / "new"
    assert not list((tmp_path / "old").iterdir())


def test_a_link_never_takes_the_place_of_a_real_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.ipynb").write_text("{}")
    shims.link(tmp_path / "data", tmp_path / "mine")
    assert (tmp_path / "mine" / "work.ipynb").exists()


def test_a_folder_takes_the_place_of_an_old_link_but_not_of_what_it_led_to(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "place").symlink_to(tmp_path / "data")
    shims.folder(tmp_path / "place")
    assert (tmp_path / "place").is_dir()
    assert not (tmp_path / "place").is_symlink()
    assert (tmp_path / "data").is_dir()


def test_a_folder_that_is_missing_has_no_entries(tmp_path):
    assert shims.entries(tmp_path / "nowhere") == []
