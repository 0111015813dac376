# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog of targets as DESI writes them, byte by byte."""

import io
import struct


def catalog(rows):
    """Return a FITS file with a table whose columns are of all kinds; rows are TARGETID, HEALPIX, RA and DEC."""

    def header(*cards):
        text = "".join(f"{name:8}= {value:>20}".ljust(80) for name, value in cards) + "END".ljust(80)
        return (text + " " * (-len(text) % 2880)).encode()

    forms = [("NAME", "'5A'"), ("HEALPIX", "'J'"), ("FLAGS", "'9X'"), ("TARGETID", "'1K'"), ("COEFF", "'10D'")]
    forms += [("TARGET_RA", "'D'"), ("TARGET_DEC", "'E'")]
    fields = [pair for i, (n, f) in enumerate(forms, 1) for pair in ((f"TTYPE{i}", f"'{n}'"), (f"TFORM{i}", f))]
    data = b"".join(struct.pack(">5si2xq80xdf", b"x", pix, target, ra, dec) for target, pix, ra, dec in rows)
    size = [("NAXIS1", 111), ("NAXIS2", len(rows)), ("TFIELDS", len(forms))]
    return io.BytesIO(header(("SIMPLE", "T"), ("NAXIS", 0)) + header(*size, *fields) + data)
