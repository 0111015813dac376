# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of targets: how they are selected, how bright and how far they are, what Redrock calls them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """Bits are those of desitarget's ``desi_mask``, the same in the main survey and in SV."""

    name: str
    bits: tuple[int, ...]
    spectype: str
    r_mag: tuple[float, float]
    """Mean and scatter of the total AB magnitude."""
    redshift: tuple[float, float]
    """Range; for stars, of the radial velocity over the speed of light."""
    morphology: tuple[str, ...]
    compactness: tuple[float, float]
    """Share of the light that the fiber sees, relative to a point source."""
    infrared: tuple[float, float]
    """W1 and W2 flux over z-band flux."""
    priority: int
    observations: int
    bgs_target: int = 0
    mws_target: int = 0
    fa_type: int = 1
    objtype: str = "TGT"


_POINT = (1.0, 1.0)
_VELOCITY = (-6e-4, 6e-4)

KINDS = {
    kind.name: kind
    for kind in (
        Kind("LRG", (0, 16), "GALAXY", (20.6, 0.5), (0.40, 1.05), ("DEV", "SER"), (0.40, 0.60), (3.4, 2.3), 3200, 2),
        Kind("ELG", (1, 5, 17, 19), "GALAXY", (22.9, 0.3), (0.65, 1.55), ("EXP", "REX"),
             (0.60, 0.80), (0.9, 0.6), 3100, 2),
        Kind("QSO", (2, 18), "QSO", (20.4, 0.8), (0.70, 3.40), ("PSF",), _POINT, (1.6, 2.1), 3400, 4),
        Kind("BGS", (60,), "GALAXY", (18.9, 0.5), (0.04, 0.42), ("SER", "DEV", "EXP"),
             (0.35, 0.50), (1.3, 0.9), 2100, 2, bgs_target=2),
        Kind("STD", (33, 61), "STAR", (17.4, 0.5), _VELOCITY, ("PSF",),
             _POINT, (0.35, 0.20), 1500, 1, mws_target=1, fa_type=3),
        Kind("MWS", (61,), "STAR", (17.6, 0.7), _VELOCITY, ("PSF",), _POINT, (0.60, 0.35), 1500, 1, mws_target=1),
        Kind("SKY", (32,), "GALAXY", (99.0, 0.0), (0.05, 1.60), ("",),
             _POINT, (0.0, 0.0), 0, -1, fa_type=4, objtype="SKY"),
    )
}  # fmt: skip

MIXES = {
    "dark": ("LRG", "LRG", "ELG", "ELG", "ELG", "QSO", "QSO", "STD", "SKY"),
    "bright": ("BGS", "BGS", "BGS", "BGS", "MWS", "MWS", "STD", "SKY"),
    "backup": ("MWS", "MWS", "STD", "SKY"),
    "other": ("LRG", "ELG", "QSO", "BGS", "MWS", "STD", "SKY"),
}
"""What a program points its fibers at."""

STAR_CLASSES = ("G", "K", "M")
"""Of Milky Way targets; standard stars are of class F."""
