# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refine redshifts, ten trials for each spectrum that the example stacks: work that computes more than it reads.

bench/dask copies it into a lab. It prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import cloudpickle
import dask
import numpy as np

sys.path.insert(0, "/home/desi/examples")
import stack_spectra

TRIALS = np.linspace(-0.002, 0.002, 10)


def refine(coadd: str, stack: stack_spectra.Stack) -> np.ndarray:
    """Return for each spectrum of a coadd the shift in redshift at which it has most light in lines."""
    rows, redshifts = stack_spectra.selected(coadd, stack)
    wave, fluxes, ivars = stack_spectra.combined(coadd, rows)
    lines = np.array(list(stack_spectra.LINES.values()))
    comb = np.exp(-0.5 * ((stack.wave[:, None] - lines) / 3.0) ** 2).sum(axis=1)
    best = []
    for z, flux, ivar in zip(redshifts, fluxes, ivars):
        rest = [stack_spectra.at_rest(wave, flux, ivar, z + trial, stack) for trial in TRIALS]
        light = [-np.inf if each is None else comb @ np.nan_to_num(each) for each in rest]
        best.append(TRIALS[int(np.argmax(light))])
    return np.array(best)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--coadds", type=int)
    parser.add_argument("--scheduler")
    parser.add_argument("--workers", type=int)
    given = parser.parse_args()
    # Workers have no such module.
    cloudpickle.register_pickle_by_value(stack_spectra)
    stack = stack_spectra.Stack()
    tasks = [dask.delayed(refine)(file, stack) for file in stack_spectra.coadds("main", "dark", given.coadds)]
    client = stack_spectra.find_client() if given.scheduler == "auto" else None
    began = time.perf_counter()
    if client:
        chosen = sorted(client.nthreads())[: given.workers]
        found = client.gather(client.compute(tasks, workers=chosen))
    else:
        found = dask.compute(*tasks, scheduler=given.scheduler, num_workers=given.workers)
    took = time.perf_counter() - began
    shifts = np.concatenate(found)
    print(json.dumps({"coadds": len(tasks), "spectra": len(shifts), "sum": float(shifts.sum()), "stack_s": took}))


if __name__ == "__main__":
    main()
