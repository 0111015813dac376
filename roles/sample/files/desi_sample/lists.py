# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists of tiles and exposures that a production begins with, as FITS and as CSV."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .columns import Column
from .fibermaps import Row
from .fitsfile import table
from .population import Coadd
from .spectra import tsnr2
from .tiles import Exposure, Tile


def tile_rows(tiles: Iterable[Tile]) -> list[Row]:
    return [
        {
            **_tile_row(tile),
            **_efftimes(tile.efftime),
            "NEXP": len(tile.exposures),
            "EXPTIME": tile.exptime,
            "OBSSTATUS": "obsend",
            "LASTNIGHT": tile.lastnight,
        }
        for tile in sorted(tiles, key=lambda tile: (tile.lastnight, tile.tileid))
    ]


def exposure_rows(tiles: Iterable[Tile]) -> list[Row]:
    pairs = [(tile, exposure) for tile in tiles for exposure in tile.exposures]
    pairs.sort(key=lambda pair: (pair[1].night, pair[1].expid, pair[0].tileid))
    return [{**_tile_row(tile), **_exposure_row(exposure)} for tile, exposure in pairs]


def healpix_exposure_rows(coadds: Iterable[Coadd]) -> list[Row]:
    """The exposures and petals that a healpixel is made of."""
    rows = {
        (seen.exposure.expid, seen.petal): {
            "NIGHT": seen.exposure.night,
            "EXPID": seen.exposure.expid,
            "TILEID": seen.tile.tileid,
            "SURVEY": seen.tile.survey,
            "PROGRAM": seen.tile.program,
            "SPECTRO": seen.petal,
            "HEALPIX": coadd.target.healpix,
        }
        for coadd in coadds
        for seen in coadd.observations
    }
    return [rows[key] for key in sorted(rows)]


def write_csv(path: Path, rows: list[Row], columns: list[Column]) -> Path:
    names = [name for name, _kind, _unit in columns]
    lines = [",".join(names), *(",".join(_text(value) for value in row) for row in table(rows, columns).tolist())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path


def _text(value: float | bytes) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _tile_row(tile: Tile) -> Row:
    return {
        "TILEID": tile.tileid,
        "TILERA": tile.ra,
        "TILEDEC": tile.dec,
        "SURVEY": tile.survey,
        "PROGRAM": tile.program,
        "FAPRGRM": tile.program,
        "FAFLAVOR": f"{tile.survey}{tile.program}",
        "GOALTIME": tile.goal,
        "GOALTYPE": tile.program,
        "MINTFRAC": 0.85 if tile.survey == "main" else 0.9,
    }


def _exposure_row(exposure: Exposure) -> Row:
    light = exposure.transparency * (1.1 / exposure.seeing) ** 0.7
    depths = {name: value for name, value in tsnr2([exposure]).items() if not name.endswith(("_B", "_R", "_Z"))}
    return {
        **depths,
        **_efftimes(exposure.efftime),
        "NIGHT": exposure.night,
        "EXPID": exposure.expid,
        "MJD": exposure.mjd,
        "EXPTIME": exposure.exptime,
        "AIRMASS": exposure.airmass,
        "AIRMASS_GFA": exposure.airmass,
        "EBV": exposure.ebv,
        "SEEING_ETC": exposure.seeing,
        "SEEING_GFA": exposure.seeing,
        "TRANSPARENCY_GFA": exposure.transparency,
        **{
            f"FIBER_FRACFLUX{kind}_GFA": share / exposure.seeing**0.7
            for kind, share in (("", 0.60), ("_ELG", 0.45), ("_BGS", 0.20))
        },
        **{f"FIBERFAC{kind}_GFA": light for kind in ("", "_ELG", "_BGS")},
        "SKY_MAG_AB_GFA": exposure.sky,
        "SKY_MAG_G_SPEC": exposure.sky + 1.1,
        "SKY_MAG_R_SPEC": exposure.sky,
        "SKY_MAG_Z_SPEC": exposure.sky - 1.8,
    }


def _efftimes(efftime: float) -> Row:
    """The effective time by every one of the measures, which here agree."""
    names = (
        "EFFTIME_SPEC",
        "EFFTIME_ETC",
        "EFFTIME_GFA",
        "EFFTIME_DARK_GFA",
        "EFFTIME_BRIGHT_GFA",
        "EFFTIME_BACKUP_GFA",
    )
    kinds = ("LRG_EFFTIME_DARK", "ELG_EFFTIME_DARK", "LYA_EFFTIME_DARK", "GPB_EFFTIME_DARK")
    bright = ("BGS_EFFTIME_BRIGHT", "GPB_EFFTIME_BRIGHT", "GPB_EFFTIME_BACKUP")
    return dict.fromkeys((*names, *kinds, *bright), efftime)
