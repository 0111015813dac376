# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the synthetic sample into a folder laid out like the public bucket."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .population import FIBERS_A_PETAL
from .releases import RELEASES
from .tree import write_bucket


def main() -> int:
    parser = argparse.ArgumentParser(prog="desi_sample", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder that does not exist yet, or is empty")
    parser.add_argument("--release", choices=sorted(RELEASES), action="append", help="only this one (repeatable)")
    parser.add_argument(
        "--coadds", type=int, default=0, metavar="N", help="spectra of N more healpixels of each release, a few in each"
    )
    parser.add_argument(
        "--targets", type=int, default=0, metavar="N", help="at least N targets in each of those, invented, at most 500"
    )
    options = parser.parse_args()
    if options.targets > FIBERS_A_PETAL:
        parser.error(f"--targets {options.targets}: a spectrograph has {FIBERS_A_PETAL} fibers; give at most so many")
    if options.folder.exists() and (not options.folder.is_dir() or any(options.folder.iterdir())):
        parser.error(f"{options.folder} is not an empty folder; name another one, nothing was written")
    chosen = [RELEASES[name] for name in options.release or RELEASES]
    files = write_bucket(options.folder, chosen, options.coadds, options.targets)
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB, all of them synthetic, in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
