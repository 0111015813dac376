# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's home: writable by whoever runs the lab, with the welcome notebook in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from desi_lab import shims

SHARE = Path(__file__).resolve().parent.parent / "home"


BANNER = """\
<div class="alert alert-block alert-danger">
<b>These data are SYNTHETIC.</b> A program made them up so that you can try the lab out.
No telescope saw these spectra: do no science with them.
</div>
"""


def with_banner(notebook: str) -> str:
    """Return a notebook whose first cell says that the data are synthetic: text, so that it is there before any run."""
    content = json.loads(notebook)
    cell = {"cell_type": "markdown", "id": "synthetic", "metadata": {}, "source": BANNER.splitlines(keepends=True)}
    content["cells"].insert(0, cell)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def populate_home(home: Path, variables: Mapping[str, str], synthetic: bool = False, share: Path = SHARE) -> None:
    """Create what is missing in the user's home. What is there already is the user's, and stays."""
    for source in sorted(share.rglob("*")):
        place = home / source.relative_to(share)
        if source.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif not place.exists() and synthetic and source.suffix == ".ipynb":
            place.write_text(with_banner(source.read_text(encoding="utf-8")), encoding="utf-8")
        elif not place.exists():
            shutil.copyfile(source, place)
    Path(variables["SCRATCH"]).mkdir(parents=True, exist_ok=True)
    for name in ("DESI_DATA", "SYNCED"):
        target = Path(variables[name])
        shims.link(target, home / target.name)


def writable(place: Path) -> bool:
    """Whether files can be saved there."""
    return os.access(place, os.W_OK | os.X_OK)
