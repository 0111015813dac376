# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the columns hold that tell of targets, fibers and coadds."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from .instrument import BANDS
from .population import IMAGING_RELEASE, Coadd, Observation, Target
from .sky import MILLIMETERS_PER_DEGREE
from .templates import photometry

Row = dict[str, Any]

_DARK, _BRIGHT = 1, 4
_WAVE_OF_GUIDING = 5400.0
_POINT_THROUGHPUT = 0.78
_FLUX_ERROR = {"G": 0.012, "R": 0.018, "Z": 0.045, "W1": 0.30, "W2": 0.95}
"""Scatter of the imaging, in nanomaggies."""


@cache
def target_row(target: Target, survey: str) -> Row:
    """What the imaging surveys and target selection know. Do not change it: it is shared."""
    kind, draws = target.kind, target.draws("imaging")
    sky, star = kind.objtype == "SKY", kind.spectype == "STAR"
    point = target.morphology in ("PSF", "")
    row: Row = {
        "TARGETID": target.targetid,
        "TARGET_RA": target.ra,
        "TARGET_DEC": target.dec,
        "PLATE_RA": target.ra,
        "PLATE_DEC": target.dec,
        "PMRA": draws.normal(0.0, 6.0) if star else 0.0,
        "PMDEC": draws.normal(0.0, 6.0) if star else 0.0,
        "REF_EPOCH": 2015.5 if star else 0.0,
        "PARALLAX": draws.uniform(0.1, 1.5) if star else 0.0,
        "REF_ID": draws.integer(10**17, 4 * 10**18) if star else 0,
        "REF_CAT": "G2" if star else "",
        "FA_TARGET": sum(1 << bit for bit in kind.bits),
        "FA_TYPE": kind.fa_type,
        "OBJTYPE": kind.objtype,
        "SUBPRIORITY": draws.uniform(),
        "OBSCONDITIONS": _BRIGHT if kind.name in ("BGS", "MWS") else _DARK,
        "PRIORITY": kind.priority,
        "PRIORITY_INIT": kind.priority,
        "NUMOBS_INIT": kind.observations,
        "RELEASE": IMAGING_RELEASE,
        "BRICKNAME": target.brickname,
        "BRICKID": target.brickid,
        "BRICK_OBJID": target.objid,
        "MORPHTYPE": target.morphology,
        "EBV": draws.uniform(0.015, 0.06),
        "MASKBITS": 0,
        "SERSIC": 0.0
        if point
        else {"EXP": 1.0, "REX": 1.0, "DEV": 4.0}.get(target.morphology, draws.uniform(1.0, 5.0)),
        "SHAPE_R": 0.0 if point else draws.uniform(0.3, 1.6),
        "SHAPE_E1": 0.0 if point or target.morphology == "REX" else draws.uniform(-0.4, 0.4),
        "SHAPE_E2": 0.0 if point or target.morphology == "REX" else draws.uniform(-0.4, 0.4),
        "PHOTSYS": "" if sky else "S",
        "LAMBDA_REF": _WAVE_OF_GUIDING,
    }
    return {**row, **_fluxes(target), **_gaia(target), **_masks(target, survey)}


def _fluxes(target: Target) -> Row:
    flux: dict[str, float] = dict(photometry(target))
    flux["W1"], flux["W2"] = (share * flux["Z"] for share in target.kind.infrared)
    row: Row = {}
    for band, value in flux.items():
        row[f"FLUX_{band}"] = value
        row[f"FLUX_IVAR_{band}"] = 1.0 / (_FLUX_ERROR[band] ** 2 + (0.01 * value) ** 2) if value else 0.0
    for band in BANDS:
        seen = flux[band] * _POINT_THROUGHPUT * target.compactness
        row[f"FIBERFLUX_{band}"] = row[f"FIBERTOTFLUX_{band}"] = seen
    return row


def _gaia(target: Target) -> Row:
    if target.kind.spectype != "STAR":
        return {f"GAIA_PHOT_{band}_MEAN_MAG": 0.0 for band in ("G", "BP", "RP")}
    blue, red, infrared = (22.5 - 2.5 * math.log10(photometry(target)[band]) for band in BANDS)
    return {
        "GAIA_PHOT_G_MEAN_MAG": red + 0.05,
        "GAIA_PHOT_BP_MEAN_MAG": 0.6 * blue + 0.4 * red,
        "GAIA_PHOT_RP_MEAN_MAG": 0.5 * red + 0.5 * infrared - 0.1,
    }


def _masks(target: Target, survey: str) -> Row:
    """Target masks: of the survey that observed it; those of the others are zero."""
    values = {
        "DESI": sum(1 << bit for bit in target.kind.bits),
        "BGS": target.kind.bgs_target,
        "MWS": target.kind.mws_target,
        "SCND": 0,
    }
    row: Row = {"CMX_TARGET": values["DESI"] if survey == "cmx" else 0}
    for prefix in ("", "SV1_", "SV2_", "SV3_"):
        mine = prefix.rstrip("_").lower() == (survey if survey.startswith("sv") else "")
        for name, value in values.items():
            row[f"{prefix}{name}_TARGET"] = value if mine and survey != "cmx" else 0
    return row


@cache
def exposure_row(seen: Observation) -> Row:
    """One fiber in one exposure. Do not change it: it is shared."""
    draws = seen.draws("positioner")
    # CS5 is in mm: a tenth of a fiber's width of 107 micrometers is a usual miss.
    delta_x, delta_y = draws.normal(0.0, 0.006), draws.normal(0.0, 0.006)
    degrees = 1.0 / MILLIMETERS_PER_DEGREE
    device = seen.fiber % 500 + 12
    return {
        **target_row(seen.target, seen.tile.survey),
        "NIGHT": seen.exposure.night,
        "EXPID": seen.exposure.expid,
        "MJD": seen.exposure.mjd,
        "TILEID": seen.tile.tileid,
        "EXPTIME": seen.exposure.exptime,
        "PETAL_LOC": seen.petal,
        "DEVICE_LOC": device,
        "LOCATION": 1000 * seen.petal + device,
        "FIBER": seen.fiber,
        "FIBERSTATUS": 0,
        "FIBERASSIGN_X": seen.x,
        "FIBERASSIGN_Y": seen.y,
        "NUM_ITER": 2,
        "FIBER_X": seen.x + delta_x,
        "FIBER_Y": seen.y + delta_y,
        "DELTA_X": delta_x,
        "DELTA_Y": delta_y,
        "FIBER_RA": seen.target.ra + delta_x * degrees / math.cos(math.radians(seen.target.dec)),
        "FIBER_DEC": seen.target.dec - delta_y * degrees,
        "PSF_TO_FIBER_SPECFLUX": _POINT_THROUGHPUT + draws.uniform(-0.03, 0.03),
        "IN_COADD_B": True,
        "IN_COADD_R": True,
        "IN_COADD_Z": True,
    }


def coadd_row(coadd: Coadd) -> Row:
    """A target with all its exposures summed up."""
    seen = [exposure_row(one) for one in coadd.observations]
    first = seen[0]
    return {
        **target_row(coadd.target, coadd.survey),
        **{name: first[name] for name in _OF_THE_FIRST},
        "COADD_FIBERSTATUS": 0,
        "COADD_NUMEXP": len(seen),
        "COADD_EXPTIME": sum(row["EXPTIME"] for row in seen),
        "COADD_NUMNIGHT": len({row["NIGHT"] for row in seen}),
        "COADD_NUMTILE": len({row["TILEID"] for row in seen}),
        "MEAN_DELTA_X": _mean(seen, "DELTA_X"),
        "RMS_DELTA_X": _rms(seen, "DELTA_X"),
        "MEAN_DELTA_Y": _mean(seen, "DELTA_Y"),
        "RMS_DELTA_Y": _rms(seen, "DELTA_Y"),
        "MEAN_FIBER_RA": _mean(seen, "FIBER_RA"),
        "STD_FIBER_RA": _scatter(seen, "FIBER_RA") * 3600.0 * math.cos(math.radians(coadd.target.dec)),
        "MEAN_FIBER_DEC": _mean(seen, "FIBER_DEC"),
        "STD_FIBER_DEC": _scatter(seen, "FIBER_DEC") * 3600.0,
        "MEAN_FIBER_X": _mean(seen, "FIBER_X"),
        "MEAN_FIBER_Y": _mean(seen, "FIBER_Y"),
        "MEAN_PSF_TO_FIBER_SPECFLUX": _mean(seen, "PSF_TO_FIBER_SPECFLUX"),
        "MIN_MJD": min(row["MJD"] for row in seen),
        "MAX_MJD": max(row["MJD"] for row in seen),
        "MEAN_MJD": _mean(seen, "MJD"),
        "FIRSTNIGHT": min(row["NIGHT"] for row in seen),
        "LASTNIGHT": max(row["NIGHT"] for row in seen),
    }


_OF_THE_FIRST = ("PETAL_LOC", "DEVICE_LOC", "LOCATION", "FIBER", "FIBERASSIGN_X", "FIBERASSIGN_Y", "TILEID")
"""In files by tile a target has one fiber."""


def _mean(rows: list[Row], name: str) -> float:
    return sum(row[name] for row in rows) / len(rows)


def _rms(rows: list[Row], name: str) -> float:
    return math.sqrt(sum(row[name] ** 2 for row in rows) / len(rows))


def _scatter(rows: list[Row], name: str) -> float:
    mean = _mean(rows, name)
    return math.sqrt(sum((row[name] - mean) ** 2 for row in rows) / len(rows))
