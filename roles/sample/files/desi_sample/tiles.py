# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tiles and their exposures: when and where the telescope pointed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from .draws import Draws
from .releases import Pointing, Program, Release
from .sky import shifted

_MJD_OF_ORDINAL_ZERO = -678576
_GOALS = {"dark": 1000.0, "bright": 180.0, "backup": 60.0, "other": 1000.0}
"""Effective seconds that complete a tile."""


@dataclass(frozen=True)
class Exposure:
    expid: int
    night: int
    mjd: float
    exptime: float
    efftime: float
    airmass: float
    seeing: float
    transparency: float
    sky: float
    ebv: float


@dataclass(frozen=True)
class Tile:
    tileid: int
    survey: str
    program: str
    ra: float
    dec: float
    exposures: tuple[Exposure, ...]

    @property
    def lastnight(self) -> int:
        return max(exposure.night for exposure in self.exposures)

    @property
    def goal(self) -> float:
        return _GOALS[self.program]

    @property
    def exptime(self) -> float:
        return sum(exposure.exptime for exposure in self.exposures)

    @property
    def efftime(self) -> float:
        return sum(exposure.efftime for exposure in self.exposures)


def sampled_tiles(release: Release) -> list[Tile]:
    """The tiles whose spectra are made."""
    return [
        _tile(release, pointing.tileid, release.survey, release.program, pointing) for pointing in release.pointings
    ]


def visiting_tiles(release: Release) -> list[Tile]:
    """The tiles of other surveys and programs that observe targets of the sampled healpixel again."""
    return [_tile(release, one.pointing.tileid, one.survey, one.program, one.pointing) for one in release.visits]


def other_tiles(release: Release) -> list[Tile]:
    """The tiles that only the lists and the catalog know."""
    tiles: list[Tile] = []
    sampled = sampled_tiles(release)
    for program in release.programs:
        upon = [tile for tile in tiles if (tile.survey, tile.program) == (release.survey, release.program)]
        for number in range(program.tiles):
            tileid = program.first_tile + number
            draws = Draws(release.specprod, "tile", tileid, program.survey)
            if program.repeats:
                ra, dec = upon[number].ra, upon[number].dec
            else:
                ra, dec = _footprint(draws, sampled)
            pointing = Pointing(tileid, ra, dec, _nights(draws, program))
            tiles.append(_tile(release, tileid, program.survey, program.program, pointing))
    return tiles


def _footprint(draws: Draws, sampled: list[Tile]) -> tuple[float, float]:
    """A place in the northern or southern cap, away from the tiles that have spectra."""
    while True:
        north = draws.uniform() < 0.65
        ra = draws.uniform(120.0, 260.0) if north else draws.uniform(-60.0, 60.0) % 360.0
        dec = draws.uniform(-4.0, 62.0) if north else draws.uniform(-12.0, 28.0)
        if all(abs(ra - tile.ra) > 5.0 or abs(dec - tile.dec) > 5.0 for tile in sampled):
            return round(ra, 3), round(dec, 3)


def _nights(draws: Draws, program: Program) -> tuple[int, ...]:
    first, last = (_day(night) for night in program.nights)
    start = first + timedelta(days=draws.integer(0, (last - first).days + 1))
    visits = 1 + draws.integer(0, 3) // 2
    return tuple(_night(min(start + timedelta(days=visit), last)) for visit in range(visits))


def _tile(release: Release, tileid: int, survey: str, program: str, pointing: Pointing) -> Tile:
    draws = Draws(release.specprod, "exposures", tileid, survey)
    goal = _GOALS[program]
    ra, dec = shifted(pointing.ra, pointing.dec, 0.0, 0.0)
    exposures = []
    for visit, night in enumerate(pointing.nights):
        speed = draws.uniform(0.7, 1.25)
        efftime = goal * draws.uniform(1.0, 1.2) / len(pointing.nights)
        exposures.append(
            Exposure(
                expid=_expid(night, draws.integer(0, 90) + visit),
                night=night,
                mjd=round(_day(night).toordinal() + _MJD_OF_ORDINAL_ZERO + 1 + draws.uniform(0.1, 0.5), 7),
                exptime=round(efftime / speed, 3),
                efftime=round(efftime, 3),
                airmass=round(draws.uniform(1.0, 1.5), 4),
                seeing=round(draws.uniform(0.85, 1.5), 4),
                transparency=round(draws.uniform(0.85, 1.02), 4),
                sky=round(draws.uniform(20.6, 21.2), 4),
                ebv=round(draws.uniform(0.015, 0.06), 4),
            )
        )
    return Tile(tileid, survey, program, ra, dec, tuple(exposures))


def _day(night: int) -> date:
    return date(night // 10000, night // 100 % 100, night % 100)


def _night(day: date) -> int:
    return day.year * 10000 + day.month * 100 + day.day


def _expid(night: int, within: int) -> int:
    """Exposures are counted through: about 110 a night, 90247 was taken on 2021-05-29."""
    return 90247 + 110 * (_day(night) - date(2021, 5, 29)).days + within
