# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths of NERSC, so that notebooks written there run here.

The data folder is read-only, and it keeps two things elsewhere than NERSC does: raw data and targets. So what stands at
public/ is not one link to the data but a small tree of folders with links, into which those two are put back.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from desi_lab.environment import problem


def link(target: Path, place: Path) -> None:
    """Like ln -sfn: whatever link stood there is replaced, and at no moment is there none."""
    if place.is_dir() and not place.is_symlink():
        return
    fresh = place.with_name(f".{place.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(place)


def folder(place: Path) -> None:
    """Make it a real folder, also where a link stood before."""
    if place.is_symlink():
        place.unlink()
    place.mkdir(exist_ok=True)


def entries(place: Path) -> list[str]:
    """What a person would see in that folder, sorted; nothing if it is not there."""
    try:
        return sorted(entry.name for entry in place.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []


def lay_release(place: Path, release: Path, data: Path) -> None:
    """One release as at NERSC: with spectro/data and target in it."""
    folder(place)
    names = entries(release)
    for name in names:
        if name != "spectro":
            link(release / name, place / name)
    if "target" not in names and not problem(data / "target"):
        link(data / "target", place / "target")
    folder(place / "spectro")
    parts = entries(release / "spectro")
    for name in parts:
        link(release / "spectro" / name, place / "spectro" / name)
    if "data" not in parts and not problem(data / "raw_spectro_data"):
        link(data / "raw_spectro_data", place / "spectro" / "data")


def lay(nersc: Path, data: Path, current: str, releases: Collection[str]) -> None:
    """All releases below nersc/public, and the current one's parts right below nersc, where DESI_ROOT is at NERSC."""
    public = nersc / "public"
    folder(public)
    for name in entries(data):
        if name in releases:
            lay_release(public / name, data / name, data)
        else:
            link(data / name, public / name)
    for name in ("spectro", "survey", "vac", "target"):
        link(public / current / name, nersc / name)
