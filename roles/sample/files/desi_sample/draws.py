# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random numbers that are the same on every machine and with every version of numpy.

Only the raw output of the bit generator is promised to stay, so the distributions are made here, and of
operations alone that IEEE 754 rounds exactly.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

_T = TypeVar("_T")


class Draws:
    """A stream of its own for each key: adding a target changes no other target."""

    def __init__(self, *key: int | str) -> None:
        words = [zlib.crc32(part.encode()) if isinstance(part, str) else abs(part) for part in key]
        self._bits = np.random.PCG64(np.random.SeedSequence(words))

    def uniforms(self, low: float, high: float, size: int) -> np.ndarray:
        unit = (self._bits.random_raw(size) >> np.uint64(11)).astype("f8") * 2.0**-53
        return low + (high - low) * unit

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        return float(self.uniforms(low, high, 1)[0])

    def normals(self, size: int) -> np.ndarray:
        """Sums of twelve uniforms: mean 0, variance 1, and never beyond 6."""
        raw = self._bits.random_raw(3 * size)
        parts = raw.astype("<u8").view("<u2").reshape(size, 12)
        return (parts.sum(axis=1, dtype="i8") - 6 * 65535) / 65536.0

    def normal(self, mean: float = 0.0, sigma: float = 1.0) -> float:
        return mean + sigma * float(self.normals(1)[0])

    def integer(self, low: int, high: int) -> int:
        """One of low ... high - 1."""
        return low + int(self._bits.random_raw() % (high - low))

    def choice(self, options: Sequence[_T]) -> _T:
        return options[self.integer(0, len(options))]


def quantize(values: ArrayLike, bits: int) -> np.ndarray:
    """Round to so many significant bits.

    The last bit of an exponential or a cosine differs from processor to processor; what is written does not.
    Long runs of zero bits also compress well.
    """
    mantissa, exponent = np.frexp(np.asarray(values, dtype="f8"))
    return np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)
