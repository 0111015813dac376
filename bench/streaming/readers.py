# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people do with DESI's files, timed: python -m streaming.readers WHAT ROOT [JSON]. Prints one JSON document.

Runs as a process of its own, so that a mount that hangs can be given up. What is imported is not timed.
"""

from __future__ import annotations

import glob
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import shapes

Result = dict[str, float]
BLOCK = shapes.BLOCK


def read_at(file: int, size: int, place: int) -> bytes:
    """Read on to the end, as any library does: one call may give only what came before an error."""
    data = b""
    while len(data) < size:
        piece = os.pread(file, size - len(data), place + len(data))
        if not piece:
            break
        data += piece
    return data


def walk(read: Callable[[int, int], bytes]) -> Iterator[tuple[str, int, int]]:
    """Follow the chain of headers; give name, place and size of the data of each HDU."""
    place = 0
    while text := read(BLOCK, place):
        while b"END".ljust(80) not in [text[i : i + 80] for i in range(len(text) - BLOCK, len(text), 80)]:
            text += read(BLOCK, place + len(text))
        cards = {text[i : i + 8].strip(): text[i + 10 : i + 80].strip() for i in range(0, len(text), 80)}
        axes = [int(cards[b"NAXIS%d" % i]) for i in range(1, int(cards[b"NAXIS"]) + 1)]
        size = abs(int(cards[b"BITPIX"])) // 8 if axes else 0
        for axis in axes:
            size *= axis
        yield cards.get(b"EXTNAME", b"").strip(b"' ").decode(), place + len(text), size
        place += len(text) + size + -size % BLOCK


def headers(root: Path) -> Result:
    file = os.open(root / shapes.COADD, os.O_RDONLY)
    found = list(walk(lambda size, place: read_at(file, size, place)))
    assert len(found) == shapes.HEADERS
    return {}


def one_hdu(root: Path) -> Result:
    file = os.open(root / shapes.COADD, os.O_RDONLY)
    for name, place, size in walk(lambda size, place: read_at(file, size, place)):
        if name == "Z_FLUX":
            assert len(read_at(file, size, place)) == size
            return {}
    raise AssertionError("there is no Z_FLUX")


def scattered(root: Path) -> Result:
    file = os.open(root / shapes.COADD, os.O_RDONLY)
    size = os.fstat(file).st_size
    chance = random.Random(5)
    for _ in range(10):
        assert len(read_at(file, 65536, chance.randrange(size - 65536))) == 65536
    return {}


def drain(path: Path) -> int:
    file, total = os.open(path, os.O_RDONLY), 0
    buffer = bytearray(1 << 20)
    while count := os.readv(file, [buffer]):
        total += count
    os.close(file)
    return total


def whole(root: Path) -> Result:
    return {"bytes": drain(root / shapes.COADD)}


def readers(count: int) -> Callable[[Path], Result]:
    def side_by_side(root: Path) -> Result:
        with ThreadPoolExecutor(count) as pool:
            names = shapes.loop_names(count)
            return {"bytes": sum(pool.map(drain, [root / name for name in names]))}

    return side_by_side


def loop(root: Path) -> Result:
    import fitsio

    for name in shapes.loop_names(30):
        assert len(fitsio.read(str(root / name), "FIBERMAP")) == shapes.FULL.loop_targets
    return {}


def with_fitsio(root: Path) -> Result:
    import fitsio

    with fitsio.FITS(str(root / shapes.COADD)) as file:
        assert file["Z_FLUX"].read().shape[1] == shapes.CAMERAS["Z"]
    return {}


def with_astropy(root: Path) -> Result:
    from astropy.io import fits

    with fits.open(root / shapes.COADD) as file:
        assert file["Z_FLUX"].data.sum() != 0
    return {}


def zipped(root: Path) -> Result:
    import fitsio

    fitsio.read(str(root / shapes.SPECTRA), 1)
    return {}


def column(root: Path) -> Result:
    import fitsio

    return {
        "bytes": (root / shapes.CATALOG).stat().st_size,
        "rows": len(fitsio.read(str(root / shapes.CATALOG), "ZCATALOG", columns=["TARGETID"])),
    }


def listing(root: Path) -> Result:
    """List the 20,000 healpixel folders, as the tutorials do."""
    return {"names": len(glob.glob(str(root / shapes.HEALPIX / "*/*/*/*")))}  # noqa: PTH207 - as people do


WHAT: dict[str, Callable[[Path], Result]] = {
    "headers": headers,
    "one_hdu": one_hdu,
    "scattered": scattered,
    "whole": whole,
    "fitsio": with_fitsio,
    "astropy": with_astropy,
    "loop": loop,
    "zipped": zipped,
    "column": column,
    "listing": listing,
    "readers4": readers(4),
    "readers8": readers(8),
}


def forget(root: Path) -> None:
    """Have the kernel forget what it read, so that the mount itself is asked again."""
    for name in (shapes.COADD, shapes.CATALOG, shapes.SPECTRA, *shapes.loop_names(30)):
        try:
            file = os.open(root / name, os.O_RDONLY)
        except OSError:
            continue
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def main() -> None:
    what, root = sys.argv[1], Path(sys.argv[2])
    if what in ("loop", "fitsio", "zipped", "column"):
        __import__("fitsio")
    if what == "astropy":
        __import__("astropy.io.fits")
    if "forget" in sys.argv:
        forget(root)
    began = time.perf_counter()
    result = WHAT[what](root)
    print(json.dumps({**result, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
