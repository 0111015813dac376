# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That files agree with one another, and spectra with what the tables say of them."""

from collections import Counter
from functools import cache

import fitsio
import numpy as np
import pytest
from desi_sample import tree
from desi_sample.population import populate
from desi_sample.sky import healpixel

LYMAN_ALPHA, MAGNESIUM, OXYGEN = 1215.67, 2799.1, 3728.6


@cache
def contents(path):
    with fitsio.FITS(str(path)) as fits:
        return {hdu.get_extname(): hdu.read() for hdu in fits if hdu.get_extname()}


@pytest.fixture
def zcatalog(production, release):
    return contents(production / release.zcatalog / f"zall-pix-{release.specprod}.fits")["ZCATALOG"]


@pytest.fixture
def coadd(healpix):
    return contents(healpix("coadd"))


@pytest.fixture
def single(healpix, release):
    """The exposures one by one."""
    return contents(healpix("spectra", release.spectra_suffix))


@pytest.fixture
def found(healpix):
    return contents(healpix("redrock"))["REDSHIFTS"]


def mine(zcatalog, release):
    return zcatalog[(zcatalog["SURVEY"] == release.survey) & (zcatalog["PROGRAM"] == release.program)]


def test_coadd_redrock_and_catalog_hold_the_same_targets(coadd, found, zcatalog, release):
    targets = coadd["FIBERMAP"]["TARGETID"].tolist()
    assert targets == found["TARGETID"].tolist() == coadd["SCORES"]["TARGETID"].tolist()
    listed = mine(zcatalog, release)
    assert sorted(listed["TARGETID"][listed["HEALPIX"] == release.healpix]) == sorted(targets)


@pytest.mark.parametrize("targets", [0, 20])
def test_further_coadds_hold_what_the_catalog_lists_there_and_may_be_filled_up(zcatalog, release, tmp_path, targets):
    files = tree._neighbors(tmp_path, release, populate(release), 3, targets)
    listed = mine(zcatalog, release)
    redrocks = [path for path in files if path.name.startswith("redrock")]
    assert len(redrocks) == 3
    for path in redrocks:
        coadd = contents(path.with_name(path.name.replace("redrock", "coadd")))
        found = contents(path)["REDSHIFTS"]
        piece = listed[listed["HEALPIX"] == int(path.parent.name)]
        assert dict(zip(piece["TARGETID"], piece["Z"])).items() <= dict(zip(found["TARGETID"], found["Z"])).items()
        assert len(set(found["TARGETID"])) == max(targets, len(piece))
        assert coadd["FIBERMAP"]["TARGETID"].tolist() == found["TARGETID"].tolist()
        assert len(coadd["B_FLUX"]) == len(found)


def test_redshifts_agree_among_catalog_redrock_and_tiles(zcatalog, release, found, production):
    listed = {row["TARGETID"]: row for row in mine(zcatalog, release)}
    tables = [found, *(fitsio.read(str(path), "REDSHIFTS") for path in production.glob("tiles/**/redrock-*.fits"))]
    rows = [row for table in tables for row in table]
    assert len(rows) > len(found)
    for row in rows:
        for name in ("Z", "ZERR", "ZWARN", "SPECTYPE", "SUBTYPE", "DELTACHI2"):
            assert listed[row["TARGETID"]][name] == row[name]


def test_targets_lie_in_their_healpixel_and_their_identifiers_are_made_of_brick_and_object(zcatalog):
    pixels = [healpixel(ra, dec) for ra, dec in zip(zcatalog["TARGET_RA"], zcatalog["TARGET_DEC"])]
    assert pixels == zcatalog["HEALPIX"].tolist()
    brick, release = zcatalog["BRICKID"].astype("i8") << 22, zcatalog["RELEASE"].astype("i8") << 42
    assert np.array_equal(zcatalog["TARGETID"] & ~(1 << 59), zcatalog["BRICK_OBJID"].astype("i8") | brick | release)
    sky = zcatalog["OBJTYPE"] == "SKY"
    assert np.array_equal(zcatalog["TARGETID"] >> 59 & 1 == 1, sky)
    assert np.array_equal(zcatalog["ZWARN"] & 1 == 1, sky)


def test_each_target_has_one_primary_spectrum(zcatalog):
    counts = Counter(zcatalog["TARGETID"].tolist())
    assert {1, 2, 3} <= set(counts.values())
    assert Counter(zcatalog["TARGETID"][zcatalog["ZCAT_PRIMARY"]].tolist()) == dict.fromkeys(counts, 1)
    assert [counts[target] for target in zcatalog["TARGETID"].tolist()] == zcatalog["ZCAT_NSPEC"].tolist()


def test_target_masks_stand_in_the_column_of_their_survey(zcatalog):
    for survey, column in (("main", "DESI_TARGET"), ("sv1", "SV1_DESI_TARGET"), ("sv3", "SV3_DESI_TARGET")):
        rows = zcatalog[zcatalog["SURVEY"] == survey]
        others = {"DESI_TARGET", "SV1_DESI_TARGET", "SV2_DESI_TARGET", "SV3_DESI_TARGET", "CMX_TARGET"} - {column}
        assert np.all(rows[column] != 0)
        assert not any(np.any(rows[name]) for name in others)


def test_every_kind_of_object_is_there(found, coadd, zcatalog):
    assert set(found["SPECTYPE"]) == {"GALAXY", "QSO", "STAR"} == set(zcatalog["SPECTYPE"])
    assert np.any((found["SPECTYPE"] == "QSO") & (found["Z"] > 2.1) & (found["ZWARN"] == 0))
    assert "SKY" in coadd["FIBERMAP"]["OBJTYPE"]


def test_a_coadd_is_the_weighted_mean_of_its_exposures(single, coadd):
    assert len(single["FIBERMAP"]) > len(coadd["FIBERMAP"])
    for row, target in enumerate(coadd["FIBERMAP"]["TARGETID"]):
        exposures = single["FIBERMAP"]["TARGETID"] == target
        assert coadd["FIBERMAP"]["COADD_NUMEXP"][row] == exposures.sum()
        for camera in "BRZ":
            weight = single[f"{camera}_IVAR"][exposures].astype("f8")
            assert np.allclose(coadd[f"{camera}_IVAR"][row], weight.sum(axis=0), rtol=1e-5)
            good = weight.sum(axis=0) > 0
            mean = (weight * single[f"{camera}_FLUX"][exposures]).sum(axis=0)[good] / weight.sum(axis=0)[good]
            assert np.allclose(coadd[f"{camera}_FLUX"][row][good], mean, rtol=1e-4, atol=1e-4)
    for name in ("TARGETID", "EXPID", "TILEID", "FIBER", "NIGHT"):
        assert coadd["EXP_FIBERMAP"][name].tolist() == single["FIBERMAP"][name].tolist()


def test_the_noise_is_what_the_inverse_variance_says_and_high_at_sky_lines_and_masked_pixels(coadd, single):
    row = np.flatnonzero(coadd["FIBERMAP"]["OBJTYPE"] == "SKY")[0]
    for camera in "BRZ":
        pull = coadd[f"{camera}_FLUX"][row] * np.sqrt(coadd[f"{camera}_IVAR"][row])
        pull = pull[pull != 0]
        assert abs(pull.mean()) < 0.08
        assert 0.95 < pull.std() < 1.05
        masked = single[f"{camera}_MASK"] != 0
        assert masked.any()
        assert np.array_equal(masked, single[f"{camera}_IVAR"] == 0)
    wave, ivar = coadd["B_WAVELENGTH"], coadd["B_IVAR"]
    line, beside = np.abs(wave - 5578.9) < 1.0, (wave > 5500) & (wave < 5560)
    assert np.median(ivar[:, line]) < 0.2 * np.median(ivar[:, beside])


def peak(coadd, row, rest, z, width):
    """How far the flux near a line at its redshift rises above that beside it, in units of its error."""
    center = rest * (1.0 + z)
    for camera in "BRZ":
        wave = coadd[f"{camera}_WAVELENGTH"]
        if wave[0] + 6 * width < center < wave[-1] - 6 * width:
            flux, ivar = coadd[f"{camera}_FLUX"][row], coadd[f"{camera}_IVAR"][row]
            inside = np.abs(wave - center) < width
            beside = (np.abs(wave - center) > 3 * width) & (np.abs(wave - center) < 6 * width) & (ivar > 0)
            excess = np.average(flux[inside], weights=ivar[inside]) - np.average(flux[beside], weights=ivar[beside])
            return excess * np.sqrt(ivar[inside].sum())
    return None


@pytest.mark.parametrize(
    ("bit", "rest", "width"),
    [(1, OXYGEN, 4.0), (2, LYMAN_ALPHA, 25.0), (2, MAGNESIUM, 30.0)],
    ids=["oxygen of ELGs", "Lyman alpha of quasars", "magnesium of quasars"],
)
def test_lines_are_where_the_redshift_puts_them(coadd, found, release, bit, rest, width):
    column = "SV3_DESI_TARGET" if release.name == "edr" else "DESI_TARGET"
    rows = np.flatnonzero(coadd["FIBERMAP"][column] >> bit & 1)
    peaks = [peak(coadd, row, rest, found["Z"][row], width) for row in rows]
    peaks = [value for value in peaks if value is not None]
    assert peaks
    assert min(peaks) > 5.0


def test_red_galaxies_are_brighter_beyond_the_break(coadd, found, release):
    column = "SV3_DESI_TARGET" if release.name == "edr" else "DESI_TARGET"
    wave = np.concatenate([coadd[f"{camera}_WAVELENGTH"] for camera in "BRZ"])
    for row in np.flatnonzero(coadd["FIBERMAP"][column] & 1):
        flux = np.concatenate([coadd[f"{camera}_FLUX"][row] for camera in "BRZ"])
        rest = wave / (1.0 + found["Z"][row])
        before, beyond = flux[(rest > 3600) & (rest < 3900)].mean(), flux[(rest > 4050) & (rest < 4350)].mean()
        assert beyond > 1.25 * before


def test_distant_hydrogen_dims_quasars_bluewards_of_lyman_alpha(coadd, found):
    rows = np.flatnonzero((found["SPECTYPE"] == "QSO") & (found["Z"] > 2.6))
    assert len(rows)
    for row in rows:
        rest = coadd["B_WAVELENGTH"] / (1.0 + found["Z"][row])
        forest, clear = (rest > 1050) & (rest < 1170), (rest > 1270) & (rest < 1380)
        flux, error = coadd["B_FLUX"][row], 1.0 / np.sqrt(np.maximum(coadd["B_IVAR"][row], 1e-6))
        assert np.std(flux[forest]) > 1.5 * np.median(error[forest])
        assert np.std(flux[clear] / error[clear]) < np.std(flux[forest] / error[forest])


def test_fluxes_of_the_imaging_are_those_of_the_spectrum(coadd, found):
    """A point source has all its light in the fiber: the r band of its spectrum gives its catalog flux."""
    rows = np.flatnonzero(coadd["FIBERMAP"]["MORPHTYPE"] == "PSF")
    wave = coadd["R_WAVELENGTH"]
    inside = (wave > 5760) & (wave < 7150)
    for row in rows:
        nanomaggies = np.mean(coadd["R_FLUX"][row][inside] * wave[inside] ** 2) * 1e-17 / 2.998e18 / 3.631e-29
        assert nanomaggies == pytest.approx(coadd["FIBERMAP"]["FLUX_R"][row], rel=0.08)


def test_resolution_is_a_normalised_symmetric_profile_and_nothing_is_infinite_or_undefined(coadd, zcatalog):
    for camera in "BRZ":
        bands = coadd[f"{camera}_RESOLUTION"]
        assert np.allclose(bands.sum(axis=1), 1.0, atol=0.002)
        assert np.array_equal(bands, bands[:, ::-1])
        assert np.all(bands.argmax(axis=1) == 5)
    for values in [*coadd.values(), zcatalog]:
        columns = [values[name] for name in values.dtype.names] if values.dtype.names else [values]
        assert all(np.all(np.isfinite(column)) for column in columns if column.dtype.kind == "f")


def test_desispec_reads_the_sample(healpix, release):
    desispec = pytest.importorskip("desispec.io", reason="desispec is not installed here")
    read = desispec.read_spectra(str(healpix("coadd")), return_redshifts=True)
    assert read.bands == ["b", "r", "z"]
    assert read.num_spectra() == len(release.targets) + release.drawn_targets
    assert read.R["b"][0].shape == (2751, 2751)
    assert read.redshifts["TARGETID"].tolist() == read.fibermap["TARGETID"].tolist()
    # Asked for the compressed file, it also finds one that is not.
    assert desispec.read_spectra(str(healpix("spectra", ".fits.gz"))).num_spectra() > read.num_spectra()
