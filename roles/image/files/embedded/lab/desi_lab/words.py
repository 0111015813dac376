# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab says about itself: when it starts, and in each new terminal."""

from __future__ import annotations

from collections.abc import Mapping

SYNTHETIC = """\
  ********************************************************************
  *  SYNTHETIC DATA. Made up by a program to try the lab out.        *
  *  No telescope saw these spectra: do no science with them.        *
  ********************************************************************
"""


def greeting(variables: Mapping[str, str], synthetic: bool) -> str:
    """Where things are, in a few lines."""
    lines = (
        f"  DESI Lab · release {variables['DESI_RELEASE']} ({variables['SPECPROD']})\n"
        f"  Data   {variables['DESI_ROOT']}\n"
        f"  Files  {variables['SYNCED']} is your own folder: what you save there stays\n"
    )
    return (SYNTHETIC if synthetic else "") + lines
