# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things are: healpixels, bricks, the identifiers made of them, and the focal plane."""

from __future__ import annotations

import math

NSIDE = 64
MILLIMETERS_PER_DEGREE = 254.0
TILE_RADIUS = 1.6
"""Degrees."""


def healpixel(ra: float, dec: float, nside: int = NSIDE) -> int:
    """The nested healpixel that holds a position (Gorski et al. 2005, section 5)."""
    z = math.sin(math.radians(dec))
    quarter = (ra % 360.0) / 90.0
    if abs(z) <= 2.0 / 3.0:
        rising = int(nside * (0.5 + quarter - 0.75 * z))
        falling = int(nside * (0.5 + quarter + 0.75 * z))
        low, high = rising // nside, falling // nside
        face = low % 4 + 4 if low == high else low if low < high else high + 8
        x = falling % nside
        y = nside - 1 - rising % nside
    else:
        within = quarter - int(quarter)
        reach = nside * math.sqrt(3.0 * (1.0 - abs(z)))
        towards = min(int(within * reach), nside - 1)
        away = min(int((1.0 - within) * reach), nside - 1)
        if z > 0:
            face, x, y = int(quarter), nside - 1 - away, nside - 1 - towards
        else:
            face, x, y = int(quarter) + 8, towards, away
    interleaved = 0
    for bit in range(nside.bit_length()):
        interleaved |= (x >> bit & 1) << 2 * bit | (y >> bit & 1) << 2 * bit + 1
    return face * nside * nside + interleaved


def shifted(ra: float, dec: float, east: float, north: float) -> tuple[float, float]:
    """A position so many degrees east and north of another one (tiles are small: no curvature)."""
    return (ra + east / math.cos(math.radians(dec))) % 360.0, dec + north


def focal_plane(ra: float, dec: float, tile_ra: float, tile_dec: float) -> tuple[float, float]:
    """Millimeters from the middle of the focal plane."""
    east = ((ra - tile_ra + 180.0) % 360.0 - 180.0) * math.cos(math.radians(tile_dec))
    return -east * MILLIMETERS_PER_DEGREE, (dec - tile_dec) * MILLIMETERS_PER_DEGREE


def petal(x: float, y: float) -> int:
    """Which of the ten wedges of the focal plane holds a place on it."""
    return int((math.degrees(math.atan2(y, x)) + 108.0) % 360.0 / 36.0) % 10


def brick(ra: float, dec: float) -> tuple[int, str]:
    """Number and name of the quarter-degree brick. The numbering is our own: the real one needs a table."""
    column, row = int(ra * 4), int((dec + 90.0) * 4)
    middle_ra, middle_dec = (column + 0.5) / 4, (row + 0.5) / 4 - 90.0
    sign = "p" if middle_dec >= 0 else "m"
    return row * 1440 + column, f"{int(middle_ra * 10):04d}{sign}{int(abs(middle_dec) * 10):03d}"


def targetid(release: int, brickid: int, objid: int, sky: bool) -> int:
    """The identifier as DESI packs it: object, brick and imaging release, and a bit for blank sky."""
    return objid | brickid << 22 | release << 42 | int(sky) << 59


def designation(ra: float, dec: float) -> str:
    """The name of a position, cut off and not rounded: ``DESI J179.2968+00.0000``."""
    sign = "+" if dec >= 0 else "-"
    return f"DESI J{math.floor(ra * 1e4) / 1e4:08.4f}{sign}{math.floor(abs(dec) * 1e4) / 1e4:07.4f}"
