# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Redrock found, and the redshift catalogs made of it."""

from __future__ import annotations

from functools import cache
from typing import Any

from .fibermaps import Row, coadd_row
from .instrument import magnitude_to_flux
from .population import Coadd, Target
from .releases import Release
from .sky import designation
from .spectra import tsnr2

_PIXELS = 7928
_SKY_FIBER, _SMALL_DELTA_CHI2 = 1, 4
"""Bits of ``ZWARN``."""
_COEFFICIENTS = {"GALAXY": 10, "QSO": 4, "STAR": 5}

_TEMPLATES = {
    False: (("GALAXY", "2.6"), ("QSO", "0.1")),
    True: (("GALAXY", "2.6"), ("QSO:::HIZ", "0.1"), ("QSO:::LOZ", "1.0")),
}
_STAR_TEMPLATES = ("A", "B", "CV", "F", "G", "K", "M", "WD")


@cache
def redshift_row(target: Target) -> Row:
    """Type and redshift: those with which the spectrum was drawn. Do not change it: it is shared."""
    kind, draws = target.kind, target.draws("redrock")
    sky = kind.objtype == "SKY"
    clarity = (
        0.0
        if sky
        else magnitude_to_flux(target.r_mag) * {"ELG": 900.0, "LRG": 160.0, "QSO": 260.0}.get(kind.name, 120.0)
    )
    delta_chi2 = 4.0 * draws.uniform() if sky else 9.5 + clarity * draws.uniform(0.6, 1.4)
    error = {"QSO": 4e-4, "LRG": 6e-5}.get(kind.name, 2e-5)
    count = _COEFFICIENTS[kind.spectype]
    return {
        "TARGETID": target.targetid,
        "Z": target.z,
        "ZERR": error * draws.uniform(0.6, 1.5),
        "ZWARN": _SKY_FIBER | _SMALL_DELTA_CHI2 if sky else 0,
        "CHI2": _PIXELS * draws.uniform(0.97, 1.06),
        "COEFF": [draws.normal(0.0, 40.0 / (1 + number)) if number < count else 0.0 for number in range(10)],
        "NPIXELS": _PIXELS - draws.integer(0, 12),
        "SPECTYPE": kind.spectype,
        "SUBTYPE": target.subtype,
        "NCOEFF": count,
        "DELTACHI2": delta_chi2,
    }


def redrock_header(release: Release) -> dict[str, Any]:
    header: dict[str, Any] = {"RRVER": "0.15.0" if release.specprod == "fuji" else "0.17.0"}
    names = [*_TEMPLATES[release.quasar_subtypes], *((f"STAR:::{star}", "0.1") for star in _STAR_TEMPLATES)]
    for number, (name, version) in enumerate(names):
        header[f"TEMNAM{number:02d}"], header[f"TEMVER{number:02d}"] = name, version
    return header


def zcatalog_rows(coadds: list[Coadd], by_tile: bool) -> list[Row]:
    """One row a coadd; of the rows of a target, the deepest is its primary one."""
    rows = []
    for coadd in coadds:
        row = {
            **coadd_row(coadd),
            **redshift_row(coadd.target),
            **tsnr2(seen.exposure for seen in coadd.observations),
            "SURVEY": coadd.survey,
            "PROGRAM": coadd.program,
            "HEALPIX": coadd.target.healpix,
            "DESINAME": designation(coadd.target.ra, coadd.target.dec),
        }
        row["SPGRPVAL"] = row["LASTNIGHT"] if by_tile else row["HEALPIX"]
        rows.append(row)
    for prefix, surveys in (("ZCAT", None), ("SV", ("sv1", "sv2", "sv3")), ("MAIN", ("main",))):
        _mark_primary(rows, prefix, surveys)
    return rows


def _mark_primary(rows: list[Row], prefix: str, surveys: tuple[str, ...] | None) -> None:
    groups: dict[int, list[Row]] = {}
    for row in rows:
        row[f"{prefix}_NSPEC"], row[f"{prefix}_PRIMARY"] = 0, False
        if surveys is None or row["SURVEY"] in surveys:
            groups.setdefault(row["TARGETID"], []).append(row)
    for group in groups.values():
        for row in group:
            row[f"{prefix}_NSPEC"] = len(group)
        max(group, key=lambda row: row["TSNR2_LRG"])[f"{prefix}_PRIMARY"] = True
