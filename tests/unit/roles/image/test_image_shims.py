# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from desi_lab import shims

RELEASES = ("edr", "dr1", "dr2")


@pytest.fixture
def nersc(tmp_path):
    place = tmp_path / "desi"
    place.mkdir()
    return place


@pytest.mark.parametrize(("release", "production"), [("edr", "fuji"), ("dr1", "iron")])
def test_a_bucket_is_laid_out_as_at_nersc_without_writing_into_it_and_again_the_same(
    nersc, bucket_like, release, production
):
    def tree(root):
        return sorted((str(path), path.is_symlink()) for path in root.rglob("*"))

    (bucket_like / "edr" / "README.md").write_text("read me")
    data = tree(bucket_like)
    shims.lay(nersc, bucket_like, release, RELEASES)
    laid = tree(nersc)
    for each, production_of in (("edr", "fuji"), ("dr1", "iron")):
        for name in ("target/catalogs", "spectro/data/20210101", f"spectro/redux/{production_of}", "vac"):
            assert (nersc / "public" / each / name).is_dir(), name
    assert (nersc / "public/edr/README.md").read_text() == "read me"
    # The chosen release is right below the root, too.
    for name in (f"spectro/redux/{production}", "spectro/data/20210101", "target/catalogs", "survey", "vac"):
        assert (nersc / name).is_dir(), name
    assert (nersc / "public/raw_spectro_data/20210101").is_dir()
    shims.lay(nersc, bucket_like, release, RELEASES)
    assert tree(nersc) == laid
    assert tree(bucket_like) == data


def test_a_copy_laid_out_as_at_nersc_is_shown_as_it_is(nersc, nersc_like):
    shims.lay(nersc, nersc_like, "edr", RELEASES)
    assert (nersc / "public/edr/target").readlink() == nersc_like / "edr/target"
    assert (nersc / "public/edr/spectro/data").readlink() == nersc_like / "edr/spectro/data"


def test_data_that_are_not_there_leave_no_dead_links_for_what_was_put_back(nersc, tmp_path):
    data = tmp_path / "data"
    (data / "edr" / "spectro").mkdir(parents=True)
    shims.lay(nersc, data, "edr", RELEASES)
    assert not (nersc / "public/edr/target").is_symlink()
    assert not (nersc / "public/edr/spectro/data").is_symlink()
    assert shims.entries(tmp_path / "nowhere") == []


def test_links_and_folders_replace_links_alone_and_never_what_those_led_to(tmp_path):
    old, new, place = tmp_path / "old", tmp_path / "new", tmp_path / "place"
    old.mkdir()
    new.mkdir()
    (new / "work.ipynb").write_text("{}")
    shims.link(old, place)
    shims.link(new, place)
    assert place.readlink() == new
    assert not list(old.iterdir())
    shims.folder(place)
    assert place.is_dir()
    assert not place.is_symlink()
    shims.link(old, new)
    assert (new / "work.ipynb").exists()
