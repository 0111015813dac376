# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of DESI data in a directory: a directory of releases, or one release, whatever its name.

A release has ``spectro/redux/SPECPROD`` in it, SPECPROD being the name of a spectroscopic production
(https://desidatamodel.readthedocs.io/en/latest/DESI_SPECTRO_REDUX/index.html).
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

# What lies beside the releases in the public bucket, and inside the release in the original at NERSC.
BESIDE_RELEASES = ("raw_spectro_data", "target")
EXPECTED = (
    "Give either a folder of releases (with edr/, dr1/ in it), or the folder of one release "
    "(with spectro/redux/fuji or spectro/redux/iron in it)."
)

Releases = t.Mapping[str, t.Mapping[str, t.Any]]


@dataclass(frozen=True)
class Bind:
    """A directory of the host, and its place below the image's data path (empty: the data path itself)."""

    source: str
    inside: str


@dataclass(frozen=True)
class Layout:
    """``kind`` is ``releases`` or ``release``."""

    kind: str
    release: str
    specprod: str
    binds: list[Bind] = field(default_factory=list)


def productions(folder: Path) -> list[str]:
    """Return the productions of a release, empty for any other directory."""
    try:
        return sorted(entry.name for entry in (folder / "spectro" / "redux").iterdir() if _is_folder(entry))
    except OSError:
        return []


def _is_folder(path: Path) -> bool:
    """Return whether it is a directory or a link to one that can be inspected."""
    try:
        return path.is_dir()
    except OSError:
        return False


def releases_of(found: t.Collection[str], releases: Releases) -> list[str]:
    """Return the releases that productions belong to, in the order of the table."""
    return [name for name, entry in releases.items() if entry["specprod"] in found]


def read_layout(path: str, release: str, releases: Releases) -> Layout:
    """Return the layout of ``path`` with the binds for ``release``; LabError names the releases that are there.

    ``releases`` is the table of releases by name, each with its ``specprod``.
    """
    requested = release.lower()
    if requested not in releases:
        known = ", ".join(releases)
        raise LabError(f"There is no release {release}.", f"The releases known are {known}.", "Choose one of them.")
    folder = Path(path)
    specprod = str(releases[requested]["specprod"])
    children = _children(folder)

    own = productions(folder)
    if own:
        if specprod not in own:
            raise _other_release(path, requested, own, releases)
        return Layout("release", requested, specprod, [Bind(path, requested)])

    held = {child.name: productions(child) for child in children}
    held = {name: found for name, found in held.items() if found}
    if not held:
        raise _no_release(folder, children)
    if specprod in held.get(requested, []) and not _leads_out(folder / requested):
        return Layout("releases", requested, specprod, [Bind(path, "")])
    fitting = [name for name, found in held.items() if specprod in found]
    if not fitting:
        raise _other_release(path, requested, {name for found in held.values() for name in found}, releases)
    chosen = folder / (requested if requested in fitting else fitting[0])
    source = chosen.resolve() if chosen.is_symlink() else chosen
    beside = [Bind(str(folder / name), name) for name in BESIDE_RELEASES if _is_folder(folder / name)]
    return Layout("releases", requested, specprod, [Bind(str(source), requested), *beside])


def _leads_out(child: Path) -> bool:
    """Return whether a link is broken in a container that has only its parent directory."""
    if not child.is_symlink():
        return False
    return child.readlink().is_absolute() or not child.resolve().is_relative_to(child.parent.resolve())


def _children(folder: Path) -> list[Path]:
    """List a directory; LabError says why that fails."""
    what = f"The folder {folder} cannot be used as DESI data."
    try:
        children = sorted(child for child in folder.iterdir() if not child.name.startswith("."))
        if not os.access(folder, os.X_OK):
            raise PermissionError
    except FileNotFoundError:
        parent = next((str(above) for above in folder.parents if above.exists()), "/")
        raise LabError(what, "It does not exist.", f"Look at the path: it exists up to {parent}.") from None
    except NotADirectoryError:
        why = "It is a file, not a folder." if folder.is_file() else "A part of its path is a file."
        raise LabError(what, why, EXPECTED) from None
    except PermissionError:
        do = f"Ask its owner to let you in, which chmod o+rX does, and the same for the folders above {folder}."
        raise LabError(what, "This account may not read it.", do) from None
    except OSError as error:
        raise LabError(what, f"{error.strerror}.", "See whether the disk or server that it is on works.") from None
    if not children:
        raise LabError(f"The folder {folder} holds no DESI data.", "It is empty.", EXPECTED)
    return children


def _no_release(folder: Path, children: t.Sequence[Path]) -> LabError:
    what = f"The folder {folder} holds no DESI data."
    around = next((str(above) for above in folder.parents if productions(above)), "")
    if around:
        return LabError(what, "It is a part of a release.", f"Give the whole release: {around}.")
    why = f"It has no release in it. What it has: {_some(child.name for child in children)}."
    closed = [child.name for child in children if _is_closed(child)]
    if closed:
        why += f" What this account may not read: {_some(closed)}."
    return LabError(what, why, EXPECTED)


def _is_closed(child: Path) -> bool:
    """Return whether a release may be in a directory that this user may not read."""
    try:
        next((child / "spectro" / "redux").iterdir(), None)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def _other_release(path: str, requested: str, found: t.Collection[str], releases: Releases) -> LabError:
    known = releases_of(found, releases)
    choose = f"Choose it with -e lab_release={known[0]}" if known else "Look at the path"
    return LabError(
        f"The folder {path} does not hold the release {requested}.",
        f"It holds {_some(known or sorted(found))}.",
        f"{choose}, or give another folder.",
    )


def _some(names: t.Iterable[str], most: int = 5) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
