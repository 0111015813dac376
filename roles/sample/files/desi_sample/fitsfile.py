# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing FITS files: marked as synthetic, and with nothing in them that changes from run to run."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fitsio
import numpy as np

from .columns import Column
from .draws import quantize

_MARK = (
    ("SYNTHET", True, "SYNTHETIC data, made by a program"),
    ("COMMENT", "SYNTHETIC DATA: this file was made by the sample generator of DESI Lab.", ""),
    ("COMMENT", "It has the shape of a DESI file, but no photon of it came from the sky.", ""),
    ("COMMENT", "Do not use it for science.", ""),
)
_FLOAT_BITS = {"f4": 20, "f8": 42}


def table(rows: Iterable[dict[str, Any]], columns: list[Column]) -> np.ndarray:
    """Rows, which may hold more than is asked for, as an array of those columns."""
    listed = list(rows)
    dtype = [(name, "f8", (10,)) if kind == "10f8" else (name, kind) for name, kind, _unit in columns]
    array = np.zeros(len(listed), dtype=dtype)
    for name, kind, _unit in columns:
        values = np.array([row[name] for row in listed])
        kind = kind.removeprefix("10")
        array[name] = quantize(values, _FLOAT_BITS[kind]) if kind in _FLOAT_BITS else values
    return array


class FitsFile:
    """A file in the making. A name that ends in ``.gz`` is compressed when it is closed."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._plain = path.with_suffix("") if path.suffix == ".gz" else path
        self._fits = fitsio.FITS(str(self._plain), "rw", clobber=True)
        cards = [{"name": name, "value": value, "comment": comment} for name, value, comment in _MARK]
        cards += [{"name": name, "value": value} for name, value in header.items()]
        self._fits.write_image(None, header=cards)

    def add_table(
        self, name: str, rows: Iterable[dict[str, Any]], columns: list[Column], header: dict[str, Any] | None = None
    ) -> None:
        units = [unit for _name, _kind, unit in columns]
        self._fits.write_table(table(rows, columns), extname=name, units=units, header=header or {})

    def add_image(self, name: str, pixels: np.ndarray, unit: str = "", packed: bool = False) -> None:
        """Write an image; packed, it takes a fraction of the bytes and no value changes. Every reader unpacks it."""
        packing = {"compress": "gzip_2", "qlevel": 0} if packed else {}
        self._fits.write_image(pixels, extname=name, header={"BUNIT": unit} if unit else {}, **packing)

    def close(self) -> Path:
        self._fits.close()
        if self._plain != self._path:
            # The name and the time that gzip would note would make each run another file.
            with self._path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                packed.write(self._plain.read_bytes())
            self._plain.unlink()
        return self._path
