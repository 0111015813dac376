# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The columns of every table: name, type and unit, in the order in which the real files have them.

Types and units are those of the DESI data model (tags 23.1 for fuji, 25.3 for iron); where the order of the real files
differs from it, as the public tutorials print it, theirs is followed.
"""

from __future__ import annotations

from .releases import Release

Column = tuple[str, str, str]
"""Name, type as numpy writes it, and unit."""


def _columns(text: str) -> list[Column]:
    """Read ``NAME:type`` or ``NAME:type:unit`` words (``_`` in a unit is a blank)."""
    words = [word.split(":") for word in text.split()]
    return [(word[0], word[1], word[2].replace("_", " ") if len(word) > 2 else "") for word in words]


_TARGETID = _columns("TARGETID:i8")
_FIBER = _columns("PETAL_LOC:i2 DEVICE_LOC:i4 LOCATION:i8 FIBER:i4")
_POSITION = _columns("""
    TARGET_RA:f8:deg TARGET_DEC:f8:deg PMRA:f4:mas_yr^-1 PMDEC:f4:mas_yr^-1 REF_EPOCH:f4:yr""")
_LAMBDA_REF = _columns("LAMBDA_REF:f4:Angstrom")
_ASSIGNMENT = _columns("FA_TARGET:i8 FA_TYPE:u1 OBJTYPE:S3")
_PLACE = _columns("FIBERASSIGN_X:f4:mm FIBERASSIGN_Y:f4:mm PRIORITY:i4")
_PHOTOMETRY = _columns("""
    SUBPRIORITY:f8 OBSCONDITIONS:i4 RELEASE:i2 BRICKNAME:S8 BRICKID:i4 BRICK_OBJID:i4 MORPHTYPE:S4 EBV:f4:mag
    FLUX_G:f4:nanomaggy FLUX_R:f4:nanomaggy FLUX_Z:f4:nanomaggy FLUX_W1:f4:nanomaggy FLUX_W2:f4:nanomaggy
    FLUX_IVAR_G:f4:nanomaggy^-2 FLUX_IVAR_R:f4:nanomaggy^-2 FLUX_IVAR_Z:f4:nanomaggy^-2
    FLUX_IVAR_W1:f4:nanomaggy^-2 FLUX_IVAR_W2:f4:nanomaggy^-2
    FIBERFLUX_G:f4:nanomaggy FIBERFLUX_R:f4:nanomaggy FIBERFLUX_Z:f4:nanomaggy
    FIBERTOTFLUX_G:f4:nanomaggy FIBERTOTFLUX_R:f4:nanomaggy FIBERTOTFLUX_Z:f4:nanomaggy
    MASKBITS:i2 SERSIC:f4 SHAPE_R:f4:arcsec SHAPE_E1:f4 SHAPE_E2:f4 REF_ID:i8 REF_CAT:S2
    GAIA_PHOT_G_MEAN_MAG:f4:mag GAIA_PHOT_BP_MEAN_MAG:f4:mag GAIA_PHOT_RP_MEAN_MAG:f4:mag PARALLAX:f4:mas
    PHOTSYS:S1 PRIORITY_INIT:i8 NUMOBS_INIT:i8""")
_PLATE = _columns("PLATE_RA:f8:deg PLATE_DEC:f8:deg")
_MEASURED = _columns("""
    NUM_ITER:i8 FIBER_X:f8:mm FIBER_Y:f8:mm DELTA_X:f8:mm DELTA_Y:f8:mm FIBER_RA:f8:deg FIBER_DEC:f8:deg""")
_THROUGHPUT = _columns("PSF_TO_FIBER_SPECFLUX:f8")
_COADDED = _columns("""
    COADD_NUMEXP:i2 COADD_EXPTIME:f4:s COADD_NUMNIGHT:i2 COADD_NUMTILE:i2
    MEAN_DELTA_X:f4:mm RMS_DELTA_X:f4:mm MEAN_DELTA_Y:f4:mm RMS_DELTA_Y:f4:mm""")
_MEAN_FIBER = _columns("MEAN_FIBER_RA:f8:deg STD_FIBER_RA:f4:arcsec MEAN_FIBER_DEC:f8:deg STD_FIBER_DEC:f4:arcsec")
_MEAN_THROUGHPUT = _columns("MEAN_PSF_TO_FIBER_SPECFLUX:f4")
_MEAN_XY = _columns("MEAN_FIBER_X:f4:mm MEAN_FIBER_Y:f4:mm")
_DATES = _columns("MIN_MJD:f8:d MAX_MJD:f8:d MEAN_MJD:f8:d")
_REDSHIFT = _columns("""
    Z:f8 ZERR:f8 ZWARN:i8 CHI2:f8 COEFF:10f8 NPIXELS:i8 SPECTYPE:S6 SUBTYPE:S20 NCOEFF:i8 DELTACHI2:f8""")
_KINDS = ("GPBDARK", "ELG", "GPBBRIGHT", "LYA", "BGS", "GPBBACKUP", "QSO", "LRG")
_SURVEYS = ("SV1", "SV2", "SV3")


def _tsnr2(dtype: str, endings: tuple[str, ...]) -> list[Column]:
    return [(f"TSNR2_{kind}{ending}", dtype, "") for ending in endings for kind in _KINDS]


def _bits(prefix: str, names: str = "DESI BGS MWS SCND") -> list[Column]:
    return [(f"{prefix}{name}_TARGET", "i8", "") for name in names.split()]


def _survey_bits(survey: str) -> list[Column]:
    """The target masks that the files of a survey have: SV its own beside those of the main survey."""
    if survey.upper() in _SURVEYS:
        return _bits(f"{survey.upper()}_") + _bits("", "DESI BGS MWS")
    return _bits("")


def _every_bit() -> list[Column]:
    return [("CMX_TARGET", "i8", ""), *_bits(""), *(column for survey in _SURVEYS for column in _bits(f"{survey}_"))]


def coadd_fibermap(survey: str, by_tile: bool) -> list[Column]:
    head = [*_TARGETID, *(_FIBER if by_tile else []), *_columns("COADD_FIBERSTATUS:i4"), *_POSITION]
    head += [*(_LAMBDA_REF if by_tile else []), *_ASSIGNMENT, *(_PLACE if by_tile else []), *_PHOTOMETRY]
    tail = [*_survey_bits(survey), *_PLATE, *(_columns("TILEID:i4") if by_tile else []), *_COADDED, *_MEAN_FIBER]
    return head + tail + [*_MEAN_THROUGHPUT, *(_MEAN_XY if by_tile else [])]


def spectra_fibermap(survey: str) -> list[Column]:
    head = [*_TARGETID, *_FIBER, *_columns("FIBERSTATUS:i4"), *_POSITION, *_LAMBDA_REF, *_ASSIGNMENT, *_PLACE]
    tail = [*_PHOTOMETRY, *_survey_bits(survey), *_PLATE, *_MEASURED, *_columns("EXPTIME:f8:s"), *_THROUGHPUT]
    return head + tail + _columns("NIGHT:i4 EXPID:i4 MJD:f8 TILEID:i4")


def exp_fibermap(in_coadd: bool = False) -> list[Column]:
    head = _columns("TARGETID:i8 PRIORITY:i4 SUBPRIORITY:f8 NIGHT:i4 EXPID:i4 MJD:f8 TILEID:i4 EXPTIME:f8:s")
    place = [*_FIBER, *_columns("FIBERSTATUS:i4 FIBERASSIGN_X:f4:mm FIBERASSIGN_Y:f4:mm"), *_LAMBDA_REF, *_PLATE]
    flags = _columns("IN_COADD_B:? IN_COADD_R:? IN_COADD_Z:?") if in_coadd else []
    return [*head, *place, *_MEASURED, *_THROUGHPUT, *flags]


def coadd_scores() -> list[Column]:
    names = ("INTEG_COADD_FLUX", "MEDIAN_COADD_FLUX", "MEDIAN_COADD_SNR")
    bright = [(f"{name}_{camera}", "f4", "") for camera in "BRZ" for name in names]
    return [*_TARGETID, *bright, *_tsnr2("f4", ("_B", "_R", "_Z", ""))]


def spectra_scores() -> list[Column]:
    columns = list(_TARGETID)
    for camera in "BRZ":
        for stage in ("RAW", "FFLAT", "SKYSUB", "CALIB"):
            names = (f"SUM_{stage}_COUNT", f"MEDIAN_{stage}_COUNT", f"MEDIAN_{stage}_SNR")
            columns += [(f"{name}_{camera}", "f8", "") for name in names]
        columns += _tsnr2("f8", (f"_{camera}",))
    return columns


def redshifts() -> list[Column]:
    return [*_TARGETID, *_REDSHIFT]


def redrock_tsnr2() -> list[Column]:
    return [*_TARGETID, *_tsnr2("f4", ("_B", "_R", "_Z", ""))]


def zcatalog(release: Release, by_tile: bool) -> list[Column]:
    newer = release.specprod != "fuji"
    nights = [*(_columns("FIRSTNIGHT:i4") if newer else []), *_columns("LASTNIGHT:i4")]
    head = [*_TARGETID, *_columns("SURVEY:S7 PROGRAM:S6"), *(nights if by_tile else _columns("HEALPIX:i4"))]
    head += [*_columns("SPGRPVAL:i4"), *_REDSHIFT, *(_FIBER if by_tile else []), *_columns("COADD_FIBERSTATUS:i4")]
    head += [*_POSITION, *(_LAMBDA_REF if by_tile else []), *_ASSIGNMENT, *(_PLACE if by_tile else []), *_PHOTOMETRY]
    head += [*_every_bit(), *_PLATE, *(_columns("TILEID:i4") if by_tile else []), *_COADDED]
    middle = [*_MEAN_THROUGHPUT, *_MEAN_FIBER, *_DATES] if newer else [*_MEAN_FIBER, *_MEAN_THROUGHPUT]
    tail = [*(_MEAN_XY if by_tile else []), *_tsnr2("f4", ("_B", "_R", "_Z", ""))]
    if newer:
        tail += _columns(
            "MAIN_NSPEC:i2 MAIN_PRIMARY:? SV_NSPEC:i2 SV_PRIMARY:? ZCAT_NSPEC:i2 ZCAT_PRIMARY:? DESINAME:S22"
        )
    else:
        tail += _columns("SV_NSPEC:i4 SV_PRIMARY:? ZCAT_NSPEC:i2 ZCAT_PRIMARY:?")
    return head + middle + tail


def tiles() -> list[Column]:
    return _columns("""
        TILEID:i4 SURVEY:S20 PROGRAM:S6 FAPRGRM:S20 FAFLAVOR:S20 NEXP:i8 EXPTIME:f8:s TILERA:f8:deg TILEDEC:f8:deg
        EFFTIME_ETC:f8:s EFFTIME_SPEC:f8:s EFFTIME_GFA:f8:s GOALTIME:f8:s OBSSTATUS:S20 LRG_EFFTIME_DARK:f8:s
        ELG_EFFTIME_DARK:f8:s BGS_EFFTIME_BRIGHT:f8:s LYA_EFFTIME_DARK:f8:s GOALTYPE:S20 MINTFRAC:f8 LASTNIGHT:i4""")


def exposures() -> list[Column]:
    return _columns("""
        NIGHT:i4 EXPID:i4 TILEID:i4 TILERA:f8:deg TILEDEC:f8:deg MJD:f8 SURVEY:S7 PROGRAM:S6 FAPRGRM:S16 FAFLAVOR:S19
        EXPTIME:f8:s EFFTIME_SPEC:f8:s GOALTIME:f8:s GOALTYPE:S6 MINTFRAC:f8 AIRMASS:f4 EBV:f4 SEEING_ETC:f8:arcsec
        EFFTIME_ETC:f8:s TSNR2_ELG:f8 TSNR2_QSO:f8 TSNR2_LRG:f8 TSNR2_LYA:f8 TSNR2_BGS:f8 TSNR2_GPBDARK:f8
        TSNR2_GPBBRIGHT:f8 TSNR2_GPBBACKUP:f8 LRG_EFFTIME_DARK:f8:s ELG_EFFTIME_DARK:f8:s BGS_EFFTIME_BRIGHT:f8:s
        LYA_EFFTIME_DARK:f8:s GPB_EFFTIME_DARK:f8:s GPB_EFFTIME_BRIGHT:f8:s GPB_EFFTIME_BACKUP:f8:s
        TRANSPARENCY_GFA:f8 SEEING_GFA:f8:arcsec FIBER_FRACFLUX_GFA:f8 FIBER_FRACFLUX_ELG_GFA:f8
        FIBER_FRACFLUX_BGS_GFA:f8 FIBERFAC_GFA:f8 FIBERFAC_ELG_GFA:f8 FIBERFAC_BGS_GFA:f8 AIRMASS_GFA:f8
        SKY_MAG_AB_GFA:f8:mag_arcsec^-2 SKY_MAG_G_SPEC:f8:mag_arcsec^-2 SKY_MAG_R_SPEC:f8:mag_arcsec^-2
        SKY_MAG_Z_SPEC:f8:mag_arcsec^-2 EFFTIME_GFA:f8:s EFFTIME_DARK_GFA:f8:s EFFTIME_BRIGHT_GFA:f8:s
        EFFTIME_BACKUP_GFA:f8:s""")


def healpix_exposures() -> list[Column]:
    return _columns("NIGHT:i4 EXPID:i4 TILEID:i4 SURVEY:S7 PROGRAM:S6 SPECTRO:i4 HEALPIX:i4")
