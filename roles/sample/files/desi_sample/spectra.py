# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the spectrographs deliver: spectra of single exposures, their coadds, and the scores of both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import instrument
from .draws import quantize
from .instrument import CAMERAS
from .population import Coadd, Observation
from .templates import spectrum
from .tiles import Exposure

COSMIC_RATE = 4e-4
BAD_PIXEL = 2
"""The bit ALLBADPIX of desispec's ``specmask``."""


@dataclass(frozen=True)
class Spectrum:
    flux: dict[str, np.ndarray]
    ivar: dict[str, np.ndarray]
    mask: dict[str, np.ndarray]
    resolution: dict[str, np.ndarray]


# The spectra of one coadd, and no more: thousands of them would not fit in memory.
@lru_cache(maxsize=1024)
def observe(seen: Observation) -> Spectrum:
    """One exposure of one fiber. The noise has the variance that the inverse variance tells."""
    flux, ivar, mask, resolution = {}, {}, {}, {}
    draws = seen.draws("noise")
    depth = seen.exposure.efftime / seen.tile.goal * (instrument.NOMINAL_EXPTIME if seen.tile.goal > 500 else 300.0)
    for camera in CAMERAS:
        wave = instrument.wavelengths(camera)
        light = spectrum(seen.target, wave, instrument.blur(wave)) * seen.target.compactness
        sky = instrument.noise(camera) * draws.uniform(0.94, 1.06)
        variance = (sky**2 + 0.012 * np.abs(light)) * instrument.NOMINAL_EXPTIME / depth
        variance = quantize(variance + (0.012 * light) ** 2, 12)
        bad = draws.uniforms(0.0, 1.0, len(wave)) < COSMIC_RATE
        noisy = quantize(light, 16) + np.sqrt(variance) * draws.normals(len(wave))
        flux[camera] = noisy.astype("f4")
        ivar[camera] = np.where(bad, 0.0, 1.0 / variance).astype("f4")
        mask[camera] = np.where(bad, BAD_PIXEL, 0).astype("i4")
        resolution[camera] = instrument.resolution(camera, seen.fiber)
    return Spectrum(flux, ivar, mask, resolution)


def add_up(coadd: Coadd) -> Spectrum:
    """The mean of the exposures, weighted by their inverse variance, camera by camera."""
    exposures = [observe(seen) for seen in coadd.observations]
    flux, ivar, mask, resolution = {}, {}, {}, {}
    for camera in CAMERAS:
        weights = [exposure.ivar[camera].astype("f8") for exposure in exposures]
        total = _sum(weights)
        weighted = _sum([weight * exposure.flux[camera] for weight, exposure in zip(weights, exposures)])
        plain = _sum([exposure.flux[camera] for exposure in exposures]) / len(exposures)
        flux[camera] = np.where(total > 0, weighted / np.maximum(total, 1e-30), plain).astype("f4")
        ivar[camera] = total.astype("f4")
        mask[camera] = np.where(total > 0, 0, BAD_PIXEL).astype("i4")
        bands = _sum([exposure.resolution[camera] for exposure in exposures]) / len(exposures)
        resolution[camera] = bands.astype("f4")
    return Spectrum(flux, ivar, mask, resolution)


def _sum(arrays: list[np.ndarray]) -> np.ndarray:
    """The sum of arrays, one after the other: numpy may take another order on another processor."""
    total = np.zeros(arrays[0].shape)
    for array in arrays:
        total = total + array
    return total


_SCORE_RANGES = {"B": (4000.0, 5800.0), "R": (5800.0, 7600.0), "Z": (7600.0, 9800.0)}


def brightness(taken: Spectrum, camera: str) -> tuple[float, float, float]:
    """Integrated flux, median flux and median signal to noise per root Angstrom of a camera."""
    low, high = _SCORE_RANGES[camera]
    wave = instrument.wavelengths(camera)
    inside = (wave >= low) & (wave <= high)
    flux, ivar = taken.flux[camera][inside].astype("f8"), taken.ivar[camera][inside].astype("f8")
    signal = flux * np.sqrt(ivar) / np.sqrt(instrument.STEP)
    total, middle, clear = quantize([flux.sum() * instrument.STEP, np.median(flux), np.median(signal)], 20)
    return float(total), float(middle), float(clear)


_TSNR2 = {
    "GPBDARK": (0.9, 1100.0, (0.35, 0.50, 0.15)),
    "ELG": (1.0, 150.0, (0.01, 0.24, 0.75)),
    "GPBBRIGHT": (0.9, 220.0, (0.35, 0.50, 0.15)),
    "LYA": (1.1, 95.0, (0.99, 0.01, 0.0)),
    "BGS": (1.0, 7200.0, (0.25, 0.45, 0.30)),
    "GPBBACKUP": (0.9, 1400.0, (0.35, 0.50, 0.15)),
    "QSO": (1.0, 32.0, (0.25, 0.35, 0.40)),
    "LRG": (1.0, 85.0, (0.01, 0.32, 0.67)),
}
"""How the depth grows with effective time, what 1000 s give, and the share of each camera."""


def tsnr2(exposures: Iterable[Exposure]) -> dict[str, float]:
    """Squared signal to noise of template targets: by kind and camera, and summed over the cameras."""
    efftimes = [exposure.efftime for exposure in exposures]
    values: dict[str, float] = {}
    for name, (power, thousand, shares) in _TSNR2.items():
        total = 0.0
        depth = sum((efftime / 1000.0) ** power for efftime in efftimes)
        for camera, share in zip(CAMERAS, shares):
            values[f"TSNR2_{name}_{camera}"] = float(quantize(thousand * share * depth, 20))
            total += values[f"TSNR2_{name}_{camera}"]
        values[f"TSNR2_{name}"] = total
    return values
