# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import io

import pytest
from fits_catalog import catalog
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._prefetch import selection as words

REDUX = "spectro/redux/iron"


@pytest.mark.parametrize(
    ("word", "patterns"),
    [
        ("zcatalog/v1/zall.fits", ("zcatalog/v1/zall.fits", f"{REDUX}/zcatalog/v1/zall.fits")),
        ("healpix/main/dark/230/*/", ("healpix/main/dark/230/*", f"{REDUX}/healpix/main/dark/230/*")),
        ("./healpix//**/coadd-*", ("healpix/**/coadd-*", f"{REDUX}/healpix/**/coadd-*")),
        ("tile:2436", (f"{REDUX}/tiles/cumulative/2436/*/coadd-*", f"{REDUX}/tiles/cumulative/2436/*/redrock-*")),
        ("healpix:23040", (f"{REDUX}/healpix/*/*/230/23040/coadd-*", f"{REDUX}/healpix/*/*/230/23040/redrock-*")),
        ("healpix:sv3/dark/7", (f"{REDUX}/healpix/sv3/dark/0/7/coadd-*", f"{REDUX}/healpix/sv3/dark/0/7/redrock-*")),
    ],
)
def test_word_becomes_patterns_below_the_release(word, patterns):
    assert words.parse_selection(word, "iron").patterns == patterns


@pytest.mark.parametrize(
    "word",
    [
        *("", "/etc/passwd", "../x", "a/../../b", "tile:x", "tile:", "healpix:a/b/c", "healpix:-1", "targets:ids.txt"),
        *(".", "./", "/", "healpix/**.fits", "**coadd/*"),
        *("cone:1,2", "cone:1,2,x", "cone:1,91,1", "cone:1,2,0", "cone:1,2,31", "cone:nan,2,1", "a\nb"),
    ],
)
def test_word_that_cannot_be_meant_is_refused_with_what_could(word):
    with pytest.raises(LabError) as refused:
        words.parse_selection(word, "iron")
    assert "healpix:23040" in refused.value.do


@pytest.mark.parametrize(
    ("split", "typed"),
    [
        (["cone:179.6", "0.0", "0.5"], ["cone:179.6,0.0,0.5"]),
        (["tile:1", "cone:1", " -2", "3e-1", "cone:4", "5", "6"], ["tile:1", "cone:1, -2,3e-1", "cone:4,5,6"]),
        # Any other one is a path of its own, and a cone is whole with three numbers.
        (["cone:1,2,3", "4"], ["cone:1,2,3", "4"]),
        (["cone:1", "2", "healpix:3", "4"], ["cone:1,2", "healpix:3", "4"]),
        (["cone:", "1", "7", "8"], ["cone:", "1", "7", "8"]),
    ],
)
def test_cone_is_whole_again_after_its_list_was_split_at_commas(split, typed):
    assert words.with_whole_cones(split) == typed


@pytest.mark.parametrize("path", ["ids.txt", "./ids.txt", "~/ids.txt"])
def test_file_of_targets_without_its_whole_path_is_said_to_be_so(path):
    with pytest.raises(LabError) as refused:
        words.parse_selection(f"targets:{path}", "iron")
    assert "whole path" in refused.value.why


def test_targets_are_read_however_they_are_set_apart_and_cones_too():
    assert words.parse_selection("targets:/home/ann/ids.txt", "iron").targets == "/home/ann/ids.txt"
    assert words.parse_selection("cone:-10,5,0.5", "iron").cone == (350.0, 5.0, 0.5)
    for text in ("39627\n39628\n", "TARGETID\n39627\n39628", "39627, 39628 # two", "39627;39628\n\n"):
        assert words.parse_targets(text, "w") == {39627, 39628}
    for text in ("", "# none", "TARGETID", "1\nx"):
        with pytest.raises(LabError):
            words.parse_targets(text, "w")


def test_side_file_gives_sums_by_name():
    one, two = "a" * 64, "0" * 64
    assert words.parse_checksums(f"{one}  coadd-1.fits\n{two} *./b c.fits\nnonsense\n") == {
        "coadd-1.fits": one,
        "b c.fits": two,
    }


@given(
    st.lists(
        st.tuples(st.integers(0, 2**62), st.integers(0, 49151), st.floats(0, 360), st.integers(-90, 90)), max_size=9
    )
)
def test_columns_come_out_of_a_catalog_as_they_went_in(rows):
    found = words.catalog_rows(catalog(rows), ("TARGETID", "HEALPIX", "TARGET_RA", "TARGET_DEC"), rows_at_once=4)
    assert list(found) == rows


def test_catalog_that_is_cut_off_is_an_error():
    whole = catalog([(1, 2, 3.0, 4)] * 5).getvalue()
    with pytest.raises(ValueError, match="cut off"):
        list(words.catalog_rows(io.BytesIO(whole[:-50]), ("TARGETID",)))


@pytest.mark.parametrize(
    ("cone", "place", "inside"),
    [
        ((10.0, 0.0, 1.0), (10.5, 0.5), True),
        ((10.0, 0.0, 1.0), (11.1, 0.0), False),
        ((359.9, 0.0, 0.5), (0.2, 0.0), True),
        ((0.0, 89.9, 0.5), (180.0, 89.9), True),
        ((10.0, 60.0, 1.0), (11.9, 60.0), True),  # degrees of RA are short there
    ],
)
def test_cone_is_one_on_the_sphere(cone, place, inside):
    assert words.in_cone(cone, *place) is inside


def test_progress_tells_bytes_rate_and_time_left():
    bar = "█████░░░░░░░░░░░░░░░ 250 MB of 1.0 GB, 25 MB/s, 30 s left"
    assert words.progress_words(250_000_000, 1_000_000_000, 10) == bar
    assert "2 h 46 m left" in words.progress_words(10**9, 10**11, 101)
    assert words.progress_words(0, 0, 0).startswith("█" * 20)


@pytest.mark.parametrize(
    ("kept", "cache_max", "free", "why"),
    [
        (0, 10**9, 10**12, "The cache holds 1.0 GB"),
        (0, 0, 10**10, "of the disk are free"),
        (10**9, 0, 10**10, "9.0 GB of it"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_size(kept, cache_max, free, why):
    with pytest.raises(LabError) as refused:
        words.check_room(10**10, kept, cache_max, free, 2 * 10**9)
    assert refused.value.what == "10 GB cannot be fetched."
    assert why in refused.value.why
    words.check_room(10**10, 10**10, 0, 3 * 10**9, 2 * 10**9)  # what is there already needs no room
