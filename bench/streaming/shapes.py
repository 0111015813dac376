# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in the shape of DESI's: their names, HDUs and sizes are those of the real ones, their numbers are noise."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 2880
# Wavelengths of each camera; a row of the resolution has 11 bands.
CAMERAS = {"B": 2751, "R": 2326, "Z": 2881}
TREE_ROOT = "dr1/spectro/redux/iron"
HEALPIX = f"{TREE_ROOT}/healpix"


@dataclass(frozen=True)
class Sizes:
    """How large the files are made."""

    targets: int = 500  # of the coadd: 223 MB
    loop_targets: int = 100  # of each of the coadds of the loop: 45 MB
    loop_files: int = 30
    spectra: int = 400_000_000
    catalog: int = 2_000_000_000
    folders: int = 20_000


FULL = Sizes()
QUICK = Sizes(spectra=100_000_000, catalog=500_000_000)


def card(name: str, value: str | int | bool) -> bytes:
    number = "T" if value is True else str(value)
    text = f"'{value:8}'".ljust(20) if isinstance(value, str) else number.rjust(20)
    return f"{name:8}= {text}".ljust(80).encode()


def header(cards: list[tuple[str, str | int | bool]]) -> bytes:
    text = b"".join(card(name, value) for name, value in cards) + b"END".ljust(80)
    return text + b" " * (-len(text) % BLOCK)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % BLOCK)


def image(name: str, shape: tuple[int, ...], bitpix: int, data: bytes) -> bytes:
    axes = [(f"NAXIS{index}", length) for index, length in enumerate(reversed(shape), 1)]
    return header(
        [
            ("XTENSION", "IMAGE"),
            ("BITPIX", bitpix),
            ("NAXIS", len(shape)),
            *axes,
            ("PCOUNT", 0),
            ("GCOUNT", 1),
            ("EXTNAME", name),
        ]
    ) + padded(data)


def table(name: str, columns: list[tuple[str, str]], rows: int, data: bytes) -> bytes:
    fields = [
        pair for i, (label, form) in enumerate(columns, 1) for pair in ((f"TTYPE{i}", label), (f"TFORM{i}", form))
    ]
    return header(
        [
            ("XTENSION", "BINTABLE"),
            ("BITPIX", 8),
            ("NAXIS", 2),
            ("NAXIS1", len(data) // rows),
            ("NAXIS2", rows),
            ("PCOUNT", 0),
            ("GCOUNT", 1),
            ("TFIELDS", len(columns)),
            ("EXTNAME", name),
            *fields,
        ]
    ) + padded(data)


def primary() -> bytes:
    return header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True), ("SYNTHET", True)])


def rows(columns: list[tuple[str, str]], count: int, seed: int) -> bytes:
    """Make the rows of a table: TARGETID counts, everything else is noise."""
    kinds = {"K": ">i8", "D": ">f8", "E": ">f4", "J": ">i4"}
    made = np.empty(count, dtype=[(label, kinds[form]) for label, form in columns])
    noise = np.random.default_rng(seed)
    for label, form in columns:
        if label == "TARGETID":
            made[label] = np.arange(count) + 39_000_000_000_000_000 + seed * 1_000_000
        else:
            made[label] = noise.random(count) * 360 if form in "DE" else noise.integers(0, 5000, count)
    return made.tobytes()


def wide(count: int) -> list[tuple[str, str]]:
    """Return columns whose row has about as many bytes as that of the real tables (FIBERMAP: 400, zcatalog: 739)."""
    return [("TARGETID", "K"), ("TARGET_RA", "D"), ("TARGET_DEC", "D")] + [
        (f"COLUMN_{i}", "EJD"[i % 3]) for i in range(count)
    ]


def coadd(targets: int, seed: int) -> bytes:
    """Return a coadd: FIBERMAP, SCORES and the five images of each camera."""
    noise = np.random.default_rng(seed).standard_normal(targets * 2881 * 2, dtype="f4").astype(">f4").tobytes()
    parts = [primary(), table("FIBERMAP", wide(70), targets, rows(wide(70), targets, seed))]
    # Every target was seen a few times: the one number of rows that does not follow from the other.
    exposures = 3 * targets + seed % 50
    parts.append(table("EXP_FIBERMAP", wide(20), exposures, rows(wide(20), exposures, seed)))
    for camera, length in CAMERAS.items():
        parts.append(image(f"{camera}_WAVELENGTH", (length,), -64, np.arange(length, dtype=">f8").tobytes()))
        for kind, bitpix in (("FLUX", -32), ("IVAR", -32), ("MASK", 32)):
            parts.append(image(f"{camera}_{kind}", (targets, length), bitpix, noise[: targets * length * 4]))
        wanted = targets * length * 11 * 4
        resolution = (noise * (wanted // len(noise) + 1))[:wanted]
        parts.append(image(f"{camera}_RESOLUTION", (targets, 11, length), -32, resolution))
    parts.append(table("SCORES", wide(20), targets, rows(wide(20), targets, seed + 1)))
    return b"".join(parts)


def spectra(size: int, seed: int) -> bytes:
    """Return a gzipped file of one image, about so large."""
    pixels = np.random.default_rng(seed).standard_normal(size // 4, dtype="f4").astype(">f4").tobytes()
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(primary() + image("B_FLUX", (size // 4,), -32, pixels)) + packer.flush()


def catalog(size: int, seed: int) -> bytes:
    """Return a zcatalog: rows of 739 bytes or so, every block of which holds a piece of each column."""
    columns = wide(133)
    width = len(rows(columns, 1, seed))
    once = rows(columns, 20_000, seed)
    count = size // width
    data = once * (count // 20_000) + once[: (count % 20_000) * width]
    return primary() + table("ZCATALOG", columns, count, data)


def loop_names(count: int) -> list[str]:
    """Return coadds of healpixels that lie in folders, and groups, of their own."""
    return [
        f"{HEALPIX}/main/dark/{pixel // 100}/{pixel}/coadd-main-dark-{pixel}.fits"
        for pixel in range(7, 7 + 157 * count, 157)
    ]


def tree_names(folders: int) -> Iterator[str]:
    """Return a small file in each of so many healpixel folders."""
    made = 0
    for program in ("dark", "bright"):
        for pixel in range(folders // 2 + (made == 0 and folders % 2)):
            yield f"{HEALPIX}/main/{program}/{pixel // 100}/{pixel}/hpixexp-main-{program}-{pixel}.csv"


HEADERS = 19
COADD = f"{HEALPIX}/main/dark/230/23040/coadd-main-dark-23040.fits"
SPECTRA = f"{HEALPIX}/main/dark/230/23040/spectra-main-dark-23040.fits.gz"
CATALOG = f"{TREE_ROOT}/zcatalog/v1/zall-pix-iron.fits"


def files(sizes: Sizes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Return all files, the large first, each as name and what makes it."""
    yield CATALOG, lambda: catalog(sizes.catalog, 1)
    yield SPECTRA, lambda: spectra(sizes.spectra, 2)
    yield COADD, lambda: coadd(sizes.targets, 3)
    for seed, name in enumerate(loop_names(sizes.loop_files), 100):
        yield name, lambda seed=seed: coadd(sizes.loop_targets, seed)


def small_files(sizes: Sizes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for name in tree_names(sizes.folders):
        yield name, lambda: b"NIGHT,EXPID\n20210401,81000\n"
