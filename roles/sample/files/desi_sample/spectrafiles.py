# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that hold spectra: spectra, coadd and redrock, of a healpixel or of a petal of a tile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import columns, instrument
from .fibermaps import Row, coadd_row, exposure_row
from .fitsfile import FitsFile
from .population import Coadd
from .redshifts import redrock_header, redshift_row
from .releases import Release
from .spectra import Spectrum, add_up, brightness, observe, tsnr2

Header = dict[str, Any]

_FLUX_UNIT = "10**-17 erg/(s cm2 Angstrom)"
_IVAR_UNIT = "10**+34 (s2 cm4 Angstrom2) / erg2"
_COUNTS_A_FLUX = 60.0
"""Electrons for 1e-17 erg/s/cm2/Angstrom in a pixel after 1000 s, about."""


def healpix_header(healpix: int, survey: str, program: str) -> Header:
    return {
        "SPGRP": "healpix",
        "SPGRPVAL": healpix,
        "HPXPIXEL": healpix,
        "HPXNSIDE": 64,
        "HPXNEST": True,
        "SURVEY": survey,
        "PROGRAM": program,
    }


def tile_header(tileid: int, night: int, petal: int) -> Header:
    return {
        "SPGRP": "cumulative",
        "SPGRPVAL": night,
        "NIGHT": night,
        "TILEID": tileid,
        "SPECTRO": petal,
        "PETAL": petal,
    }


def write_coadd(
    path: Path, release: Release, coadds: list[Coadd], header: Header, by_tile: bool, survey: str = ""
) -> Path:
    added = [add_up(coadd) for coadd in coadds]
    file = FitsFile(path, header)
    _add_fibermaps(file, survey or release.survey, coadds, by_tile)
    _add_cameras(file, added, release.mask_dtype)
    file.add_table("SCORES", map(_coadd_scores, coadds, added), columns.coadd_scores())
    return file.close()


def write_redrock(
    path: Path, release: Release, coadds: list[Coadd], header: Header, by_tile: bool, survey: str = ""
) -> Path:
    file = FitsFile(path, {**redrock_header(release), **header})
    file.add_table("REDSHIFTS", [redshift_row(coadd.target) for coadd in coadds], columns.redshifts())
    _add_fibermaps(file, survey or release.survey, coadds, by_tile)
    file.add_table("TSNR2", map(_depth, coadds), columns.redrock_tsnr2())
    return file.close()


def write_spectra(path: Path, release: Release, coadds: list[Coadd], header: Header) -> Path:
    """Every exposure for itself. Scores come last, as in the files of iron."""
    observations = [seen for coadd in coadds for seen in coadd.observations]
    taken = [observe(seen) for seen in observations]
    file = FitsFile(path, header)
    file.add_table("FIBERMAP", map(exposure_row, observations), columns.spectra_fibermap(release.survey))
    _add_cameras(file, taken, release.mask_dtype)
    rows = [
        {"TARGETID": seen.target.targetid, **tsnr2([seen.exposure]), **_counts(spectrum, seen.exposure.exptime)}
        for seen, spectrum in zip(observations, taken)
    ]
    file.add_table("SCORES", rows, columns.spectra_scores())
    return file.close()


def _add_fibermaps(file: FitsFile, survey: str, coadds: list[Coadd], by_tile: bool) -> None:
    file.add_table("FIBERMAP", map(coadd_row, coadds), columns.coadd_fibermap(survey, by_tile))
    exposures = [exposure_row(seen) for coadd in coadds for seen in coadd.observations]
    file.add_table("EXP_FIBERMAP", exposures, columns.exp_fibermap())


def _add_cameras(file: FitsFile, spectra: list[Spectrum], mask_dtype: str) -> None:
    for camera in instrument.CAMERAS:
        file.add_image(f"{camera}_WAVELENGTH", instrument.wavelengths(camera), "Angstrom")
        file.add_image(f"{camera}_FLUX", np.array([one.flux[camera] for one in spectra]), _FLUX_UNIT)
        file.add_image(f"{camera}_IVAR", np.array([one.ivar[camera] for one in spectra]), _IVAR_UNIT)
        file.add_image(f"{camera}_MASK", np.array([one.mask[camera] for one in spectra]).astype(mask_dtype))
        file.add_image(f"{camera}_RESOLUTION", np.array([one.resolution[camera] for one in spectra]), packed=True)


def _depth(coadd: Coadd) -> Row:
    return {"TARGETID": coadd.target.targetid, **tsnr2(seen.exposure for seen in coadd.observations)}


def _coadd_scores(coadd: Coadd, added: Spectrum) -> Row:
    row = _depth(coadd)
    for camera in instrument.CAMERAS:
        total, median, signal = brightness(added, camera)
        row[f"INTEG_COADD_FLUX_{camera}"] = total
        row[f"MEDIAN_COADD_FLUX_{camera}"] = median
        row[f"MEDIAN_COADD_SNR_{camera}"] = signal
    return row


def _counts(taken: Spectrum, exptime: float) -> Row:
    """The scores of single exposures tell of each stage of the reduction; here the stages hardly differ."""
    row: Row = {}
    for camera in instrument.CAMERAS:
        total, median, signal = brightness(taken, camera)
        electrons = _COUNTS_A_FLUX * exptime / instrument.NOMINAL_EXPTIME
        for stage, sky in (("RAW", 300.0), ("FFLAT", 300.0), ("SKYSUB", 0.0), ("CALIB", 0.0)):
            scale = 1.0 if stage == "CALIB" else electrons
            row[f"SUM_{stage}_COUNT_{camera}"] = total * scale + 2300.0 * sky
            row[f"MEDIAN_{stage}_COUNT_{camera}"] = median * scale + sky
            row[f"MEDIAN_{stage}_SNR_{camera}"] = signal
    return row
