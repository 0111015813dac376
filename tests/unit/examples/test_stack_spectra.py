# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stack of spectra: what is read of a coadd, how it comes to rest, and that the median is exact."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import fitsio
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]


def load(path, monkeypatch):
    """Import a file by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example(monkeypatch):
    """The program, without what only the image has."""
    stand_ins = {
        "dask": SimpleNamespace(),
        "dask.diagnostics": SimpleNamespace(ProgressBar=None),
        "matplotlib": SimpleNamespace(pyplot=None),
        "matplotlib.pyplot": SimpleNamespace(),
    }
    for name, module in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, module)
    return load(ROOT / "examples" / "stack_spectra.py", monkeypatch)


def test_notebook_and_the_copies_in_the_image_are_made_of_the_program(monkeypatch):
    made = load(ROOT / "tests/lint/example_notebooks.py", monkeypatch).files()
    assert len(made) == 3
    assert {path for path, text in made.items() if not path.exists() or path.read_text() != text} == set()


# Type, redshift, warning, lead over the second fit, what the fiber was on, its status; and whether it counts.
TARGETS = [
    ("GALAXY", 0.5, 0, 99.0, "TGT", 0, True),
    ("GALAXY", 0.5, 4, 99.0, "TGT", 0, False),
    ("QSO", 0.5, 0, 99.0, "TGT", 0, False),
    ("GALAXY", 0.5, 0, 9.0, "TGT", 0, False),
    ("GALAXY", 0.5, 0, 99.0, "SKY", 0, False),
    ("GALAXY", 0.5, 0, 99.0, "TGT", 2, False),
    ("GALAXY", 1.25, 0, 99.0, "TGT", 0, False),
    ("GALAXY", 0.9, 0, 99.0, "TGT", 0, True),
]
LINE = 3728.5


@pytest.fixture
def coadd(tmp_path):
    """A coadd of flat spectra with one line, wrong values masked or without weight, and its redrock file."""
    grids = {"B": 3600 + 0.8 * np.arange(2751), "R": 5760 + 0.8 * np.arange(2326), "Z": 7520 + 0.8 * np.arange(2881)}
    size = len(TARGETS)
    fibers = np.zeros(size, [("TARGETID", "i8"), ("OBJTYPE", "S3"), ("COADD_FIBERSTATUS", "i4")])
    kinds = [("TARGETID", "i8"), ("Z", "f8"), ("ZWARN", "i8"), ("SPECTYPE", "S6"), ("DELTACHI2", "f8")]
    fits = np.zeros(size, kinds)
    fibers["TARGETID"] = fits["TARGETID"] = 100 + np.arange(size)
    for row, (spectype, z, zwarn, lead, objtype, status, _counts) in enumerate(TARGETS):
        fibers[row] = (100 + row, objtype, status)
        fits[row] = (100 + row, z, zwarn, spectype, lead)
    path = tmp_path / "coadd-main-dark-7.fits"
    with fitsio.FITS(tmp_path / "redrock-main-dark-7.fits", "rw") as file:
        file.write(None)
        # Another order than that of the coadd.
        file.write(fits[::-1], extname="REDSHIFTS")
    with fitsio.FITS(path, "rw") as file:
        file.write(None)
        file.write(fibers, extname="FIBERMAP")
        for camera, wave in grids.items():
            flux, ivar = np.full((size, len(wave)), 2.0), np.full((size, len(wave)), 4.0)
            mask = np.zeros((size, len(wave)), "i4")
            for row, target in enumerate(TARGETS):
                flux[row, np.abs(wave / (1 + target[1]) - LINE) < 1.0] = 10.0
            flux[:, 50], mask[:, 50] = 1e6, 1
            flux[:, 60], ivar[:, 60] = 1e6, 0.0
            if camera == "R":
                flux[:, :51], ivar[:, :50] = 5.0, 8.0
            file.write(wave, extname=f"{camera}_WAVELENGTH")
            file.write(flux.astype("f4"), extname=f"{camera}_FLUX")
            file.write(ivar.astype("f4"), extname=f"{camera}_IVAR")
            file.write(mask, extname=f"{camera}_MASK")
    return str(path)


def test_rows_that_count_have_a_sure_redshift_of_a_target_in_the_range(example, coadd):
    rows, redshifts = example.selected(coadd, example.Stack())
    assert rows.tolist() == [row for row, target in enumerate(TARGETS) if target[-1]]
    assert redshifts.tolist() == [0.5, 0.9]


def test_cameras_are_averaged_by_inverse_variance_where_they_overlap_and_masked_pixels_left_out(example, coadd):
    wave, flux, ivar = example.combined(coadd, np.array([0]))
    assert wave.shape == (7781,)
    assert wave[[0, -1]] == pytest.approx([3600.0, 9824.0])
    assert (ivar[0, 0], ivar[0, 50], ivar[0, 60]) == (4.0, 0.0, 0.0)
    overlap = round((5770.4 - 3600.0) / 0.8)
    assert (flux[0, overlap], ivar[0, overlap]) == (pytest.approx((2 * 4 + 5 * 8) / 12), 12.0)
    assert flux.max() <= 10.0


def test_a_line_is_at_its_rest_wavelength_and_the_window_at_one(example, coadd):
    stack = example.Stack()
    ((bins, spectra),) = example.read([coadd], stack, 1)
    assert bins.tolist() == [1, 3]
    for spectrum in spectra:
        assert abs(stack.wave[np.nanargmax(spectrum)] - LINE) < stack.step
        assert np.nanmedian(spectrum[(stack.wave > 4150) & (stack.wave < 4250)]) == 1.0


@pytest.mark.parametrize("wrong", ["no flux", "out of range"])
def test_a_spectrum_without_signal_in_the_window_is_left_out(example, wrong):
    wave = np.arange(3600.0, 9824.0, 0.8)
    flux = np.zeros(len(wave)) if wrong == "no flux" else np.ones(len(wave))
    assert example.at_rest(wave, flux, np.ones(len(wave)), 0.5 if wrong == "no flux" else 1.6, example.Stack()) is None


@pytest.mark.parametrize("blocks", [1, 3, 7])
def test_the_median_is_that_of_all_whatever_the_order_the_files_and_the_blocks(example, blocks):
    draws = np.random.default_rng(5)
    spectra = draws.normal(size=(40, 50)).astype("f4")
    spectra[draws.random(spectra.shape) < 0.3] = np.nan
    spectra[:, 7] = np.nan
    numbers = draws.integers(0, 3, 40).astype("i2")
    order = draws.permutation(40)
    done = []
    for columns in np.array_split(np.arange(50), blocks):
        parts = [(numbers[rows], spectra[rows][:, columns]) for rows in np.array_split(order, 6)]
        done.append(example.medians(parts, 4))
    median, count, total = (*(np.concatenate(each, axis=1) for each in list(zip(*done))[:2]), done[0][2])
    for number in range(3):
        mine = spectra[numbers == number]
        assert np.array_equal(count[number], np.isfinite(mine).sum(axis=0))
        seen = count[number] > 0
        assert np.array_equal(median[number, seen], np.nanmedian(mine[:, seen], axis=0))
        assert np.isnan(median[number, ~seen]).all()
    assert total.tolist() == [*np.bincount(numbers, minlength=3).tolist(), 0]
    assert np.isnan(median[3]).all()


@pytest.mark.parametrize(("files", "shape"), [(1, (8, 1)), (64, (8, 64)), (1000, (20, 1000)), (20_000, (400, 400))])
def test_a_block_fits_into_a_worker_and_the_tasks_into_the_scheduler(example, files, shape):
    assert example.shape(files) == shape


def test_coadds_are_found_by_listing_two_levels_and_the_first_are_taken(example, tmp_path, monkeypatch):
    top = tmp_path / "iron/healpix/main/dark"
    for piece in (230, 7, 1234, 201):
        (top / str(piece // 100) / str(piece)).mkdir(parents=True)
    monkeypatch.setenv("DESI_SPECTRO_REDUX", str(tmp_path))
    monkeypatch.setenv("SPECPROD", "iron")
    found = example.coadds("main", "dark", 3)
    assert found[0] == f"{top}/0/7/coadd-main-dark-7.fits"
    assert [Path(path).parent.name for path in found] == ["7", "201", "230"]
    with pytest.raises(FileNotFoundError):
        example.coadds("main", "bright")
