# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's home: writable by whoever runs the lab, with the welcome notebook in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from desi_lab import shims

SHARE = Path(__file__).resolve().parent.parent / "home"


def furnish(home: Path, variables: Mapping[str, str], share: Path = SHARE) -> None:
    """Put in what is missing. What is there already is the user's, and stays."""
    for source in sorted(share.rglob("*")):
        place = home / source.relative_to(share)
        if source.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif not place.exists():
            shutil.copyfile(source, place)
    Path(variables["SCRATCH"]).mkdir(parents=True, exist_ok=True)
    for name in ("DESI_DATA", "SYNCED"):
        target = Path(variables[name])
        shims.link(target, home / target.name)


def writable(place: Path) -> bool:
    """Whether files can be saved there."""
    return os.access(place, os.W_OK | os.X_OK)
