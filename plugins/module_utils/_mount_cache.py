# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""How large a cache may be, where nobody said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.desi.lab.plugins.module_utils._mount_spec import MountSpec, parse_size

GIB = 1024**3
LEAST, MOST = GIB, 500 * GIB


def default_size(free: int, used: int) -> int:
    """Return half of what is free or in the cache already, in whole GiB: the disk is for other things, too."""
    return min(MOST, max(LEAST, (free + used) // 2 // GIB * GIB))


def used_by(folder: Path) -> int:
    """Return how much of the disk a cache takes; files that were read in part take less than their size."""
    return sum(
        Path(parent, name).lstat().st_blocks * 512 for parent, _folders, names in os.walk(folder) for name in names
    )


def with_size(spec: MountSpec, before: Mapping[str, Any] | None) -> MountSpec:
    """Give a cache a size, if it has none: that of the mount that is there, so that it stays as it is."""
    if not spec.cache or spec.cache_max:
        return spec
    if before and before.get("cache") == spec.cache and before.get("cache_max"):
        return replace(spec, cache_max=parse_size(str(before["cache_max"])))
    folder = Path(spec.cache)
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    disk = os.statvfs(there)
    return replace(spec, cache_max=default_size(disk.f_bavail * disk.f_frsize, used_by(folder)))
