# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the targets look like before the instrument: continua, lines and absorption at their redshift."""

from __future__ import annotations

from functools import cache

import numpy as np

from . import features
from .draws import Draws
from .instrument import PHOTOMETRY_WAVE, band_flux, magnitude_to_flux
from .population import Target

_LIGHT = 299792.458
_LYMAN_ALPHA = 1215.67
_LYMAN_BETA = 1025.72


def spectrum(target: Target, wave: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """All of the target's light in 1e-17 erg/s/cm2/Angstrom, narrow lines blurred by so many Angstrom."""
    if target.kind.objtype == "SKY":
        return np.zeros(len(wave))
    return _shape(target, wave, blur) * _scale(target)


@cache
def photometry(target: Target) -> dict[str, float]:
    """Nanomaggies in g, r and z. Do not change it: it is shared."""
    if target.kind.objtype == "SKY":
        return dict.fromkeys("GRZ", 0.0)
    return {band: band_flux(_coarse_shape(target), band) * _scale(target) for band in "GRZ"}


def _scale(target: Target) -> float:
    return magnitude_to_flux(target.r_mag) / band_flux(_coarse_shape(target), "R")


@cache
def _coarse_shape(target: Target) -> np.ndarray:
    return _shape(target, PHOTOMETRY_WAVE, np.full(len(PHOTOMETRY_WAVE), 15.0))


def _shape(target: Target, wave: np.ndarray, blur: np.ndarray) -> np.ndarray:
    rest, rest_blur = wave / (1.0 + target.z), blur / (1.0 + target.z)
    if target.kind.spectype == "QSO":
        return _quasar(target, rest, rest_blur)
    if target.kind.spectype == "STAR":
        return _star(target, rest)
    return _galaxy(target, rest, rest_blur)


def _galaxy(target: Target, rest: np.ndarray, blur: np.ndarray) -> np.ndarray:
    draws = target.draws("galaxy")
    old, width_doublet = {
        "LRG": (1.0, 0.0),
        "BGS": (draws.uniform(0.35, 0.75), draws.uniform(6.0, 14.0)),
        "ELG": (0.06, draws.uniform(38.0, 75.0)),
    }[target.kind.name]
    flux = old * np.interp(rest, *features.OLD_STARS) * np.interp(rest, *_blanketing())
    flux = flux + (1.0 - old) * np.interp(rest, *features.YOUNG_STARS)
    for center, depth, width in features.GALAXY_ABSORPTION:
        flux = flux * (1.0 - (0.25 + 0.75 * old) * depth * _bell(rest, center, width))
    speed = draws.uniform(55.0, 95.0)
    near = float(np.interp(3728.0, rest, flux)) if rest[0] < 3728.0 else 1.0
    for center, strength in features.NEBULAR:
        widths = np.sqrt(blur**2 + (center * speed / _LIGHT) ** 2)
        flux = flux + near * width_doublet * strength / 1.74 * _bell(rest, center, widths) / (2.5066 * widths)
    return flux


@cache
def _blanketing() -> tuple[np.ndarray, np.ndarray]:
    """Many weak metal lines of old stars, blurred by the motion of the stars: the same for every galaxy."""
    draws = Draws("blanketing")
    rest = np.arange(2000.0, 8000.0, 0.5)
    left = np.ones(len(rest))
    for center, depth in zip(draws.uniforms(2600.0, 6800.0, 330), draws.uniforms(0.0, 1.0, 330)):
        faded = min(1.0, (4300.0 / center) ** 3)
        left = left * (1.0 - 0.20 * depth**2 * faded * _bell(rest, center, center * 270.0 / _LIGHT))
    return rest, left


def _quasar(target: Target, rest: np.ndarray, blur: np.ndarray) -> np.ndarray:
    draws = target.draws("quasar")
    slope = draws.uniform(-1.75, -1.30)
    continuum = (rest / 2500.0) ** slope
    broader = draws.uniform(0.85, 1.3)
    flux = continuum
    for center, equivalent_width, width in features.QUASAR:
        strength = equivalent_width * draws.uniform(0.7, 1.35)
        shape = np.sqrt((width * (broader if width > 6.0 else 1.0)) ** 2 + blur**2)
        flux = flux + (center / 2500.0) ** slope * strength * _bell(rest, center, shape) / (2.5066 * shape)
    return flux * _forest(target, rest, blur)


def _forest(target: Target, rest: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """What intergalactic hydrogen lets through: Lyman alpha and beta of clouds in front of the quasar."""
    first = 3550.0 / _LYMAN_ALPHA - 1.0
    if target.z <= first:
        return np.ones(len(rest))
    draws = target.draws("forest")
    opacity = np.zeros(len(rest))
    count = int(480.0 * (target.z - first) * ((1.0 + target.z) / 3.4) ** 2.2)
    redshifts, ranks = draws.uniforms(first, target.z, count), draws.uniforms(0.0, 1.0, count)
    depths = np.minimum(0.09 / (1.0 - 0.995 * ranks), 6.0)
    reach = int(np.ceil(6.0 * blur.max() / (rest[1] - rest[0])))
    for line, share in ((_LYMAN_ALPHA, 1.0), (_LYMAN_BETA, 0.16)):
        centers = line * (1.0 + redshifts) / (1.0 + target.z)
        pixels = np.searchsorted(rest, centers)[:, None] + np.arange(-reach, reach + 1)[None, :]
        clouds, columns = np.nonzero((pixels >= 0) & (pixels < len(rest)))
        near = pixels[clouds, columns]
        width = np.sqrt((centers[clouds] * 28.0 / _LIGHT) ** 2 + blur[near] ** 2)
        np.add.at(opacity, near, share * depths[clouds] * np.exp(-0.5 * ((rest[near] - centers[clouds]) / width) ** 2))
    return np.exp(-opacity)


def _star(target: Target, rest: np.ndarray) -> np.ndarray:
    temperature, hydrogen, metals, molecules = features.STELLAR_CLASSES[target.subtype]
    heat = 1.4387769e8 / temperature
    flux = (rest / 6500.0) ** -5 * (np.exp(heat / 6500.0) - 1.0) / (np.exp(heat / rest) - 1.0)
    flux = flux * (1.0 - 0.55 * hydrogen / (1.0 + np.exp((rest - 3690.0) / 25.0)))
    for center in features.BALMER:
        flux = flux * (1.0 - hydrogen * _bell(rest, center, 5.0) - 0.35 * hydrogen * _bell(rest, center, 14.0))
    for center, strength, width in features.METALS:
        flux = flux * (1.0 - 0.75 * metals * strength * _bell(rest, center, width))
    flux = flux * (1.0 - metals * (1.0 - np.interp(rest, *_blanketing())))
    for head, depth, length in features.TITANIUM_OXIDE:
        beyond = np.maximum(rest - head, 0.0)
        flux = flux * (1.0 - molecules * depth * (rest >= head) * np.exp(-beyond / length))
    return flux


def _bell(rest: np.ndarray, center: float, width: np.ndarray | float) -> np.ndarray:
    return np.exp(-0.5 * ((rest - center) / width) ** 2)
