# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache of a mount: its directory, which is root's, its marker, its size, and its removal."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._common.errors import LabError
from .._common.files import (
    closing,
    open_below,
    open_directory,
    open_root_owned,
    read_below,
    remove_below,
    require_root_owned,
    write_beside,
)
from .._common.humanize import GIB, parse_size
from .spec import MountSpec

LEAST, MOST = GIB, 500 * GIB


def default_size(free: int, used: int) -> int:
    """Return half of the space that is free or used by the cache, in whole GiB."""
    return min(MOST, max(LEAST, (free + used) // 2 // GIB * GIB))


def used_by(directory: Path) -> int:
    """Return the disk usage of a cache: partly read files use less than their size, and each counts once."""
    about = (Path(parent, name).lstat() for parent, _directories, names in os.walk(directory) for name in names)
    return sum({(each.st_dev, each.st_ino): each.st_blocks * 512 for each in about}.values())


def with_size(spec: MountSpec, before: Mapping[str, Any] | None, cache_before: str = "") -> MountSpec:
    """Set the cache size if it is not given: that of the present mount, so that it does not change.

    ``cache_before`` is where that mount may have its cache, which is moved as it is.
    """
    if not spec.cache or spec.cache_max:
        return spec
    if before and before.get("cache") in (spec.cache, cache_before or None) and before.get("cache_max"):
        return replace(spec, cache_max=parse_size(str(before["cache_max"])))
    directory = Path(spec.cache)
    there = next(place for place in (directory, *directory.parents) if place.is_dir())
    disk = os.statvfs(there)
    return replace(spec, cache_max=default_size(disk.f_bavail * disk.f_frsize, used_by(directory)))


# In each cache, with the directory that it was written for: a copy of it elsewhere marks nothing.
MARKER, MARKER_LIMIT = ".desi-lab-cache", 1 << 13
_MARK = "The cache of a bucket's mount, made by DESI Lab. lab_purge removes what it holds of that.\n"

# What mount tools, the relay and prefetch write to a cache or once wrote, and these files before they have their names.
KNOWN = {
    "vfs",
    "vfsMeta",
    "relay.json",
    "prefetched.json",
    "prefetch.lock",
    "prefetch.json",
    "mountpoint-cache",
    MARKER,
}
_BESIDE = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}")


def require_safe_path(path: str) -> None:
    """Verify the existing part of a directory's path; root will make the rest.

    It needs no rights: what this user may not enter is verified when it is made.
    """
    if not path.startswith("/"):
        # That refuses it. The loop below would not end: nothing is above it.
        require_root_owned(path)
    there = path
    while not os.path.lexists(there):
        there = posixpath.dirname(there)
    about = Path(there).lstat()
    # Below a directory such as /tmp, nobody can replace what is root's.
    kept_apart = stat.S_ISDIR(about.st_mode) and about.st_uid == 0 and about.st_mode & stat.S_ISVTX
    real = require_root_owned(posixpath.dirname(there) if there != path and kept_apart else there)
    if not Path(real).is_dir():
        raise LabError(
            f"The directory {path} cannot be made.", f"{there} is not a directory.", "Give the path of a directory."
        )


def cache_error(path: str, problem: LabError) -> LabError:
    return LabError(
        f"The cache {path} cannot be used.",
        f"{problem.what} {problem.why}",
        "Use a directory that is root's, for example: sudo install -d -m 0700 /scratch/desi-lab, then "
        "-e lab_cache=/scratch/desi-lab",
    )


def make_cache(path: str) -> None:
    """Ensure a cache for root alone, with its marker."""
    with closing(open_root_owned(path, make=True, mode=0o700)) as directory:
        if _marked_for(directory) != path:
            write_beside(directory, MARKER, f"{_MARK}{path}\n".encode(errors="surrogateescape"), 0o600)


def remove_empty_marker(path: str) -> None:
    """Remove the marker from an otherwise empty cache."""
    with contextlib.suppress(LabError, OSError), closing(open_root_owned(path)) as directory:
        if _names(directory) == [MARKER]:
            remove_below(directory, MARKER)


def _names(directory: int) -> list[str]:
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries)


def _marked_for(directory: int) -> str:
    """Return the path in root's marker; empty if there is none."""
    try:
        about = os.stat(MARKER, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != 0:
            return ""
        text = read_below(directory, MARKER, MARKER_LIMIT).decode(errors="surrogateescape")
    except (OSError, ValueError):
        return ""
    return text[len(_MARK) :].rstrip("\n") if text.startswith(_MARK) else ""


def _is_known(name: str) -> bool:
    beside = _BESIDE.fullmatch(name)
    return (beside["name"] if beside else name) in KNOWN


def move_cache(before: str, path: str) -> str:
    """Move the cache of an earlier version from a user's home to its directory; return its path if it has to stay.

    Only root can have written to root's closed directory, wherever it is. It is opened without following links,
    checked, renamed, and verified to be the one that was opened. Nothing is copied.
    """
    if not before or before == path or not os.path.lexists(before):
        return ""
    if os.path.lexists(path):
        return before
    where, name = posixpath.split(before)
    with contextlib.suppress(OSError, LabError):
        # The home of ~/.cache/desi-lab.
        *parts, cache, ours = where.rstrip("/").split("/")
        below = f"{cache}/{ours}"
        with closing(open_directory("/".join(parts) or "/")) as home, contextlib.ExitStack() as stack:
            above = stack.enter_context(closing(open_below(home, below)))
            # Root's too, in the user's home.
            stack.callback(_remove_empty_root, home, below)
            with (
                closing(open_below(above, name)) as old,
                closing(open_root_owned(posixpath.dirname(path), make=True)) as place,
            ):
                if _is_cache(old) and os.fstat(old).st_dev == os.fstat(place).st_dev:
                    return before if not _move(above, name, old, place, posixpath.basename(path)) else ""
    return before


def _remove_empty_root(home: int, below: str) -> None:
    above, _, name = below.rpartition("/")
    with contextlib.suppress(OSError, LabError), closing(open_below(home, above)) as cache:
        if os.stat(name, dir_fd=cache, follow_symlinks=False).st_uid == 0:
            os.rmdir(name, dir_fd=cache)


def _is_cache(directory: int) -> bool:
    about = os.fstat(directory)
    closed = about.st_uid == 0 and stat.S_IMODE(about.st_mode) == 0o700
    return closed and all(map(_is_known, _names(directory)))


def _move(above: int, name: str, old: int, place: int, new: str) -> bool:
    os.rename(name, new, src_dir_fd=above, dst_dir_fd=place)
    if os.path.samestat(os.stat(new, dir_fd=place, follow_symlinks=False), os.fstat(old)):
        return True
    # Swapped meanwhile: move it back.
    os.rename(new, name, src_dir_fd=place, dst_dir_fd=above)
    return False


def purge(path: str, check_mode: bool = False) -> tuple[list[str], list[str]]:
    """Remove what caches hold in root's directory, each cache with nothing else in it, and that directory once empty.

    Return the caches (in check mode those to remove), and what stays: what is no cache, and caches with other things.
    """
    if not os.path.lexists(path):
        return [], []
    above = open_root_owned(path)
    gone, left = [], []
    try:
        for name in _names(above):
            shown = f"{path.rstrip('/')}/{name}"
            cache = _open_cache(above, name)
            if cache < 0:
                left.append(shown)
                continue
            try:
                gone.append(shown)
                names = _names(cache)
                left += [] if all(map(_is_known, names)) else [shown]
                # The marker last: what is interrupted can be done again.
                for each in sorted(filter(_is_known, names), key=MARKER.__eq__) if not check_mode else []:
                    remove_below(cache, each)
            finally:
                os.close(cache)
            if not check_mode:
                with contextlib.suppress(OSError):
                    os.rmdir(name, dir_fd=above)
    finally:
        os.close(above)
    if gone and not left and not check_mode:
        with contextlib.suppress(OSError):
            Path(path).rmdir()
    return gone, left


def _open_cache(above: int, name: str) -> int:
    """Open root's directory that its marker was written for; -1 for any other."""
    with contextlib.suppress(OSError):
        opened = open_below(above, name)
        about, known = os.fstat(opened), _marked_for(opened)
        with contextlib.suppress(OSError, ValueError):
            if (
                about.st_uid == 0
                and not about.st_mode & 0o022
                and known
                and os.path.samestat(Path(known).stat(), about)
            ):
                return opened
        os.close(opened)
    return -1
