# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of the sample where a person finds it."""

from __future__ import annotations

from pathlib import Path

_WARNING = """\
# SYNTHETIC DATA: NOT OBSERVATIONS

**Every file in this folder was made by a program. No photon of it came from the sky. Do not use it for science.**
"""

ROOT = f"""{_WARNING}
This is the sample of DESI Lab: a few small files with the names, folders, tables and columns of the public data of the
Dark Energy Spectroscopic Instrument (DESI), so that notebooks and tools can be tried without the network.

| folder | shape of |
| --- | --- |
| `edr` | the Early Data Release, production `fuji`: healpixel 26965 of sv3/dark, tile 28 |
| `dr1` | Data Release 1, production `iron`: healpixel 23040 of main/dark, tiles 2436, 5568 and 10256 |

Each FITS file has the keyword `SYNTHET = T` in its first header. Redshifts agree among the spectra, the Redrock files
and the catalogs. Positions of tiles, targets, magnitudes and everything else are invented. The catalogs list more
targets than there are spectra.

The real data: <https://data.desi.lbl.gov/doc/>
"""

RELEASE = f"""{_WARNING}
Shaped like {{release}} of DESI (production `{{specprod}}`). See the README.md of the folder above.
"""

LICENSE = f"""{_WARNING}
These synthetic files are part of DESI Lab and come under its license, GPL-3.0-or-later.
The real data of DESI have a license of their own: <https://data.desi.lbl.gov/doc/acknowledgments/>
"""

RAW = f"""{_WARNING}
Raw exposures would be here. The sample has none.
"""

TARGET = f"""{_WARNING}
Target catalogs would be here. The sample has none.
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
