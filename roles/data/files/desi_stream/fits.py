# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the headers of a FITS file are, before anybody has asked for them.

A FITS file is a chain: each header tells where the next one is, so that to look through a file takes a round trip a
header. But files of one kind (all coadds) differ in the number of their rows alone. So the relay learns from the first
file of a kind that somebody looks through, and asks for all headers of every other one at the same time. A guess that
is wrong costs a request, no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

BLOCK = 2880
# A file with more than this is none of DESI's.
MOST_HEADERS = 64
# What the mount tool asks for where it has jumped to, and at most: each question is for twice as much as the last one.
REQUEST, LONGEST_REQUEST = 64 * 1024, 4 << 20
# What is fetched for a header: enough for the longest, and for what the kernel reads ahead.
HEADER_BYTES = REQUEST
PAGE = 4096
# A read that begins within a mebibyte behind what rclone has written is answered by the same download, which then takes
# what is between. It writes 32 KiB at a time, and a little more where they come in two parts.
REACH = (1 << 20) + 48 * 1024
LONGEST = 8 << 20
# How many numbers of targets are tried for a size, to each side of the likely one.
GUESSES = 3


@dataclass(frozen=True)
class Header:
    """What one header says of its own length and of its data."""

    blocks: int
    width: int  # bytes of one value
    axes: tuple[int, ...]
    extra: int  # heap behind a table

    @property
    def data(self) -> int:
        size = self.width if self.axes else 0
        for axis in self.axes:
            size *= axis
        return size + self.extra

    @property
    def length(self) -> int:
        return self.blocks * BLOCK + self.data + -self.data % BLOCK


def read_header(data: bytes) -> Header | None:
    """Read a header at the start of some bytes; None if there is none, or not all of it."""
    if not data.startswith((b"SIMPLE  =", b"XTENSION=")):
        return None
    for blocks in range(1, len(data) // BLOCK + 1):
        last = data[(blocks - 1) * BLOCK : blocks * BLOCK]
        if re.search(rb"(?:^|(?<= ))END {77}", last):
            cards = dict(re.findall(rb"(?s)([A-Z0-9_-]{1,8}) *= +(-?\d+)[ /]", data[: blocks * BLOCK]))
            try:
                axes = tuple(int(cards[b"NAXIS%d" % axis]) for axis in range(1, int(cards[b"NAXIS"]) + 1))
                return Header(blocks, abs(int(cards[b"BITPIX"])) // 8, axes, int(cards.get(b"PCOUNT", 0)))
            except KeyError:
                return None
    return None


def kind_of(key: str) -> str:
    """Return what an object's name has in common with those of its kind, or nothing for what is no plain FITS file."""
    name = key.rpartition("/")[2]
    return name.partition("-")[0] if name.endswith(".fits") else ""


def rows_of(headers: list[Header]) -> int:
    """Return the number of rows of the first table or image, by which files of one kind differ."""
    return next((header.axes[-1] for header in headers if len(header.axes) > 1), 0)


def with_rows(known: list[Header], rows: int) -> list[Header]:
    """Return the headers of a file like the known one, with another number of rows."""
    before = rows_of(known)
    # Rows are the last axis; another one may have as many by chance.
    return [
        replace(header, axes=(*header.axes[:-1], rows)) if header.axes[-1:] == (before,) else header for header in known
    ]


def guess_from_size(known: list[Header], size: int) -> list[Header]:
    """Return the headers of a file like the known one that has this size, or none if nothing leads to it.

    A coadd has two tables: one with a row for each target, as all its images, and one with a row for each exposure of
    a target. A target takes 446 kB in the images, an exposure some hundred bytes: so the size tells the targets if each
    has about as many exposures as in the known file, and what is left is the second table.
    """
    rows, other = rows_of(known), _other_table(known)
    if not rows:
        guesses = [known]
    elif other is None:
        guesses = [with_rows(known, _most_rows(lambda count: with_rows(known, count), size))]
    else:
        usual = known[other].axes[-1] / rows
        most = _most_rows(lambda count: _with_other(with_rows(known, count), other, round(usual * count)), size)
        counts = range(max(1, most - GUESSES), most + GUESSES + 1)
        guesses = [_with_rest(with_rows(known, count), other, size) for count in counts]
        guesses.sort(key=lambda guess: abs(guess[other].axes[-1] - usual * rows_of(guess)))
    # Several numbers of rows may lead to one size, because all is filled up to whole blocks: then it does not matter.
    return next((guess for guess in guesses if length_of(guess) == size), [])


def _other_table(known: list[Header]) -> int | None:
    """Return which header is of a table with a number of rows of its own, if exactly one is."""
    rows = rows_of(known)
    found = [index for index, header in enumerate(known) if len(header.axes) == 2 and header.axes[-1] != rows]
    return found[0] if len(found) == 1 else None


def _with_other(known: list[Header], other: int, count: int) -> list[Header]:
    """Return the headers with so many rows in the table that has a number of its own."""
    return [*known[:other], replace(known[other], axes=(known[other].axes[0], count)), *known[other + 1 :]]


def _with_rest(known: list[Header], other: int, size: int) -> list[Header]:
    """Return the headers with all that is left of the file's size for the rows of that table."""
    row = known[other].width * known[other].axes[0]
    left = size - length_of(_with_other(known, other, 0))
    return _with_other(known, other, max(0, left) // row if row else 0)


def _most_rows(made: Callable[[int], list[Header]], size: int) -> int:
    """Return the largest number of rows with which the file is not longer than this."""
    low, high = 0, 1 << 24
    while low < high:
        middle = (low + high + 1) // 2
        if length_of(made(middle)) <= size:
            low = middle
        else:
            high = middle - 1
    return low


def guess_from_first(known: list[Header], first: list[Header]) -> list[Header]:
    """Return the headers of a file like the known one whose first headers are these."""
    if len(first) >= len(known):
        return first
    return first + with_rows(known, rows_of(first) or rows_of(known))[len(first) :]


def length_of(headers: list[Header]) -> int:
    return sum(header.length for header in headers)


def places_of(headers: list[Header]) -> list[int]:
    """Return where each of the headers begins."""
    return [length_of(headers[:index]) for index in range(len(headers))]


def ranges_of(places: list[int]) -> list[tuple[int, int]]:
    """Return what to fetch for headers at these places: first byte, and the first that is not wanted.

    The kernel begins to read at a page. A mount tool that does not jump far reads what is between.
    """
    ranges: list[tuple[int, int]] = []
    for place in places:
        start, end = place - place % PAGE, place - place % PAGE + HEADER_BYTES
        if ranges and end - ranges[-1][1] < REACH and asked_for(end - ranges[-1][0]) <= LONGEST:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return [(start, start + asked_for(end - start)) for start, end in ranges]


def asked_for(size: int) -> int:
    """Return how much the mount tool has asked for when it has got so much: all of its last question is wanted."""
    asked, question = 0, REQUEST
    while asked < size:
        asked += question
        question = min(2 * question, LONGEST_REQUEST)
    return asked
