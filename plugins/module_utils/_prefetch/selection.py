# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to prefetch: selections as file patterns, catalogs and checksums; and progress in words."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import cos, isfinite, radians, sin
from typing import BinaryIO

from .._common.errors import LabError
from .._common.humanize import decimal_size, duration

BLOCK = 2880
# The files that nearly everybody reads; spectra-*.gz is as large as both together.
USUAL = ("coadd-*", "redrock-*")


@dataclass(frozen=True)
class Selection:
    """One selection: patterns of files below the release, or a catalog search."""

    word: str
    patterns: tuple[str, ...] = ()
    targets: str = ""  # a file of TARGETIDs
    cone: tuple[float, float, float] | None = None  # RA, DEC and radius in degrees


_NUMBER = r" *[-+.0-9eE]+ *"


def with_whole_cones(words: Iterable[str]) -> list[str]:
    """Return selections as they were typed: as any list, ``-e lab_prefetch=cone:1,2,3`` is split at its commas."""
    found: list[str] = []
    for word in words:
        is_cut = found and re.fullmatch(rf" *cone:{_NUMBER}(,{_NUMBER})?", found[-1])
        if is_cut and re.fullmatch(_NUMBER, word):
            found[-1] += f",{word}"
        else:
            found.append(word)
    return found


def parse_selection(word: str, specprod: str) -> Selection:
    """Parse a path or pattern, tile:N, healpix:N, targets:FILE or cone:RA,DEC,RADIUS."""
    redux = f"spectro/redux/{specprod}"
    kind, colon, rest = word.strip().partition(":")
    if colon and kind in ("tile", "healpix", "targets", "cone"):
        if kind == "tile" and rest.isdigit():
            return Selection(word, tuple(f"{redux}/tiles/cumulative/{rest}/*/{name}" for name in USUAL))
        if kind == "healpix" and (found := re.fullmatch(r"(?:(\w+)/(\w+)/)?(\d+)", rest)):
            survey, program, pixel = found.group(1) or "*", found.group(2) or "*", int(found.group(3))
            return Selection(word, tuple(f"{redux}/{directory_of(survey, program, pixel)}/{name}" for name in USUAL))
        if kind == "targets" and rest.startswith("/"):
            return Selection(word, targets=rest)
        if kind == "targets" and rest:
            raise _bad(word, "It is not the whole path of a file on the computer of the lab.")
        if kind == "cone":
            return Selection(word, cone=_read_cone(word, rest))
        raise _bad(word, f'"{rest}" is no {kind}.')
    parts = [part for part in word.strip().split("/") if part not in ("", ".")]
    if not parts or ".." in parts or word.startswith("/") or any(ord(letter) < 32 for letter in word):
        raise _bad(word, "It is no path inside the release.")
    # Which of Python's versions take, and not for what is meant.
    if any("**" in part and part != "**" for part in parts):
        raise _bad(word, 'Two stars stand for folders, as in "healpix/**/coadd-*.fits", and for no part of a name.')
    clean = "/".join(parts)
    # Relative to the release or the production; the first match counts.
    return Selection(word, (clean, f"{redux}/{clean}"))


def _read_cone(word: str, text: str) -> tuple[float, float, float]:
    try:
        right_ascension, declination, radius = (float(part) for part in text.split(","))
    except ValueError:
        raise _bad(word, "A cone is three numbers: RA, DEC and radius in degrees.") from None
    if not (isfinite(right_ascension) and -90 <= declination <= 90 and 0 < radius <= 30):
        raise _bad(word, "DEC is from -90 to 90, and the radius above 0 and at most 30 degrees.")
    return right_ascension % 360, declination, radius


def _bad(word: str, why: str) -> LabError:
    return LabError(
        f'"{word}" cannot be fetched.',
        why,
        "Give a path or pattern (healpix/main/dark/230/23040), tile:2436, healpix:23040, targets:/path/to/ids.txt or "
        "cone:RA,DEC,RADIUS.",
    )


def directory_of(survey: str, program: str, pixel: int) -> str:
    return f"healpix/{survey}/{program}/{pixel // 100}/{pixel}"


def parse_targets(text: str, word: str) -> set[int]:
    """Parse TARGETIDs with any separators and # comments."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = [one for line in lines for one in re.split(r"[\s,;]+", line) if one]
    if words and not words[0].lstrip("-").isdigit():
        words = words[1:]  # the name of the column
    try:
        found = {int(one) for one in words}
    except ValueError as problem:
        raise _bad(word, f"The file holds something else than TARGETIDs ({problem}).") from None
    if not found:
        raise _bad(word, "The file holds no TARGETID.")
    return found


def parse_checksums(text: str) -> dict[str, str]:
    """Parse the output of sha256sum as names and sums."""
    found = re.findall(r"^([0-9a-f]{64}) [ *](?:\./)?(.+)$", text, re.MULTILINE)
    return {name: digest for digest, name in found}


_WIDTHS = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16}
_CODES = {"K": "q", "J": "i", "I": "h", "D": "d", "E": "f"}


def _cards(file: BinaryIO) -> dict[str, str]:
    """Read one header."""
    found: dict[str, str] = {}
    while block := file.read(BLOCK):
        for start in range(0, len(block), 80):
            card = block[start : start + 80].decode("ascii", "replace")
            if card.startswith("END     "):
                return found
            if card[8:10] == "= ":
                found[card[:8].strip()] = card[10:].partition("/")[0].strip().strip("' ")
    raise ValueError("the header has no end")


def catalog_rows(file: BinaryIO, names: Iterable[str], rows_at_once: int = 20_000) -> Iterator[tuple[float, ...]]:
    """Yield the rows of some columns of a FITS file's first table."""
    _cards(file)
    cards = _cards(file)
    width, count = int(cards["NAXIS1"]), int(cards["NAXIS2"])
    places, place = {}, 0
    for index in range(1, int(cards["TFIELDS"]) + 1):
        form = re.fullmatch(r"(\d*)([LBIJKAEDCMXPQ]).*", cards[f"TFORM{index}"])
        if form is None:
            raise ValueError(f"a column of the form {cards[f'TFORM{index}']}")
        repeat, code = int(form.group(1) or 1), form.group(2)
        places[cards[f"TTYPE{index}"]] = (place, code, repeat)
        place += (repeat + 7) // 8 if code == "X" else repeat * {"P": 8, "Q": 16, **_WIDTHS}[code]
    requested = [places[name] for name in names]
    order = sorted(range(len(requested)), key=lambda index: requested[index][0])
    layout, at = ">", 0
    for index in order:
        start, code, _repeat = requested[index]
        layout += f"{start - at}x{_CODES[code]}"
        at = start + _WIDTHS[code]
    layout += f"{width - at}x"
    back = [order.index(index) for index in range(len(requested))]
    for first in range(0, count, rows_at_once):
        size = width * min(rows_at_once, count - first)
        data = file.read(size)
        if len(data) < size:
            raise ValueError("the table is cut off")
        for row in struct.iter_unpack(layout, data):
            yield tuple(row[index] for index in back)


def in_cone(cone: tuple[float, float, float], right_ascension: float, declination: float) -> bool:
    ra, dec, radius = (radians(value) for value in cone)
    other_ra, other_dec = radians(right_ascension), radians(declination)
    # By the chord, which is exact for small angles.
    dx = cos(other_dec) * cos(other_ra) - cos(dec) * cos(ra)
    dy = cos(other_dec) * sin(other_ra) - cos(dec) * sin(ra)
    dz = sin(other_dec) - sin(dec)
    return dx * dx + dy * dy + dz * dz <= (2 * sin(radius / 2)) ** 2


def progress_words(done: int, total: int, seconds: float, width: int = 20) -> str:
    """Return a bar, bytes, rate and remaining time."""
    share = done / total if total else 1.0
    bar = "█" * int(share * width) + "░" * (width - int(share * width))
    if seconds <= 0 or done <= 0:
        return f"{bar} {decimal_size(done)} of {decimal_size(total)}"
    clock = duration((total - done) * seconds / done, whole=True)
    return f"{bar} {decimal_size(done)} of {decimal_size(total)}, {decimal_size(done / seconds)}/s, {clock} left"


def check_room(total: int, kept: int, cache_max: int, free: int, reserve: int) -> None:
    """Refuse what does not fit into the cache or the disk."""
    if cache_max and total > cache_max:
        raise LabError(
            f"{decimal_size(total)} cannot be fetched.",
            f"The cache holds {decimal_size(cache_max)}; the oldest of it would go before the last has come.",
            "Ask for less, or while no lab runs for a larger cache: "
            f"-e lab_cache_max={-(-total * 11 // 10 // 1024**3)}GiB",
        )
    missing = total - kept
    if missing + reserve > free:
        raise LabError(
            f"{decimal_size(total)} cannot be fetched.",
            f"{decimal_size(missing)} of it are not here yet, and {decimal_size(free)} of the disk are free, of which "
            f"{decimal_size(reserve)} stay so.",
            "Ask for less, make room, or put the cache on another disk: -e lab_cache=/path",
        )
