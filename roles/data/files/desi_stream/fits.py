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
from dataclasses import dataclass, replace

BLOCK = 2880
# A file with more than this is none of DESI's.
MOST_HEADERS = 64
# What is fetched for a header: enough for the longest, and for what the kernel reads ahead.
SPOT = 64 * 1024
PAGE = 4096
NEAR = 1 << 20
LONGEST = 8 << 20


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
    """Return the headers of a file like the known one that has this size, or none if no number of rows leads to it."""
    if not rows_of(known):
        return known if length_of(known) == size else []
    low, high = 1, 1 << 24
    while low < high:
        middle = (low + high) // 2
        if length_of(with_rows(known, middle)) < size:
            low = middle + 1
        else:
            high = middle
    # Several numbers of rows may lead to one size, because all is filled up to whole blocks: then it does not matter.
    found = with_rows(known, low)
    return found if length_of(found) == size else []


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

    The kernel begins to read at a page. A mount tool that jumps no further than a mebibyte reads what is between.
    """
    ranges: list[tuple[int, int]] = []
    for place in places:
        start, end = place - place % PAGE, place - place % PAGE + SPOT
        if ranges and start - ranges[-1][1] < NEAR and end - ranges[-1][0] <= LONGEST:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return ranges
