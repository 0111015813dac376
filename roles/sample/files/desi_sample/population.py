# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is observed: targets with their redshifts, and the fibers that see them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import sky
from .draws import Draws, quantize
from .kinds import KINDS, MIXES, STAR_CLASSES, Kind
from .releases import Release
from .tiles import Exposure, Tile, other_tiles, sampled_tiles, visiting_tiles

IMAGING_RELEASE = 9010
FIBERS_A_PETAL = 500
TARGETS_A_TILE = 7
REPEATS_A_TILE = 2
LEAST_INVENTED = 6000
"""Object numbers from here on are of targets that only fill files up."""


@dataclass(frozen=True)
class Target:
    targetid: int
    brickid: int
    brickname: str
    objid: int
    ra: float
    dec: float
    kind: Kind
    subtype: str
    z: float
    r_mag: float
    compactness: float
    morphology: str

    @property
    def healpix(self) -> int:
        return sky.healpixel(self.ra, self.dec)

    def draws(self, purpose: str) -> Draws:
        """A stream that belongs to this target wherever it is observed."""
        return Draws(self.targetid, purpose)


@dataclass(frozen=True)
class Observation:
    """One fiber on one target for one exposure."""

    target: Target
    tile: Tile
    exposure: Exposure
    x: float
    y: float
    petal: int
    fiber: int

    def draws(self, purpose: str) -> Draws:
        return Draws(self.target.targetid, self.exposure.expid, purpose)


@dataclass(frozen=True)
class Coadd:
    """What is added up: the observations of one target, of a healpixel in one program or of one tile."""

    target: Target
    survey: str
    program: str
    observations: tuple[Observation, ...]


@dataclass(frozen=True)
class Population:
    tiles: list[Tile]
    by_healpix: list[Coadd]
    by_tile: list[Coadd]

    def healpix(self, healpix: int, survey: str, program: str) -> list[Coadd]:
        key = (healpix, survey, program)
        return [coadd for coadd in self.by_healpix if (coadd.target.healpix, coadd.survey, coadd.program) == key]

    def petal(self, tileid: int, petal: int) -> list[Coadd]:
        first = [(coadd, coadd.observations[0]) for coadd in self.by_tile]
        return [coadd for coadd, seen in first if (seen.tile.tileid, seen.petal) == (tileid, petal)]


def populate(release: Release) -> Population:
    sampled = sampled_tiles(release)
    others = other_tiles(release)
    plan: list[tuple[Tile, list[Target]]] = []
    in_healpix = _healpix_targets(release, sampled)
    for number, tile in enumerate(sampled):
        targets = [target for target, numbers in in_healpix if number in numbers]
        plan.append((tile, targets + _fill_petals(release, tile, targets)))
    plan[-1][1].extend(_listed_targets(release, sampled[-1]))
    for visit, tile in zip(release.visits, visiting_tiles(release)):
        plan.append((tile, [in_healpix[number][0] for number in visit.targets]))
    for tile in others:
        plan.append((tile, _repeated(tile, plan) + _tile_targets(release, tile)))
    observations = [seen for tile, targets in plan for seen in _observe(tile, targets)]
    return Population(
        tiles=[tile for tile, _targets in plan],
        by_healpix=_group(observations, by_tile=False),
        by_tile=_group(observations, by_tile=True),
    )


def make_target(
    release: Release, kind: Kind, ra: float, dec: float, serial: int, chosen: tuple[float, float] | None = None
) -> Target:
    """A target of that kind there; redshift and magnitude are drawn unless chosen."""
    brickid, brickname = sky.brick(ra, dec)
    draws = Draws(release.specprod, kind.name, brickid, serial)
    subtype = draws.choice(STAR_CLASSES) if kind.name == "MWS" else "F" if kind.name == "STD" else ""
    z, r_mag = chosen or (_peaked(draws, *kind.redshift), draws.normal(*kind.r_mag))
    z = float(quantize(z, 30))
    if kind.name == "QSO" and release.quasar_subtypes:
        subtype = "HIZ" if z > 1.5 else "LOZ"
    return Target(
        targetid=sky.targetid(IMAGING_RELEASE, brickid, serial, kind.objtype == "SKY"),
        brickid=brickid,
        brickname=brickname,
        objid=serial,
        ra=float(quantize(ra, 42)),
        dec=float(quantize(dec, 42)),
        kind=kind,
        subtype=subtype,
        z=z,
        r_mag=r_mag,
        compactness=draws.uniform(*kind.compactness),
        morphology=draws.choice(kind.morphology),
    )


def fill_up(release: Release, coadds: list[Coadd], count: int) -> list[Coadd]:
    """Return the coadds of a healpixel with invented ones beside them, so that there are as many as in a real file.

    One of the tiles that observe it already observes them, too. The catalogs do not list them.
    """
    seen = coadds[0].observations[0]
    tile, healpix = seen.tile, seen.target.healpix
    draws = Draws(release.specprod, "more", healpix)
    present = [coadd.target for coadd in coadds]
    added: list[Target] = []
    while len(present) + len(added) < count:
        ra, dec = sky.shifted(seen.target.ra, seen.target.dec, draws.uniform(-0.6, 0.6), draws.uniform(-0.6, 0.6))
        if sky.healpixel(ra, dec) == healpix:
            name, z, r_mag = _drawn(draws)
            added.append(make_target(release, KINDS[name], ra, dec, LEAST_INVENTED + len(added), (z, r_mag)))
    invented = [one for one in _observe(tile, [*present, *added]) if one.target.objid >= LEAST_INVENTED]
    return coadds + _group(invented, by_tile=False)


def _peaked(draws: Draws, low: float, high: float) -> float:
    return (draws.uniform(low, high) + draws.uniform(low, high)) / 2.0


def _healpix_targets(release: Release, tiles: list[Tile]) -> list[tuple[Target, tuple[int, ...]]]:
    """The targets of the sampled healpixel, each with the numbers of the tiles that observe it."""
    draws = Draws(release.specprod, "healpix", release.healpix)
    found: list[tuple[Target, tuple[int, ...]]] = []
    while len(found) < len(release.targets) + release.drawn_targets:
        ra, dec = sky.shifted(*release.center, draws.uniform(-0.6, 0.6), draws.uniform(-0.6, 0.6))
        serial = draws.integer(1, 6000)
        first = len(found) % len(tiles)
        second = (first + 1) % len(tiles)
        numbers = (first, second) if len(found) % 4 == 0 else (first,)
        within = all(_within(tiles[number], ra, dec) for number in numbers)
        if within and sky.healpixel(ra, dec) == release.healpix:
            if len(found) < len(release.targets):
                name, z, r_mag = release.targets[len(found)]
            else:
                name, z, r_mag = _drawn(draws)
            target = make_target(release, KINDS[name], ra, dec, serial, (z, r_mag))
            brickid, objid = release.known.get(len(found), (target.brickid, target.objid))
            number = sky.targetid(IMAGING_RELEASE, brickid, objid, target.kind.objtype == "SKY")
            found.append((replace(target, targetid=number, brickid=brickid, objid=objid), numbers))
    return found


_DRAWN = {
    "LRG": ((0.42, 1.02), (19.6, 20.6)),
    "ELG": ((0.70, 1.50), (22.0, 22.5)),
    "QSO": ((0.80, 3.20), (18.8, 20.2)),
    "STD": ((-6e-4, 6e-4), (16.6, 17.2)),
    "SKY": ((0.10, 1.50), (99.0, 99.0)),
}
"""Redshift and r magnitude of a target that is drawn: bright enough that its lines stand out."""


def _drawn(draws: Draws) -> tuple[str, float, float]:
    name = draws.choice(MIXES["dark"])
    redshift, r_mag = _DRAWN[name]
    return name, round(draws.uniform(*redshift), 5), round(draws.uniform(*r_mag), 2)


def _within(tile: Tile, ra: float, dec: float) -> bool:
    x, y = sky.focal_plane(ra, dec, tile.ra, tile.dec)
    return x * x + y * y < (sky.TILE_RADIUS * sky.MILLIMETERS_PER_DEGREE) ** 2


def _fill_petals(release: Release, tile: Tile, targets: list[Target]) -> list[Target]:
    """One target for each petal that has none, where the release is to have a file of every petal."""
    if not release.every_petal:
        return []
    taken = {sky.petal(*sky.focal_plane(target.ra, target.dec, tile.ra, tile.dec)) for target in targets}
    draws = Draws(release.specprod, "petals", tile.tileid)
    added: list[Target] = []
    while len(taken) < 10:
        east, north = draws.uniform(-1.1, 1.1), draws.uniform(-1.1, 1.1)
        ra, dec = sky.shifted(tile.ra, tile.dec, east, north)
        petal = sky.petal(*sky.focal_plane(ra, dec, tile.ra, tile.dec))
        if petal not in taken and sky.healpixel(ra, dec) != release.healpix:
            taken.add(petal)
            kind = KINDS[("LRG", "ELG", "QSO")[petal % 3]]
            added.append(make_target(release, kind, ra, dec, draws.integer(1, 6000)))
    return added


def _tile_targets(release: Release, tile: Tile) -> list[Target]:
    draws = Draws(release.specprod, "targets", tile.tileid, tile.survey)
    targets = []
    for _ in range(TARGETS_A_TILE):
        ra, dec = sky.shifted(tile.ra, tile.dec, draws.uniform(-1.1, 1.1), draws.uniform(-1.1, 1.1))
        kind = KINDS[draws.choice(MIXES[tile.program])]
        targets.append(make_target(release, kind, ra, dec, draws.integer(1, 6000)))
    return targets


def _listed_targets(release: Release, tile: Tile) -> list[Target]:
    """Targets of a tile beside the sampled healpixel, for which there are no spectra."""
    draws = Draws(release.specprod, "listed", tile.tileid)
    targets: list[Target] = []
    while len(targets) < release.listed_targets:
        ra, dec = sky.shifted(tile.ra, tile.dec, draws.uniform(-1.1, 1.1), draws.uniform(-1.1, 1.1))
        kind, serial = KINDS[draws.choice(MIXES[tile.program])], draws.integer(1, 6000)
        if sky.healpixel(ra, dec) != release.healpix:
            targets.append(make_target(release, kind, ra, dec, serial))
    return targets


def _repeated(tile: Tile, plan: list[tuple[Tile, list[Target]]]) -> list[Target]:
    """Targets that an earlier tile at the same place has observed."""
    upon = [targets for earlier, targets in plan if (earlier.ra, earlier.dec) == (tile.ra, tile.dec)]
    return [target for target in upon[0] if target.kind.objtype == "TGT"][:REPEATS_A_TILE] if upon else []


def _observe(tile: Tile, targets: list[Target]) -> list[Observation]:
    seen: list[Observation] = []
    fibers: set[int] = set()
    for target in targets:
        x, y = sky.focal_plane(target.ra, target.dec, tile.ra, tile.dec)
        petal = sky.petal(x, y)
        first = FIBERS_A_PETAL * petal
        fiber = first + Draws(target.targetid, "fiber", tile.tileid).integer(0, FIBERS_A_PETAL)
        while fiber in fibers:
            fiber = first + (fiber + 1) % FIBERS_A_PETAL
        fibers.add(fiber)
        seen += [Observation(target, tile, exposure, x, y, petal, fiber) for exposure in tile.exposures]
    return seen


def _group(observations: list[Observation], by_tile: bool) -> list[Coadd]:
    groups: dict[tuple[int | str, ...], list[Observation]] = {}
    for seen in observations:
        key = (seen.target.targetid, seen.tile.survey, seen.tile.program, seen.tile.tileid if by_tile else 0)
        groups.setdefault(key, []).append(seen)
    return [
        Coadd(group[0].target, group[0].tile.survey, group[0].tile.program, tuple(group)) for group in groups.values()
    ]
