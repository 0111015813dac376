# What a notebook does: reads a coadd through the lab's own environment. It runs in a kernel of the lab.
import os
from pathlib import Path

import fitsio

healpix = Path(os.environ["DESI_SPECTRO_REDUX"], os.environ["SPECPROD"], "healpix")
with fitsio.FITS(healpix / "sv3/dark/269/26965/coadd-sv3-dark-26965.fits") as coadd:
    print(coadd["B_FLUX"].read().shape[1])
    print(coadd["FIBERMAP"].get_nrows() > 0)

# The mount that the file comes from is the one with the longest path above it.
place = Path(os.environ["DESI_ROOT"]).resolve()
mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
mount = max((mount for mount in mounts if place.is_relative_to(mount[1])), key=lambda mount: len(mount[1]))
print(mount[2].split(".")[0], mount[3].split(",")[0])
print(os.getuid())
print(os.environ["DESI_LAB_SYNTHETIC"])
