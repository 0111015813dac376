# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse /proc/self/mountinfo: mounts and their propagation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

# desi-lab:<bucket>:<fingerprint of the settings>
DEVICE_PREFIX = "desi-lab"
# mount-s3 names its device itself.
MOUNTPOINT_DEVICE = "mountpoint-s3"


@dataclass(frozen=True)
class MountEntry:
    """One line of mountinfo."""

    mount_id: int
    parent_id: int
    device_number: str
    root: str
    mount_point: str
    propagation: tuple[str, ...]
    fstype: str
    source: str
    options: tuple[str, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether mounts in it propagate to its binds."""
        return any(field.startswith("shared:") for field in self.propagation)

    @property
    def fuse(self) -> bool:
        return self.fstype == "fuse" or self.fstype.startswith("fuse.")


def unescape(field: str) -> str:
    r"""Decode octal escapes such as \040."""
    raw = re.sub(
        rb"\\([0-7]{3})", lambda found: bytes([int(found.group(1), 8) & 0xFF]), field.encode(errors="surrogateescape")
    )
    return raw.decode(errors="surrogateescape")


def parse_mountinfo(text: str) -> list[MountEntry]:
    """Parse a mountinfo file; invalid lines are left out."""
    entries = []
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        fields, tail = left.split(" "), right.split(" ")
        if not dash or len(fields) < 6 or len(tail) < 2 or not (fields[0].isdigit() and fields[1].isdigit()):
            continue
        entries.append(
            MountEntry(
                mount_id=int(fields[0]),
                parent_id=int(fields[1]),
                device_number=fields[2],
                root=unescape(fields[3]),
                mount_point=unescape(fields[4]),
                propagation=tuple(fields[6:]),
                fstype=tail[0],
                source=unescape(tail[1]),
                options=tuple(f"{fields[5]},{tail[2] if len(tail) > 2 else ''}".strip(",").split(",")),
            )
        )
    return entries


def mount_at(mounts: list[MountEntry], path: str) -> MountEntry | None:
    """Return the topmost mount on this directory."""
    found = [entry for entry in mounts if entry.mount_point == path]
    on_top = [entry for entry in found if entry.mount_id not in {other.parent_id for other in found}]
    return on_top[-1] if on_top else None


def mount_of(mounts: list[MountEntry], path: str) -> MountEntry | None:
    """Return the mount that a path is in."""
    directory = PurePosixPath(path)
    for candidate in (directory, *directory.parents):
        found = mount_at(mounts, str(candidate))
        if found:
            return found
    return None


def is_bound_onto_itself(mounts: list[MountEntry], path: str) -> bool:
    """Return whether the directory is bound onto itself (``mount --bind X X``)."""
    entry = mount_at(mounts, path)
    outer = next((other for other in mounts if entry and other.mount_id == entry.parent_id), None)
    if not entry or not outer or entry.device_number != outer.device_number:
        return False
    try:
        inside = PurePosixPath(path).relative_to(outer.mount_point)
    except ValueError:
        return False
    return PurePosixPath(entry.root) == PurePosixPath(outer.root) / inside


def mounts_below(mounts: list[MountEntry], path: str) -> list[MountEntry]:
    """Return the mounts below a directory, without one on the directory itself."""
    inside = path.rstrip("/") + "/"
    return [entry for entry in mounts if entry.mount_point.startswith(inside)]


def needs_shared_bind(mounts: list[MountEntry], parent: str) -> bool:
    """Return whether mounts in this directory would not propagate to containers that have it."""
    outer = mount_of(mounts, parent)
    return not (outer and outer.shared)


def may_unbind(mounts: list[MountEntry], parent: str) -> bool:
    """Return whether the directory has a shared bind onto itself without mounts in it."""
    entry = mount_at(mounts, parent)
    return bool(entry and entry.shared and is_bound_onto_itself(mounts, parent) and not mounts_below(mounts, parent))


def device_name(bucket: str, fingerprint: str) -> str:
    return f"{DEVICE_PREFIX}:{bucket}:{fingerprint}"


def is_our_device(source: str) -> bool:
    return re.fullmatch(rf"{DEVICE_PREFIX}:[^:]+:[0-9a-f]+", source) is not None
