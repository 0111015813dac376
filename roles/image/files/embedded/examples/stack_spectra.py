# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# %% [markdown]
# # Median spectra by redshift, from all coadds of a program
#
# DESI's coadds of one program are thousands of files of some 200 MB each. This notebook reads from each what a stack
# needs, keeps a small array of it, and takes the median of all. It runs on one core, or on all workers of a Dask
# cluster (`./lab local -e lab_workers=2`) without a change, and the result is the same to the last bit.
#
# | do | instead of | because |
# |---|---|---|
# | send the *function* to the files: a task reads its file | sending spectra to the workers | few bytes are needed |
# | read the HDUs `FLUX`, `IVAR` and `MASK` | reading whole files | most of a coadd is its resolution matrices |
# | return small arrays of one shape | returning `Spectra` or tables | workers exchange them |
# | bring all values of a wavelength together | the median of the files' medians | that is another number |
# | list two levels of folders, build the paths | `glob("*/*/*.fits")` | each folder listed is a request |
#
# The same is a program: `python stack_spectra.py --help`.

# %%
from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dask
import fitsio
import matplotlib.pyplot as plt
import numpy as np
from dask.diagnostics import ProgressBar

# %% [markdown]
# ## What is stacked
#
# A redshift counts if Redrock raised no warning (`ZWARN == 0`), found the wanted type, and the second best fit is worse
# by `DELTACHI2`. The fiber has to have worked (`COADD_FIBERSTATUS == 0`) and to have been on a target, not on the sky
# (`OBJTYPE`). Each spectrum is divided by its flux in a window without strong lines, between Hδ and the G band, so that
# bright galaxies are not told from faint ones by their brightness. DESI sees that window up to z = 1.3.


# %%
@dataclass(frozen=True)
class Stack:
    """What is stacked, and on which grid. Wavelengths are in Angstrom, in vacuum and at rest."""

    spectype: str = "GALAXY"
    edges: tuple[float, ...] = (0.05, 0.4, 0.6, 0.8, 1.0, 1.25)
    """Redshifts between which spectra go into one stack."""
    min_deltachi2: float = 25.0
    window: tuple[float, float] = (4150.0, 4250.0)
    """Where a spectrum is scaled to 1."""
    min_snr: float = 1.0
    """The least signal to noise per Angstrom there: dividing by noise would only add noise."""
    first: float = 2000.0
    last: float = 7000.0
    step: float = 1.0
    """At least as wide as DESI's pixels of 0.8 Angstrom, so that none of the grid stays empty in between."""

    @property
    def wave(self) -> np.ndarray:
        """The middles of the grid's pixels, in Angstrom."""
        return np.arange(self.first + self.step / 2, self.last, self.step)

    @property
    def labels(self) -> list[str]:
        return [f"{low:g} < z < {high:g}" for low, high in zip(self.edges, self.edges[1:])]


# %% [markdown]
# ## Which files
#
# `healpix/SURVEY/PROGRAM/(PIECE // 100)/PIECE/coadd-SURVEY-PROGRAM-PIECE.fits`, and beside it `redrock-…`. Listing the
# folders of hundreds takes some hundred requests for a whole program, and listing each piece would take thousands. If
# what you stack is rare, choose the pieces in the catalog `zcatalog/…/zpix-SURVEY-PROGRAM.fits` first.


# %%
def coadds(survey: str, program: str, most: int | None = None) -> list[str]:
    """Return the paths of a program's coadds by healpixel, at most so many, from the first healpixel on."""
    top = Path(os.environ["DESI_SPECTRO_REDUX"], os.environ["SPECPROD"], "healpix", survey, program)
    pieces: list[int] = []
    for hundred in sorted(top.iterdir(), key=lambda place: int(place.name)):
        if most is not None and len(pieces) >= most:
            break
        pieces += sorted(int(place.name) for place in hundred.iterdir() if place.name.isdigit())
    if not pieces:
        raise FileNotFoundError(f"There are no coadds in {top}.")
    return [f"{top}/{piece // 100}/{piece}/coadd-{survey}-{program}-{piece}.fits" for piece in pieces[:most]]


# %% [markdown]
# ## One file
#
# The cameras B, R and Z share one grid of 0.8 Å and overlap by 40 and 100 Å: there, they are averaged, weighted by
# their inverse variance. Pixels that are masked or have no inverse variance are left out. DESI's wavelengths are those
# in *vacuum*, in the frame of the solar system's barycenter: compare them with [O III] 5008.24 and not with 5006.84.
# Extinction by our own galaxy is not corrected here; `EBV` is in the table `FIBERMAP`.


# %%
HDUS = ("WAVELENGTH", "FLUX", "IVAR", "MASK")


def selected(coadd: str, stack: Stack) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a coadd that are stacked, and their redshifts."""
    place = Path(coadd)
    names = ["TARGETID", "Z", "ZWARN", "SPECTYPE", "DELTACHI2"]
    fits = fitsio.read(place.with_name(place.name.replace("coadd-", "redrock-", 1)), ext="REDSHIFTS", columns=names)
    fibers = fitsio.read(coadd, ext="FIBERMAP", columns=["TARGETID", "OBJTYPE", "COADD_FIBERSTATUS"])
    row_of = {targetid: row for row, targetid in enumerate(fits["TARGETID"].tolist())}
    fits = fits[[row_of[targetid] for targetid in fibers["TARGETID"].tolist()]]
    good = (fits["ZWARN"] == 0) & (fits["DELTACHI2"] > stack.min_deltachi2)
    good &= (fits["Z"] >= stack.edges[0]) & (fits["Z"] < stack.edges[-1])
    good &= (np.char.strip(fits["SPECTYPE"].astype(str)) == stack.spectype) & (fibers["COADD_FIBERSTATUS"] == 0)
    good &= np.char.strip(fibers["OBJTYPE"].astype(str)) == "TGT"
    rows = np.flatnonzero(good)
    return rows, fits["Z"][rows].astype("f8")


def combined(coadd: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return wavelength [Angstrom] of these rows, and flux [1e-17 erg/s/cm2/Angstrom] and inverse variance of each."""
    with fitsio.FITS(coadd) as file:
        # In the order of the file: what is streamed is fetched ahead of whoever reads on.
        cameras = [[file[f"{camera}_{what}"].read() for what in HDUS] for camera in "BRZ"]
    first, step = cameras[0][0][0], 0.8
    size = round((cameras[-1][0][-1] - first) / step) + 1
    weighted, ivar = np.zeros((len(rows), size)), np.zeros((len(rows), size))
    for wave, flux, weight, mask in cameras:
        start = round((wave[0] - first) / step)
        part = np.s_[:, start : start + len(wave)]
        good = np.where(mask[rows] == 0, weight[rows], 0.0).astype("f8")
        weighted[part] += good * flux[rows]
        ivar[part] += good
    flux = np.divide(weighted, ivar, out=np.zeros_like(weighted), where=ivar > 0)
    return first + step * np.arange(size), flux, ivar


def at_rest(wave: np.ndarray, flux: np.ndarray, ivar: np.ndarray, z: float, stack: Stack) -> np.ndarray | None:
    """Return one spectrum on the grid of the stack, scaled to 1 in its window; None if there is too little signal.

    Each pixel goes whole into the pixel of the grid that has its middle, so that noise stays independent. Where there
    is none, the result is NaN. That flux grows by 1 + z at rest does not matter, since it is scaled.
    """
    size = len(stack.wave)
    pixel = np.floor((wave / (1.0 + z) - stack.first) / stack.step).astype(int)
    seen = (ivar > 0) & (pixel >= 0) & (pixel < size)
    weight = np.bincount(pixel[seen], weights=ivar[seen], minlength=size)
    total = np.bincount(pixel[seen], weights=(ivar * flux)[seen], minlength=size)
    rest = np.divide(total, weight, out=np.full(size, np.nan), where=weight > 0)
    window = (stack.wave > stack.window[0]) & (stack.wave < stack.window[1])
    inside = window & (weight > 0)
    if inside.sum() < window.sum() / 2:
        return None
    scale = np.median(rest[inside])
    if scale * np.sqrt(np.median(weight[inside])) < stack.min_snr:
        return None
    return (rest / scale).astype("f4")


Part = tuple[np.ndarray, np.ndarray]


def read(files: Sequence[str], stack: Stack, blocks: int) -> list[Part]:
    """Return of some files each spectrum's redshift bin, and the spectra at rest: one such pair for each block.

    A block is a range of wavelengths. Of 200 MB, few are left.
    """
    bins, spectra = [], [np.empty((0, len(stack.wave)), "f4")]
    for coadd in files:
        rows, redshifts = selected(coadd, stack)
        if len(rows) == 0:
            continue
        wave, fluxes, ivars = combined(coadd, rows)
        for z, flux, ivar in zip(redshifts, fluxes, ivars):
            rest = at_rest(wave, flux, ivar, z, stack)
            if rest is not None:
                bins.append(int(np.searchsorted(stack.edges, z, side="right")) - 1)
                spectra.append(rest[None, :])
    numbers = np.array(bins, dtype="i2")
    return [(numbers, np.ascontiguousarray(part)) for part in np.array_split(np.concatenate(spectra), blocks, axis=1)]


# %% [markdown]
# ## All files
#
# A median is no sum: medians of parts cannot be put together. So each block of wavelengths is one task that gets *all*
# values of its pixels, and from each file only those. Memory is bounded by the number of blocks. The median of a set
# depends neither on its order nor on who read what, so the result equals the serial one *exactly*: the tolerance is 0.


# %%
Result = tuple[np.ndarray, np.ndarray, np.ndarray]


def medians(parts: Sequence[Part], bins: int) -> Result:
    """Return of a block, by redshift bin, the median of each pixel, of how many spectra, and how many there are.

    A pixel that no spectrum has is NaN.
    """
    numbers = np.concatenate([numbers for numbers, _spectra in parts])
    spectra = np.concatenate([spectra for _numbers, spectra in parts])
    median = np.full((bins, spectra.shape[1]), np.nan, "f4")
    count = np.zeros((bins, spectra.shape[1]), "i4")
    for number in np.unique(numbers):
        # NaN are sorted to the end.
        ordered = np.sort(spectra[numbers == number], axis=0)
        count[number] = seen = np.isfinite(ordered).sum(axis=0)
        low, high = (np.take_along_axis(ordered, rank[None, :], 0)[0] for rank in ((seen - 1) // 2, seen // 2))
        median[number] = np.where(seen > 0, (low + high) / 2, np.nan)
    return median, count, np.bincount(numbers, minlength=bins)


def shape(files: int) -> tuple[int, int]:
    """Return into how many blocks and batches of files the work is divided.

    A block holds its pixels of all spectra, of which a file has some hundred: of 50 files for each block, those take
    300 MB. The scheduler keeps track of each pair of a block and a batch, at a millisecond each.
    """
    blocks = max(8, -(-files // 50))
    return blocks, max(1, min(files, 1000, 160_000 // blocks))


def run(files: Sequence[str], stack: Stack, client: object = None, workers: int = 0, quiet: bool = False) -> Result:
    """Return median, count (both of shape (bins, pixels)) and spectra (bins), by the cluster of a client or by none.

    workers: of the cluster's, use only so many. quiet: show no progress.
    """
    blocks, number = shape(len(files))
    batches = [files[start::number] for start in range(number)]
    parts = [dask.delayed(read, nout=blocks)(some, stack, blocks) for some in batches]
    tasks = [dask.delayed(medians)([part[block] for part in parts], len(stack.labels)) for block in range(blocks)]
    if client is None:
        with contextlib.nullcontext() if quiet else ProgressBar():
            # Not in threads, which would be the default: CFITSIO is not safe in several.
            done = dask.compute(*tasks, scheduler=dask.config.get("scheduler", "sync"))
    else:
        from dask.distributed import progress

        chosen = {"workers": sorted(client.nthreads())[:workers]} if workers else {}
        futures = client.compute(tasks, **chosen)
        if not quiet:
            progress(futures, notebook=False)
        done = client.gather(futures)
    median, count, spectra = zip(*done)
    return np.concatenate(median, axis=1), np.concatenate(count, axis=1), spectra[0]


# %% [markdown]
# ## The plot


# %%
LINES = {
    "Mg II": 2799.1,
    "[O II]": 3728.5,
    "K": 3934.8,
    "H": 3969.6,
    "H-beta": 4862.7,
    "[O III]": 5008.2,
    "H-alpha": 6564.6,
}


def plot(stack: Stack, median: np.ndarray, count: np.ndarray, name: str, least: int = 3) -> plt.Figure:
    """Draw the stacks one above the other, where at least so many spectra contribute, and lines in vacuum."""
    synthetic = os.environ.get("DESI_LAB_SYNTHETIC", "").lower() not in ("", "0", "false", "no")
    figure, axes = plt.subplots(figsize=(11, 6))
    seen = count >= least
    for number, label in enumerate(stack.labels):
        if seen[number].any():
            shown = np.where(seen[number], median[number], np.nan)
            axes.plot(stack.wave, shown + number, linewidth=0.7, label=f"{label}: {count[number].max()} spectra")
    if seen.any():
        axes.set_xlim(*stack.wave[seen.any(axis=0)][[0, -1]])
        axes.set_ylim(0.0, len(stack.labels) + 2.5)
        axes.legend(loc="upper right", fontsize="small")
    low, high = axes.get_xlim()
    for line, wavelength in LINES.items():
        if low < wavelength < high:
            axes.axvline(wavelength, color="gray", linewidth=0.4)
            axes.text(wavelength, 0.02, line, transform=axes.get_xaxis_transform(), rotation=90, fontsize="x-small")
    title = f"Median of {stack.spectype}, {name}" + (", SYNTHETIC DATA" if synthetic else "")
    ratio = f"flux / flux from {stack.window[0]:.0f} to {stack.window[1]:.0f} Å, each 1 higher"
    axes.set(title=title, xlabel="wavelength at rest, in vacuum [Å]", ylabel=ratio)
    return figure


# %% [markdown]
# ## Run it
#
# With `Client()`, the tasks go to the lab's cluster, and JupyterLab shows in Dask's panel what it does. `MOST` is how
# many coadds are read: `None` means all of the program.


# %%
PROGRAMS = {"edr": ("sv3", "dark"), "dr1": ("main", "dark"), "dr2": ("main", "dark")}
"""Survey and program of each release, if nobody names others."""


def find_client() -> object:
    """Return a client of the lab's Dask cluster, None if it has none."""
    # A lab may have got its workers while this kernel ran.
    dask.config.refresh()
    if not dask.config.get("scheduler-address", None):
        return None
    from dask.distributed import Client

    return Client()


# %% [notebook]
# MOST = 64
#
# release = os.environ["DESI_RELEASE"]
# survey, program = PROGRAMS[release]
# stack, client = Stack(), find_client()
# files = coadds(survey, program, MOST)
# started = time.perf_counter()
# median, count, spectra = run(files, stack, client)
# print(f"{len(files)} coadds, {spectra.sum()} spectra, {time.perf_counter() - started:.1f} s")

# %% [notebook]
# figure = plot(stack, median, count, f"{survey} {program} of {release}")
# figure.savefig(Path(os.environ["SYNCED"], f"desi-{release}-stack.png"), dpi=150, bbox_inches="tight")
# plt.show()

# %% [markdown]
# ## The same, serially
#
# This is what to compare with when you change something: few files, one core, no tolerance.

# %% [notebook]
# few = files[:4]
# with dask.config.set(scheduler="sync"):
#     serial = run(few, stack)
# for one, other in zip(serial, run(few, stack, client)):
#     np.testing.assert_array_equal(one, other)
# print(f"Of {len(few)} coadds, both ways give the same bits.")


# %% [program]
def main(words: Sequence[str] | None = None) -> int:
    """Stack the spectra of a program; write a plot and arrays, print what it took."""
    import argparse
    import json

    release = os.environ.get("DESI_RELEASE", "edr")
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--survey", default=PROGRAMS[release][0])
    parser.add_argument("--program", default=PROGRAMS[release][1])
    parser.add_argument("--spectype", default=Stack.spectype, choices=("GALAXY", "QSO", "STAR"))
    parser.add_argument("--window", type=float, nargs=2, default=Stack.window, help="to scale spectra in [Angstrom]")
    parser.add_argument("--edges", type=float, nargs="+", default=Stack.edges, help="of the redshift bins")
    parser.add_argument("--coadds", type=int, help="at most so many files (all)")
    parser.add_argument(
        "--scheduler",
        default="auto",
        help="sync, which is serial; processes, on this computer; the address of a cluster; auto: the lab's own "
        "cluster, or sync if it has none",
    )
    parser.add_argument("--workers", type=int, default=0, help="use only so many workers or processes (all)")
    parser.add_argument("--output", type=Path, help="write OUTPUT.png and OUTPUT.npz")
    parser.add_argument("--json", action="store_true", help="print nothing but one line of JSON")
    given = parser.parse_args(words)
    stack = Stack(spectype=given.spectype, window=tuple(given.window), edges=tuple(given.edges))

    began = time.perf_counter()
    files = coadds(given.survey, given.program, given.coadds)
    listed = time.perf_counter()
    if given.scheduler == "auto":
        client = find_client()
    elif given.scheduler in ("sync", "processes"):
        client = None
    else:
        from dask.distributed import Client

        client = Client(given.scheduler)
    local = "processes" if given.scheduler == "processes" else "sync"
    with client or dask.config.set(scheduler=local, num_workers=given.workers or None):
        if client:
            client.wait_for_workers(given.workers or 1)
        ready = time.perf_counter()
        median, count, spectra = run(files, stack, client, workers=given.workers, quiet=given.json)
        done = time.perf_counter()
    if given.output:
        figure = plot(stack, median, count, f"{given.survey} {given.program} of {release}")
        figure.savefig(given.output.with_suffix(".png"), dpi=150, bbox_inches="tight")
        np.savez_compressed(given.output.with_suffix(".npz"), wave=stack.wave, median=median, count=count)
    took = {"list_s": round(listed - began, 3), "stack_s": round(done - ready, 3)}
    known = {
        "coadds": len(files),
        "spectra": int(spectra.sum()),
        "scheduler": given.scheduler,
        "workers": given.workers,
    }
    print(
        json.dumps(known | took) if given.json else f"{len(files)} coadds, {spectra.sum()} spectra, {took['stack_s']} s"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
