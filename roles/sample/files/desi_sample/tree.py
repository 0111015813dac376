# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of the public bucket, filled."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from . import columns, texts
from .fibermaps import exposure_row
from .fitsfile import FitsFile
from .lists import exposure_rows, healpix_exposure_rows, tile_rows, write_csv
from .population import Coadd, Population, fill_up, populate
from .redshifts import redrock_header, zcatalog_rows
from .releases import Release
from .spectrafiles import healpix_header, tile_header, write_coadd, write_redrock, write_spectra

_DATED = 1_742_342_400
"""2025-03-19, the day of Data Release 1: what the files say that they were written on, on every machine."""


def write_bucket(root: Path, releases: Iterable[Release], coadds: int = 0, targets: int = 0) -> list[Path]:
    """Write the sample and return its files. The bucket keeps raw data and targets of all releases beside them."""
    chosen = list(releases)
    files = [
        texts.write(root / "README.md", texts.ROOT),
        texts.write(root / "raw_spectro_data" / "README.md", texts.RAW),
        texts.write(root / "target" / "README.md", texts.TARGET),
    ]
    for release in chosen:
        files += write_release(root, release, coadds, targets)
    for file in files:
        os.utime(file, (_DATED, _DATED))
    return sorted(files)


def write_release(root: Path, release: Release, coadds: int = 0, targets: int = 0) -> list[Path]:
    """Write a release and return its files; so many healpixels beside the sampled one get their spectra, too.

    targets: how many each of those has at least.
    """
    population = populate(release)
    home = root / release.name
    production = home / "spectro" / "redux" / release.specprod
    data = [
        *_lists(production, release, population),
        *_catalogs(production / release.zcatalog, release, population),
        *_healpix(production, release, population),
        *_neighbors(production, release, population, coadds, targets),
        *(file for tileid in release.tile_folders for file in _tile(production, release, population, tileid)),
    ]
    names = {"release": release.name.upper(), "specprod": release.specprod}
    about = [
        texts.write(home / "README.md", texts.RELEASE.format(**names)),
        texts.write(home / "LICENSE.md", texts.LICENSE),
    ]
    return [*data, *about, *_checksums(production, release, data)]


def _lists(production: Path, release: Release, population: Population) -> list[Path]:
    tiles, exposures = tile_rows(population.tiles), exposure_rows(population.tiles)
    tile_file = FitsFile(production / f"tiles-{release.specprod}.fits", {})
    tile_file.add_table("TILE_COMPLETENESS", tiles, columns.tiles())
    exposure_file = FitsFile(production / f"exposures-{release.specprod}.fits", {})
    exposure_file.add_table("EXPOSURES", exposures, columns.exposures())
    return [
        tile_file.close(),
        exposure_file.close(),
        write_csv(production / f"tiles-{release.specprod}.csv", tiles, columns.tiles()),
        write_csv(production / f"exposures-{release.specprod}.csv", exposures, columns.exposures()),
    ]


def _catalogs(folder: Path, release: Release, population: Population) -> list[Path]:
    """All redshifts by healpixel and by tile, and those of the sampled program by both."""
    header = {} if release.zcatalog == "zcatalog" else {"ZCATVER": Path(release.zcatalog).name}
    by_healpix = zcatalog_rows(population.by_healpix, by_tile=False)
    by_tile = zcatalog_rows(population.by_tile, by_tile=True)
    mine = (release.survey, release.program)
    files = []
    for name, rows, tiled in (
        (f"zall-pix-{release.specprod}.fits", by_healpix, False),
        (f"zall-tilecumulative-{release.specprod}.fits", by_tile, True),
        (f"zpix-{release.survey}-{release.program}.fits", by_healpix, False),
        (f"ztile-{release.survey}-{release.program}-cumulative.fits", by_tile, True),
    ):
        single = name.startswith(("zpix", "ztile"))
        kept = [row for row in rows if not single or (row["SURVEY"], row["PROGRAM"]) == mine]
        file = FitsFile(folder / name, header)
        file.add_table("ZCATALOG", kept, columns.zcatalog(release, tiled), redrock_header(release))
        if single:
            added = population.by_tile if tiled else population.by_healpix
            coadds = [coadd for coadd in added if (coadd.survey, coadd.program) == mine]
            exposures = [exposure_row(seen) for coadd in coadds for seen in coadd.observations]
            newer = release.specprod != "fuji"
            file.add_table("EXP_FIBERMAP", exposures, columns.exp_fibermap(in_coadd=newer))
        files.append(file.close())
    return files


def _healpix(production: Path, release: Release, population: Population) -> list[Path]:
    """The files of the sampled healpixel, and those of the surveys and programs that observed it, too."""
    pairs = [(release.survey, release.program), *((one.survey, one.program) for one in release.visits)]
    return [
        file
        for pair in pairs
        for file in _piece(production, release, population.healpix(release.healpix, *pair), release.healpix, *pair)
    ]


def _neighbors(production: Path, release: Release, population: Population, count: int, targets: int) -> list[Path]:
    """The files of other healpixels, each with the few targets that the catalog has there, or filled up."""
    mine = (release.survey, release.program)
    pieces = {coadd.target.healpix for coadd in population.by_healpix if (coadd.survey, coadd.program) == mine}
    chosen = sorted(pieces - {release.healpix})[:count]
    files = []
    for piece in chosen:
        coadds = fill_up(release, population.healpix(piece, *mine), targets)
        files += _piece(production, release, coadds, piece, *mine)
    return files


def _piece(
    production: Path, release: Release, coadds: list[Coadd], healpix: int, survey: str, program: str
) -> list[Path]:
    folder = production.joinpath("healpix", survey, program, str(healpix // 100), str(healpix))
    name = f"{survey}-{program}-{healpix}"
    header = healpix_header(healpix, survey, program)
    files = [
        write_coadd(folder / f"coadd-{name}.fits", release, coadds, header, by_tile=False, survey=survey),
        write_redrock(folder / f"redrock-{name}.fits", release, coadds, header, by_tile=False, survey=survey),
        write_csv(folder / f"hpixexp-{name}.csv", healpix_exposure_rows(coadds), columns.healpix_exposures()),
    ]
    if (survey, program, healpix) == (release.survey, release.program, release.healpix):
        files.append(write_spectra(folder / f"spectra-{name}{release.spectra_suffix}", release, coadds, header))
    return files


def _tile(production: Path, release: Release, population: Population, tileid: int) -> list[Path]:
    night = next(tile.lastnight for tile in population.tiles if tile.tileid == tileid)
    folder = production / "tiles" / "cumulative" / str(tileid) / str(night)
    files = []
    for petal in range(10):
        coadds = population.petal(tileid, petal)
        if coadds:
            name, header = f"{petal}-{tileid}-thru{night}.fits", tile_header(tileid, night, petal)
            files.append(write_coadd(folder / f"coadd-{name}", release, coadds, header, by_tile=True))
            files.append(write_redrock(folder / f"redrock-{name}", release, coadds, header, by_tile=True))
    return files


def _checksums(production: Path, release: Release, files: list[Path]) -> list[Path]:
    """Beside the files of each folder, the list of their checksums, named after the folder."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        folders[file.parent].append(file)
    written = []
    for folder, members in folders.items():
        name = "_".join(("redux", release.specprod, *folder.relative_to(production).parts)) + ".sha256sum"
        lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in sorted(members)]
        written.append(texts.write(folder / name, "\n".join(lines) + "\n"))
    return written
