# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the synthetic sample into a folder laid out like the public bucket."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .releases import RELEASES
from .tree import write_bucket


def main() -> int:
    parser = argparse.ArgumentParser(prog="desi_sample", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder that does not exist yet, or is empty")
    parser.add_argument("--release", choices=sorted(RELEASES), action="append", help="only this one (repeatable)")
    parser.add_argument(
        "--coadds", type=int, default=0, metavar="N", help="spectra of N more healpixels of each release, a few in each"
    )
    options = parser.parse_args()
    if options.folder.exists() and (not options.folder.is_dir() or any(options.folder.iterdir())):
        parser.error(f"{options.folder} is not an empty folder; name another one, nothing was written")
    files = write_bucket(options.folder, [RELEASES[name] for name in options.release or RELEASES], options.coadds)
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB, all of them synthetic, in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
