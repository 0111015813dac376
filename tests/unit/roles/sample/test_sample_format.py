# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HDUs, columns, types and shapes, against what the real files have."""

import fitsio
import numpy as np
import pytest

CAMERAS = [f"{camera}_{name}" for camera in "BRZ" for name in ("WAVELENGTH", "FLUX", "IVAR", "MASK", "RESOLUTION")]
HDUS = {
    "coadd": ["", "FIBERMAP", "EXP_FIBERMAP", *CAMERAS, "SCORES"],
    "spectra": ["", "FIBERMAP", *CAMERAS, "SCORES"],
    "redrock": ["", "REDSHIFTS", "FIBERMAP", "EXP_FIBERMAP", "TSNR2"],
}

# As astropy's info() prints the real files in the public tutorials: EDR, tile sv1 for fuji; healpixel 23040 for iron.
IMAGING = "DJI8AJJ4A" + "E" * 17 + "IEEEEK2AEEEE1A"
COADDED = "IEIIEEEEDEDEE"
FORMATS = {
    ("edr", "coadd", "FIBERMAP"): "KJDDEEEKB3A" + IMAGING + "K" * 9 + "DD" + COADDED,
    ("dr1", "coadd", "FIBERMAP"): "KJDDEEEKB3A" + IMAGING + "K" * 6 + "DD" + COADDED,
    ("dr1", "spectra", "FIBERMAP"): "KIJKJJDDEEEEKB3AEEJ" + IMAGING + "K" * 6 + "DDK" + "D" * 8 + "JJDJ",
    ("edr", "coadd", "EXP_FIBERMAP"): "KJDJJDJDIJKJJEEEDDK" + "D" * 7,
    ("dr1", "coadd", "EXP_FIBERMAP"): "KJDJJDJDIJKJJEEEDDK" + "D" * 7,
    ("edr", "redrock", "REDSHIFTS"): "KDDKD10DK6A20AKD",
    ("edr", "redrock", "TSNR2"): "K" + "E" * 32,
    ("edr", "coadd", "SCORES"): "K" + "E" * 41,
    ("dr1", "spectra", "SCORES"): "K" + "D" * 60,
}
PIXELS = {"B": 2751, "R": 2326, "Z": 2881}


def open_healpix(healpix, release, prefix):
    return fitsio.FITS(str(healpix(prefix, release.spectra_suffix if prefix == "spectra" else ".fits")))


@pytest.mark.parametrize("prefix", HDUS)
def test_hdus_come_in_the_real_order(healpix, release, prefix):
    with open_healpix(healpix, release, prefix) as fits:
        assert [hdu.get_extname() for hdu in fits] == HDUS[prefix]


@pytest.mark.parametrize(("name", "prefix", "hdu"), FORMATS)
def test_columns_have_the_real_formats(bucket, request, name, prefix, hdu):
    from desi_sample.releases import RELEASES

    release = RELEASES[name]
    (path,) = bucket.glob(f"{name}/spectro/redux/*/healpix/{release.survey}/{release.program}/**/{prefix}-*")
    header = fitsio.read_header(str(path), hdu)
    assert "".join(header[f"TFORM{number + 1}"] for number in range(header["TFIELDS"])) == FORMATS[name, prefix, hdu]


def test_columns_have_the_real_names(healpix, release):
    names = fitsio.FITS(str(healpix("coadd")))["FIBERMAP"].get_colnames()
    first = "TARGETID COADD_FIBERSTATUS TARGET_RA TARGET_DEC PMRA PMDEC REF_EPOCH FA_TARGET FA_TYPE OBJTYPE SUBPRIORITY"
    assert " ".join(names).startswith(f"{first} OBSCONDITIONS ")
    bits = "DESI_TARGET BGS_TARGET MWS_TARGET"
    early = f"SV3_DESI_TARGET SV3_BGS_TARGET SV3_MWS_TARGET SV3_SCND_TARGET {bits}"
    masks = names[names.index("NUMOBS_INIT") + 1 : names.index("PLATE_RA")]
    assert " ".join(masks) == (early if release.name == "edr" else f"{bits} SCND_TARGET")
    last = "MEAN_FIBER_RA STD_FIBER_RA MEAN_FIBER_DEC STD_FIBER_DEC MEAN_PSF_TO_FIBER_SPECFLUX"
    assert " ".join(names[-5:]) == last


def test_columns_have_units(healpix):
    header = fitsio.read_header(str(healpix("coadd")), "FIBERMAP")
    units = {header[f"TTYPE{n + 1}"]: (header.get(f"TUNIT{n + 1}") or "").strip() for n in range(header["TFIELDS"])}
    wanted = {
        "TARGET_RA": "deg",
        "FLUX_IVAR_Z": "nanomaggy^-2",
        "PMRA": "mas yr^-1",
        "MEAN_DELTA_X": "mm",
        "TARGETID": "",
    }
    assert {name: units[name] for name in wanted} == wanted


@pytest.mark.parametrize("prefix", ["coadd", "spectra"])
def test_spectra_have_the_real_shapes_and_types(healpix, release, prefix):
    with open_healpix(healpix, release, prefix) as fits:
        rows = fits["FIBERMAP"].get_nrows()
        for camera, pixels in PIXELS.items():
            for name, dtype, shape in (
                ("WAVELENGTH", "f8", (pixels,)),
                ("FLUX", "f4", (rows, pixels)),
                ("IVAR", "f4", (rows, pixels)),
                ("MASK", {"edr": "u4", "dr1": "i4"}[release.name], (rows, pixels)),
                ("RESOLUTION", "f4", (rows, 11, pixels)),
            ):
                values = fits[f"{camera}_{name}"].read()
                assert (values.dtype.newbyteorder("="), values.shape) == (np.dtype(dtype), shape)
            assert fits[f"{camera}_FLUX"].read_header()["BUNIT"] == "10**-17 erg/(s cm2 Angstrom)"


def test_wavelengths_are_those_of_the_spectrographs(healpix):
    with fitsio.FITS(str(healpix("coadd"))) as fits:
        for camera, first, last in (("B", 3600.0, 5800.0), ("R", 5760.0, 7620.0), ("Z", 7520.0, 9824.0)):
            wave = fits[f"{camera}_WAVELENGTH"].read()
            assert (wave[0], wave[-1]) == (first, last)
            assert np.allclose(np.diff(wave), 0.8)


def test_the_catalog_of_iron_has_the_real_columns(bucket):
    path = bucket / "dr1/spectro/redux/iron/zcatalog/v1/zall-pix-iron.fits"
    with fitsio.FITS(str(path)) as fits:
        assert fits[1].get_extname() == "ZCATALOG"
        names, dtype = fits[1].get_colnames(), fits[1].read(rows=[0]).dtype
        assert fits[0].read_header()["ZCATVER"] == "v1"
    assert len(names) == 136
    assert names[:5] == ["TARGETID", "SURVEY", "PROGRAM", "HEALPIX", "SPGRPVAL"]
    masks = [
        f"{prefix}{name}_TARGET" for prefix in ("", "SV1_", "SV2_", "SV3_") for name in ("DESI", "BGS", "MWS", "SCND")
    ]
    assert names[names.index("CMX_TARGET") + 1 : names.index("PLATE_RA")] == masks
    last = ["MAIN_NSPEC", "MAIN_PRIMARY", "SV_NSPEC", "SV_PRIMARY", "ZCAT_NSPEC", "ZCAT_PRIMARY", "DESINAME"]
    assert names[-7:] == last
    assert (dtype["ZCAT_PRIMARY"], dtype["SURVEY"], dtype["COEFF"].shape) == (np.dtype("?"), np.dtype("U7"), (10,))


def test_the_catalog_of_fuji_has_the_columns_of_its_time(bucket):
    with fitsio.FITS(str(bucket / "edr/spectro/redux/fuji/zcatalog/zall-pix-fuji.fits")) as fits:
        names = fits["ZCATALOG"].get_colnames()
    assert names[-4:] == ["SV_NSPEC", "SV_PRIMARY", "ZCAT_NSPEC", "ZCAT_PRIMARY"]
    assert not {"DESINAME", "MEAN_MJD", "MAIN_NSPEC"} & set(names)


def test_files_by_tile_tell_of_fibers(production, release):
    for path in production.glob("tiles/cumulative/*/*/coadd-*.fits"):
        petal = int(path.name.split("-")[1])
        table = fitsio.read(str(path), "FIBERMAP")
        assert set(table["PETAL_LOC"]) == {petal} == set(table["FIBER"] // 500)
        assert set(table["TILEID"]) == {int(path.parent.parent.name)}
        assert fitsio.read_header(str(path), 0)["PETAL"] == petal


def test_the_first_header_names_the_healpixel(healpix, release):
    header = fitsio.read_header(str(healpix("redrock")), 0)
    assert (header["HPXPIXEL"], header["HPXNSIDE"], header["HPXNEST"]) == (release.healpix, 64, True)
    assert (header["SURVEY"].strip(), header["PROGRAM"].strip()) == (release.survey, release.program)
    assert header["TEMNAM01"].strip() == {"edr": "QSO", "dr1": "QSO:::HIZ"}[release.name]
