# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from desi_stream import fits
from desi_stream.kinds import Kinds
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._mount import tool_options as mount_tool_options

WAVELENGTHS = 251


def header(*cards):
    text = "".join(f"{name:8}= {value:>20}".ljust(80) for name, value in cards) + "END".ljust(80)
    return (text + " " * (-len(text) % fits.BLOCK)).encode()


def padded(size):
    return b"\0" * (size + -size % fits.BLOCK)


def coadd(rows, exposures=None):
    """A file like a coadd: a table, a second one whose rows may follow from the first or not, and two images."""
    parts = [header(("SIMPLE", "T"), ("BITPIX", 8), ("NAXIS", 0))]
    for count in (rows, exposures if exposures is not None else 3 * rows):
        sizes = [("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 400), ("NAXIS2", count), ("PCOUNT", 0), ("GCOUNT", 1)]
        parts += [header(("XTENSION", "'BINTABLE'"), *sizes), padded(400 * count)]
    for depth in ((WAVELENGTHS,), (11, WAVELENGTHS)):
        axes = [*reversed(depth), rows]
        cards = [("BITPIX", -32), ("NAXIS", len(axes)), *((f"NAXIS{i}", axis) for i, axis in enumerate(axes, 1))]
        size = 4
        for axis in axes:
            size *= axis
        parts += [header(("XTENSION", "'IMAGE'"), *cards, ("PCOUNT", 0)), padded(size)]
    return b"".join(parts)


def chain(data):
    """The headers of a file, by following them."""
    found, place = [], 0
    while place < len(data):
        found.append(fits.read_header(data[place : place + fits.HEADER_BYTES]))
        place += found[-1].length
    return found


@given(st.integers(2, 300), st.integers(2, 300))
def test_headers_of_a_file_follow_from_those_of_another_and_its_first_ones(rows, others):
    known, wanted = chain(coadd(rows)), chain(coadd(others))
    assert fits.guess_from_first(known, wanted[:3]) == wanted


@given(st.integers(2, 300), st.integers(2, 300))
def test_size_alone_tells_where_the_headers_are_if_only_one_number_differs(rows, others):
    known, data = chain(coadd(rows, rows)), coadd(others, others)
    guessed = fits.guess_from_size(known, len(data))
    assert fits.places_of(guessed) == fits.places_of(chain(data))


@given(st.integers(100, 300), st.integers(50, 300), st.integers(-5, 5))
def test_size_tells_targets_and_exposures_apart_where_there_are_about_as_many_of_these_as_usual(rows, others, more):
    known, data = chain(coadd(rows, 3 * rows)), coadd(others, 3 * others + more)
    guessed = fits.guess_from_size(known, len(data))
    assert fits.places_of(guessed) == fits.places_of(chain(data))


def test_size_that_no_number_of_rows_leads_to_tells_nothing():
    assert fits.guess_from_size(chain(coadd(50, 50)), len(coadd(60, 60)) + fits.BLOCK) == []


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 2880, b"SIMPLE  = T", b"XTENSION= 'IMAGE'".ljust(2880), b"END".ljust(2880)]
)
def test_what_is_no_header_is_none(data):
    assert fits.read_header(data) is None


@given(st.binary(max_size=6000))
def test_no_bytes_make_it_fail(data):
    fits.read_header(b"XTENSION=" + data)


def test_comments_with_numbers_are_not_taken_for_values():
    text = header(("SIMPLE", "T"), ("BITPIX", "8 / NAXIS   = 3"), ("NAXIS", 1), ("NAXIS1", "10 / 20"))
    assert fits.read_header(text) == fits.Header(1, 1, (10,), 0)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("a/b/coadd-main-dark-23040.fits", "coadd"),
        ("zall.fits", "zall.fits"),
        ("spectra-main.fits.gz", ""),
        ("x.csv", ""),
    ],
)
def test_kind_of_a_file_is_the_first_word_of_its_name(key, kind):
    assert fits.kind_of(key) == kind


def test_headers_that_lie_close_are_fetched_in_one_piece():
    ranges = fits.ranges_of([5_000_000, 5_500_000, 20_000_000])
    assert len(ranges) == 2
    assert all(start % fits.PAGE == 0 for start, _end in ranges)
    assert ranges[0][0] <= 5_000_000
    assert ranges[0][1] >= 5_500_000 + 2880


@pytest.mark.parametrize(("apart", "count"), [(fits.REACH - fits.PAGE, 1), (fits.REACH, 2)])
def test_what_lies_between_headers_is_fetched_only_where_the_mount_tool_reads_it(apart, count):
    assert len(fits.ranges_of([4 * fits.PAGE, 4 * fits.PAGE + apart])) == count


@given(st.lists(st.integers(0, 10**9), max_size=40).map(sorted))
def test_every_header_lies_in_what_is_fetched_and_nothing_is_longer_than_it_may_be(places):
    ranges = fits.ranges_of(places)
    assert all(any(start <= place < end for start, end in ranges) for place in places)
    assert all(end - start <= fits.LONGEST for start, end in ranges)


def test_mount_tool_asks_as_the_relay_expects():
    options = [setting.option for setting in mount_tool_options.RCLONE_SETTINGS if "relay" in setting.when]
    assert f"--vfs-read-chunk-size={fits.REQUEST >> 10}K" in options
    assert f"--vfs-read-chunk-size-limit={fits.LONGEST_REQUEST >> 20}M" in options


@pytest.mark.parametrize(("size", "asked"), [(64, 64), (65, 192), (5000, 8128)])
def test_all_of_the_last_question_is_fetched(size, asked):
    assert fits.asked_for(size << 10) == asked << 10


def test_what_was_learned_outlives_the_process_and_a_spoiled_file_is_no_trouble(tmp_path):
    file = tmp_path / "relay.json"
    known = chain(coadd(20))
    Kinds(file).learn("coadd", known)
    assert Kinds(file).get("coadd") == known
    file.write_text("{ not json")
    assert Kinds(file).get("coadd") == []
    file.write_text('{"coadd": [{"blocks": 1}]}')
    assert Kinds(file).get("coadd") == []
    kinds = Kinds(tmp_path / "none" / "relay.json")
    kinds.learn("coadd", known)
    assert kinds.get("coadd") == known
