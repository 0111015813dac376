# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file system that a shared directory is on, and whether a container can be given the directory."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from .mountinfo import mount_of, parse_mountinfo

MOUNTS = Path("/proc/self/mountinfo")


def place_of(path: str) -> dict[str, t.Any]:
    """Return ``mount``, ``filesystem`` and ``options`` of a directory, and whether its disk is ``full``.

    Where that is not known, as on macOS, nothing is.
    """
    try:
        entry = mount_of(parse_mountinfo(MOUNTS.read_text(errors="surrogateescape")), str(Path(path).resolve()))
        full = os.statvfs(path).f_bavail == 0
    except (OSError, RuntimeError):
        return {}
    if entry is None:
        return {}
    return {"mount": entry.mount_point, "filesystem": entry.fstype, "options": list(entry.options), "full": full}


def why_not_bound(place: t.Mapping[str, t.Any], rootless: bool, uid: int = 0) -> str:
    """Return why a directory cannot be given to a container that runs as a user, as a sentence, or nothing.

    A mount of FUSE without allow_other lets its own user in alone, and root no more than others.
    """
    options = place.get("options") or []
    if str(place.get("filesystem", "")).partition(".")[0] != "fuse" or "allow_other" in options:
        return ""
    owner = next((int(each.partition("=")[2]) for each in options if each.startswith("user_id=")), 0)
    alone = f"{place['mount']} is a mount of FUSE ({place['filesystem']}) that only the user {owner} may enter, and not"
    if owner and not rootless:
        return f"{alone} even root, as which Docker Engine runs."
    return f"{alone} the user {uid}, as whom the lab runs." if uid != owner else ""


def why_not_written(place: t.Mapping[str, t.Any]) -> str:
    """Return why nobody can write in a directory, as a sentence, or nothing."""
    if "ro" in (place.get("options") or []):
        return f"The disk {place['mount']} is mounted read-only."
    return f"The disk {place['mount']} is full, or a quota on it is used up." if place.get("full") else ""
