# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sets the sampled releases apart: names, folders, tiles, and how many of what they hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pointing:
    """A tile that is sampled with spectra. Number and nights are real, the position is invented."""

    tileid: int
    ra: float
    dec: float
    nights: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """A survey and program that fills the catalog and the lists of tiles and exposures."""

    survey: str
    program: str
    first_tile: int
    tiles: int
    nights: tuple[int, int]
    repeats: bool = False
    """Whether its tiles lie upon tiles of the sampled program and observe some of their targets again."""


@dataclass(frozen=True)
class Visit:
    """A tile of another survey or program upon the sampled healpixel, and which of its targets it observes again."""

    survey: str
    program: str
    pointing: Pointing
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Release:
    name: str
    specprod: str
    zcatalog: str
    survey: str
    program: str
    healpix: int
    center: tuple[float, float]
    pointings: tuple[Pointing, ...]
    tile_folders: tuple[int, ...]
    every_petal: bool
    targets: tuple[tuple[str, float, float], ...]
    """Kind, redshift and r magnitude of the targets of the sampled healpixel."""
    known: dict[int, tuple[int, int]]
    """Brick and object of targets for which DESI's own tutorials ask by their number."""
    drawn_targets: int
    """How many more targets of the sampled healpixel are drawn."""
    listed_targets: int
    """How many targets of the last of its tiles are in the catalogs alone."""
    visits: tuple[Visit, ...]
    programs: tuple[Program, ...]
    spectra_suffix: str
    mask_dtype: str
    quasar_subtypes: bool
    """Productions since iron name the quasar template that fitted: LOZ or HIZ."""


RELEASES = {
    "edr": Release(
        name="edr",
        specprod="fuji",
        zcatalog="zcatalog",
        survey="sv3",
        program="dark",
        healpix=26965,
        center=(179.296875, 0.0),
        pointings=(
            Pointing(28, 179.35, -0.95, (20210406,)),
            Pointing(29, 180.05, 0.30, (20210409,)),
            Pointing(30, 178.70, 0.75, (20210413,)),
        ),
        tile_folders=(28,),
        every_petal=False,
        targets=(
            ("QSO", 2.4137, 19.2),
            ("LRG", 0.5243, 19.9),
            ("ELG", 0.8021, 22.3),
            ("STD", 0.00012, 16.9),
            ("LRG", 0.7418, 20.6),
            ("ELG", 1.1376, 22.6),
            ("QSO", 0.9562, 19.8),
            ("BGS", 0.1289, 18.2),
            ("SKY", 0.4351, 99.0),
            ("ELG", 1.4473, 22.9),
            ("QSO", 1.6634, 20.3),
            ("LRG", 0.9127, 20.9),
            ("QSO", 3.0418, 20.1),
            ("MWS", -0.00031, 17.8),
        ),
        known={4: (342491, 1837)},
        drawn_targets=0,
        listed_targets=140,
        visits=(
            Visit("sv3", "bright", Pointing(198, 179.30, 0.02, (20210415,)), (0, 1, 4, 7)),
            Visit("sv1", "dark", Pointing(80650, 179.28, -0.03, (20210110,)), (0, 1, 4, 7)),
            Visit("sv1", "bright", Pointing(80699, 179.31, 0.04, (20210112,)), (0, 1, 4, 7)),
            Visit("sv1", "other", Pointing(80679, 179.27, 0.01, (20210115,)), (0, 1, 4)),
        ),
        programs=(
            Program("sv3", "dark", 55, 40, (20210405, 20210610)),
            Program("sv3", "bright", 200, 20, (20210405, 20210610)),
            Program("sv1", "dark", 80630, 20, (20201217, 20210401), repeats=True),
            Program("sv1", "bright", 80700, 10, (20201217, 20210401)),
            Program("sv1", "other", 80680, 6, (20201217, 20210401), repeats=True),
            Program("sv2", "dark", 81000, 4, (20210303, 20210404)),
            Program("sv2", "bright", 81050, 4, (20210303, 20210404)),
            Program("cmx", "other", 80615, 1, (20201216, 20201216)),
        ),
        spectra_suffix=".fits",
        mask_dtype="u4",
        quasar_subtypes=False,
    ),
    "dr1": Release(
        name="dr1",
        specprod="iron",
        zcatalog="zcatalog/v1",
        survey="main",
        program="dark",
        healpix=23040,
        center=(56.25, -8.989299),
        pointings=(
            Pointing(2436, 56.75, -10.05, (20211031,)),
            Pointing(5568, 55.25, -9.60, (20211130,)),
            Pointing(10256, 56.55, -7.95, (20211110,)),
        ),
        tile_folders=(2436, 5568, 10256),
        every_petal=True,
        targets=(
            ("QSO", 2.2876, 18.7),
            ("LRG", 0.4512, 19.7),
            ("ELG", 0.7436, 22.2),
            ("LRG", 0.6684, 20.3),
            ("STD", -0.00018, 16.6),
            ("ELG", 0.9268, 22.5),
            ("QSO", 0.8347, 19.6),
            ("BGS", 0.0931, 17.9),
            ("ELG", 1.2154, 22.7),
            ("SKY", 0.7723, 99.0),
            ("QSO", 1.5219, 20.2),
            ("LRG", 0.8466, 20.7),
            ("MWS", 0.00022, 17.5),
            ("QSO", 2.7342, 20.0),
            ("ELG", 1.4891, 22.9),
            ("QSO", 3.2907, 20.4),
            ("LRG", 1.0153, 21.0),
        ),
        known={},
        drawn_targets=87,
        listed_targets=0,
        visits=(),
        programs=(
            Program("main", "dark", 1000, 50, (20210514, 20220613)),
            Program("main", "bright", 20000, 30, (20210514, 20220613)),
            Program("main", "backup", 40000, 4, (20210514, 20220613)),
            Program("sv1", "dark", 80630, 10, (20201217, 20210401), repeats=True),
            Program("sv2", "bright", 81050, 3, (20210303, 20210404)),
            Program("sv3", "dark", 55, 8, (20210405, 20210610), repeats=True),
            Program("sv3", "bright", 200, 6, (20210405, 20210610)),
            Program("special", "dark", 82000, 2, (20210901, 20220301)),
        ),
        spectra_suffix=".fits.gz",
        mask_dtype="i4",
        quasar_subtypes=True,
    ),
}
