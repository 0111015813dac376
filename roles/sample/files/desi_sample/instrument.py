# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The spectrographs: wavelengths, resolution and noise of the three cameras."""

from __future__ import annotations

from functools import cache

import numpy as np

from .draws import Draws, quantize

CAMERAS = ("B", "R", "Z")
STEP = 0.8
DIAGONALS = 11
NOMINAL_EXPTIME = 1000.0
_GRIDS = {"B": (3600.0, 2751), "R": (5760.0, 2326), "Z": (7520.0, 2881)}

_BLUR = ([3600, 4500, 5800, 6700, 7600, 8700, 9824], [0.86, 0.76, 0.70, 0.72, 0.66, 0.72, 0.76])
"""Wavelength and Gaussian width of a narrow line, both in Angstrom."""

_DARK_NOISE = (
    [3600, 3750, 4000, 4400, 5000, 5700, 5790, 6200, 7000, 7600, 8500, 9200, 9824],
    [1.35, 0.85, 0.55, 0.42, 0.34, 0.33, 0.36, 0.27, 0.23, 0.25, 0.23, 0.26, 0.42],
)
"""Wavelength, and scatter of a pixel between the sky lines after 1000 s, in 1e-17 erg/s/cm2/Angstrom."""

_SKY_LINES = ((5578.9, 4.5), (5891.6, 1.6), (5897.6, 1.2), (6302.0, 2.4), (6365.5, 1.3), (6865.7, 1.0))
_OH_BANDS = ((6834, 6980), (7246, 7450), (7714, 8070), (8282, 8540), (8758, 9120), (9310, 9820))
"""Where airglow is: atomic lines with how far they raise the noise, and bands of hydroxyl lines (vacuum)."""


def wavelengths(camera: str) -> np.ndarray:
    first, count = _GRIDS[camera]
    return np.round(first + STEP * np.arange(count), 1)


def blur(wave: np.ndarray) -> np.ndarray:
    """Gaussian width of the instrument's profile, in Angstrom."""
    return np.interp(wave, *_BLUR)


@cache
def noise(camera: str) -> np.ndarray:
    """Scatter of a pixel that sees blank sky for 1000 s."""
    wave = wavelengths(camera)
    draws = Draws("sky lines")
    lines = list(_SKY_LINES)
    for low, high in _OH_BANDS:
        centers = draws.uniforms(low, high, int((high - low) / 11))
        lines += [
            (center, 0.4 + 3.0 * strength**3) for center, strength in zip(centers, draws.uniforms(0, 1, len(centers)))
        ]
    raised = np.ones(len(wave))
    width = 1.2 * blur(wave)
    for center, strength in lines:
        raised = raised + strength * np.exp(-0.5 * ((wave - center) / width) ** 2)
    return np.interp(wave, *_DARK_NOISE) * raised


def resolution(camera: str, fiber: int) -> np.ndarray:
    """The bands of a fiber's resolution matrix, shape (11, pixels), as ``scipy.sparse.dia_matrix`` takes them."""
    sharpness = 0.96 + 0.08 * Draws("resolution", fiber).uniform()
    width = blur(wavelengths(camera)) * sharpness / STEP
    offsets = np.arange(DIAGONALS)[:, None] - DIAGONALS // 2
    bands = np.exp(-0.5 * (offsets / width[None, :]) ** 2)
    return (np.rint(bands / bands.sum(axis=0) * 4096.0) / 4096.0).astype("f4")


def magnitude_to_flux(mag: float) -> float:
    """Nanomaggies of an AB magnitude."""
    return 10.0 ** (-0.4 * (mag - 22.5))


BANDS = {"G": (4050.0, 5500.0), "R": (5650.0, 7150.0), "Z": (8500.0, 9824.0)}
PHOTOMETRY_WAVE = np.arange(3600.0, 9825.0, 25.0)


def band_flux(flux: np.ndarray, band: str) -> float:
    """Nanomaggies that a spectrum on PHOTOMETRY_WAVE, in 1e-17 erg/s/cm2/Angstrom, has in a top-hat band."""
    low, high = BANDS[band]
    inside = (low <= PHOTOMETRY_WAVE) & (high >= PHOTOMETRY_WAVE)
    per_angstrom = 1e-17 / 2.99792458e18 / 3.631e-29
    return float(quantize(np.mean(flux[inside] * PHOTOMETRY_WAVE[inside] ** 2) * per_angstrom, 30))
