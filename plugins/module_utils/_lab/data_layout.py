# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of DESI data in a directory: a directory of releases, or one release, whatever its name.

A release has ``spectro/redux/SPECPROD`` in it, SPECPROD being the name of a spectroscopic production
(https://desidatamodel.readthedocs.io/en/latest/DESI_SPECTRO_REDUX/index.html).
"""

from __future__ import annotations

import errno
import os
import pwd
import re
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from .._common.errors import LabError
from .._common.text import shell_path
from .._common.users import invoking_user
from .data_links import Bind, LeftOut, Limits, follow_links, link_text
from .shared_directory import SYNCED, Around

# What lies beside the releases in the public bucket, and inside the release in the original at NERSC.
BESIDE_RELEASES = ("raw_spectro_data", "target")
EXPECTED = (
    "Give either a folder of releases (with edr/, dr1/ in it), or the folder of one release "
    "(with spectro/redux/fuji or spectro/redux/iron in it)."
)

# Productions that are published in a release beside its own.
ALSO_IN = {"guadalupe": "dr1"}
_FILES = re.compile(
    r"(?:coadd|spectra|redrock|rrdetails|qso_\w+|emline|zcat\w*|zall|zpix|ztile|tiles|exposures)-.*\.(?:fits|csv)(?:\.gz)?"
)
_OF_PRODUCTION = ("healpix", "tiles", "zcatalog", "exposures", "preproc")
# From a mirror's top, such as data.desi.lbl.gov/public/dr1.
_FURTHER_DOWN = 4
_MOST_FOLDERS = 200
# Below it are the accounts of the system.
_LEAST_UID = 1000

Releases = t.Mapping[str, t.Mapping[str, t.Any]]


@dataclass(frozen=True)
class Layout:
    """``kind`` is ``releases`` or ``release``."""

    kind: str
    release: str
    specprod: str
    binds: list[Bind] = field(default_factory=list)
    # Links that a container cannot follow, each with its target and the reason.
    left_out: list[str] = field(default_factory=list)


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
    also = {ALSO_IN.get(name) for name in found}
    return [name for name, entry in releases.items() if entry["specprod"] in found or name in also]


def read_layout(path: str, release: str, releases: Releases) -> Layout:
    """Return the layout of ``path`` with the binds for ``release``; LabError names the releases that are there.

    ``releases`` is the table of releases by name, each with its ``specprod``.
    """
    requested = release.lower()
    if requested not in releases:
        known = ", ".join(releases)
        raise LabError(f"There is no release {release}.", f"The releases known are {known}.", "Choose one of them.")
    folder = Path(path)
    children = _children(folder)

    own = productions(folder)
    held = {child.name: productions(child) for child in children}
    held = {name: found for name, found in held.items() if found}
    specprod = _production({*own, *(each for found in held.values() for each in found)}, requested, releases)
    if own:
        if specprod not in own:
            raise _other_release(path, requested, own, releases)
        return Layout("release", requested, specprod, [Bind(path, requested)])

    if not held:
        raise _no_release(folder, children, requested, specprod, releases)
    if specprod in held.get(requested, []) and not _leads_out(folder / requested):
        return Layout("releases", requested, specprod, [Bind(path, "")])
    fitting = [name for name, found in held.items() if specprod in found]
    if not fitting:
        raise _other_release(path, requested, {name for found in held.values() for name in found}, releases)
    chosen = folder / (requested if requested in fitting else fitting[0])
    source = chosen.resolve() if chosen.is_symlink() else chosen
    beside = [Bind(str(folder / name), name) for name in BESIDE_RELEASES if _is_folder(folder / name)]
    return Layout("releases", requested, specprod, [Bind(str(source), requested), *beside])


def with_links(layout: Layout, limits: Limits) -> Layout:
    """Return the layout with the targets of links that lead out of it; LabError if the release needs one left out."""
    beside = [each for each in layout.binds if each.inside in BESIDE_RELEASES and Path(each.source).is_symlink()]
    # As the release's own link, it is somebody's choice, also where notebooks may write to the data.
    chosen = replace(limits, changeable=False)
    refused = {each: chosen.why_not_followed(each.source, os.path.realpath(each.source)) for each in beside}
    binds = [each for each in layout.binds if not refused.get(each)]
    found, left_out = follow_links(binds, limits)
    left_out += [LeftOut(each.source, os.path.realpath(each.source), why) for each, why in refused.items() if why]
    needed = {_real_place(path) for path in _needed(layout)}
    for each in left_out:
        if _real_place(each.link) in needed:
            raise _link_left_out(each, layout)
    return replace(layout, binds=[*binds, *found], left_out=[str(each) for each in left_out])


def query_layout(
    path: str, release: str, releases: Releases, links: bool = False, shared: str = "", writable: bool = False
) -> Layout:
    """Return the layout of a directory of this host, with the links that a container can follow if those count.

    ``shared`` is what notebooks may write to, and ``writable`` says whether the data are, too.
    """
    layout = read_layout(path, release, releases)
    if not links:
        return layout
    layout = with_links(layout, _limits(path, shared, writable))
    seen_there = [] if writable or not shared else _in_shared([path, *(each.source for each in layout.binds)], shared)
    return replace(layout, binds=[*layout.binds, *seen_there])


def _in_shared(paths: t.Iterable[str], shared: str) -> list[Bind]:
    """Return binds that make data in the shared directory read-only there, too."""
    above = os.path.realpath(shared)
    found = sorted({real for real in map(os.path.realpath, paths) if real.startswith(f"{above.rstrip('/')}/")})
    outermost = [real for real in found if not any(real.startswith(f"{other}/") for other in found)]
    return [Bind(real, f"{SYNCED}/{os.path.relpath(real, above)}") for real in outermost]


def _limits(path: str, shared: str, writable: bool) -> Limits:
    real = os.path.realpath(path)
    below = os.path.realpath(shared) if shared else ""
    caller = invoking_user()
    own = os.path.realpath(str(caller["home"]))
    people = [each.pw_dir for each in pwd.getpwall() if each.pw_uid >= _LEAST_UID and each.pw_dir != "/"]
    return Limits(
        around=Around(homes=(own,)),
        others_homes=tuple(sorted({os.path.realpath(home) for home in people} - {own})),
        trusted=(0, int(caller["uid"])),
        changeable=writable or bool(below and f"{real}/".startswith(f"{below}/")),
        shared=below,
    )


def _real_place(path: str) -> str:
    """Return the path by which a link itself is reached without other links."""
    link = Path(path)
    return str(link.parent.resolve() / link.name)


def _needed(layout: Layout) -> set[str]:
    """Return the paths without which there is nothing of the release."""
    bind = next(each for each in layout.binds if each.inside in ("", layout.release))
    root = bind.source if bind.inside else f"{bind.source}/{layout.release}"
    production = f"{root}/spectro/redux/{layout.specprod}"
    above = {root, f"{root}/spectro", f"{root}/spectro/redux", production}
    return above | {f"{production}/{name}" for name in _OF_PRODUCTION}


def _link_left_out(each: LeftOut, layout: Layout) -> LabError:
    gone = each.why == "It is not there."
    return LabError(
        f"The release {layout.release} cannot be read in a lab.",
        f"The link {each.link} leads to {each.target}, {'which is not there.' if gone else 'which is not shared.'}"
        + ("" if gone else f" {each.why}"),
        "Mount the disk that it is on, or correct the link."
        if gone
        else "Move what it leads to into a folder of its own, such as /data/desi, and correct the link.",
    )


def _production(found: t.Collection[str], requested: str, releases: Releases) -> str:
    """Return the production of a release, another one of it where that alone is there."""
    own = str(releases[requested]["specprod"])
    others = [name for name, release in ALSO_IN.items() if release == requested and name in found]
    return others[0] if others and own not in found else own


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
        raise LabError(what, "It does not exist.", f"Check the path: only {parent} exists.") from None
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


def _no_release(
    folder: Path, children: t.Sequence[Path], requested: str, specprod: str, releases: Releases
) -> LabError:
    what = f"The folder {folder} holds no DESI data."
    around = next((str(above) for above in folder.parents if productions(above)), "")
    if around:
        return LabError(what, "It is a part of a release.", f"Give the whole release: {around}.")
    broken = _broken_links(folder, releases)
    if broken:
        why = f"The link {broken[0]} in it leads to {link_text(broken[0])}, which is not there."
        return LabError(what, why, "Mount the disk that it is on, or correct the link.")
    below = _further_down(folder)
    if below:
        return LabError(what, "They lie further down in it, as in a mirror of a server.", f"Give {below}.")
    bare = [each for each in (folder, *_folders(folder), *_folders(folder / "redux")) if _parts(each)]
    if bare:
        own = min(bare, key=lambda each: each.name != specprod)
        # One that is called like a production of another release is no production of this one.
        known = releases_of([own.name], releases)
        place = f"~/desi/{known[0] if known else requested}/spectro/redux"
        subject = "It" if own == folder else f"The folder {own}"
        why = (
            f"{subject} has what a production has ({_some(_parts(own))}), without the folders of its release around it."
        )
        do = f"Give it these: mkdir -p {place} && ln -s {shell_path(own)} {place}/{own.name if known else specprod}."
        return LabError(what, why, f'{do} Then -e lab_data="$HOME/desi".')
    if _has_loose_files(folder, children):
        why = "It has files of DESI in it, but no release: those lie below spectro/redux."
        do = f"To read them by their paths, share the folder: -e lab_folder={shell_path(folder)}, without lab_data."
        return LabError(what, why, f"{do} They are in {SYNCED} then.")
    why = f"It has no release in it. What it has: {_some(child.name for child in children)}."
    closed = [child.name for child in children if _is_closed(child)]
    if closed:
        why += f" What this account may not read: {_some(closed)}."
    return LabError(what, why, EXPECTED)


def _parts(folder: Path) -> list[str]:
    """Return what a directory has of what a production has."""
    return [child.name for child in _children_or_none(folder) if child.name in _OF_PRODUCTION]


def _further_down(folder: Path) -> str:
    """Return the directory of releases or the release below a mirror's own directories, empty if there is none."""
    level = [folder]
    for _depth in range(_FURTHER_DOWN):
        level = [child for above in level for child in _folders(above)][:_MOST_FOLDERS]
        releases = [each for each in level if productions(each)]
        if releases:
            several = len(releases) > 1 or releases[0].name in ("edr", "dr1", "dr2")
            return str(releases[0].parent if several and releases[0].parent != folder else releases[0])
    return ""


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith(".") and _is_folder(child))
    except OSError:
        return []


def _has_loose_files(folder: Path, children: t.Sequence[Path]) -> bool:
    vac = any(name in ("vac", "vacs") for name in (folder.name, *(child.name for child in children)))
    level, depth = list(children), 0
    while level and depth < _FURTHER_DOWN:
        if vac or any(_FILES.fullmatch(child.name) for child in level):
            return True
        level = [below for child in level[:_MOST_FOLDERS] if _is_folder(child) for below in _children_or_none(child)]
        depth += 1
    return False


def _children_or_none(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[:_MOST_FOLDERS]
    except OSError:
        return []


def _broken_links(folder: Path, names: t.Iterable[str]) -> list[Path]:
    """Return the links on the way to a production that lead nowhere; releases have these names."""
    above = [folder, *_folders(folder)[:_MOST_FOLDERS]]
    on_the_way = [folder / name for name in names]
    on_the_way += [each / part for each in above for part in ("spectro", "spectro/redux")]
    on_the_way += [link for each in above for link in _children_or_none(each / "spectro" / "redux")]
    return [link for link in on_the_way if _is_broken(link)]


def _is_broken(link: Path) -> bool:
    try:
        if link.is_symlink():
            link.stat()
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ELOOP)
    return False


def _is_closed(child: Path) -> bool:
    """Return whether a release may be in a directory that this user may not read."""
    try:
        next((child / "spectro" / "redux").iterdir(), None)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def _other_release(path: str, requested: str, found: t.Collection[str], releases: Releases) -> LabError:
    known = releases_of(found, releases)
    what = f"The folder {path} does not hold the release {requested}."
    broken = [link for link in _broken_links(Path(path), releases) if link.name == releases[requested]["specprod"]]
    if broken:
        why = f"The link {broken[0]} leads to {link_text(broken[0])}, which is not there."
        return LabError(what, why, "Mount the disk that it is on, or correct the link.")
    others = [name for name in sorted(found) if name in ALSO_IN and ALSO_IN[name] in known]
    own = [name for name in known if releases[name]["specprod"] in found]
    if others and not own:
        why = f"It holds {_some(others)}, which is a part of {ALSO_IN[others[0]]}."
        return LabError(what, why, f"Choose it with -e lab_release={ALSO_IN[others[0]]}, or give another folder.")
    choose = f"Choose it with -e lab_release={known[0]}" if known else "Check the path"
    return LabError(what, f"It holds {_some(known or sorted(found))}.", f"{choose}, or give another folder.")


def _some(names: t.Iterable[str], most: int = 5) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
