# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growing the root file system of a running instance into a larger disk."""

from __future__ import annotations

import json
import re
import typing as t

from ..module_utils._common.humanize import GIB

Node = t.Mapping[str, t.Any]

EXT = ("ext2", "ext3", "ext4")


def grow_commands(findmnt: str, lsblk: str) -> list[list[str]]:
    """Return the commands that grow the root file system to its whole disk, in order.

    ``findmnt`` and ``lsblk`` are what these commands print as JSON. Where the root is no file system on a disk, as in a
    container, or one that cannot grow this way, there is nothing to run.
    """
    root = next(iter(_read(findmnt).get("filesystems") or []), {})
    disks = _read(lsblk).get("blockdevices") or []
    nodes = [(disk, node) for disk in disks for node in (disk, *_below(disk))]
    source = re.sub(r"\[.*\]$", "", str(root.get("source") or ""))
    # Some kernels call it /dev/root, which is no real device.
    found = [pair for pair in nodes if source and pair[1].get("path") == source]
    found = found or [pair for pair in nodes if "/" in _places(pair[1])]
    if not found:
        return []
    disk, node = found[0]
    system = _system_command(str(root.get("fstype") or ""), str(node["path"]))
    if not system:
        return []
    if node is disk:
        return [system]
    number = re.fullmatch(re.escape(str(disk["name"])) + r"p?(\d+)", str(node["name"]))
    # LVM volumes and the like are no partitions.
    return [["growpart", str(disk["path"]), number[1]], system] if number else []


def disk_is_seen(findmnt: str, lsblk: str, gib: int) -> bool:
    """Return whether an instance sees the new size of its disk; true without a disk to grow.

    ``lsblk`` has to tell sizes in bytes, too.
    """
    if not grow_commands(findmnt, lsblk):
        return True
    sizes = [int(disk.get("size") or 0) for disk in _read(lsblk).get("blockdevices") or []]
    return max(sizes, default=0) >= int(gib) * GIB


def _system_command(kind: str, device: str) -> list[str]:
    if kind in EXT:
        return ["resize2fs", device]
    return ["xfs_growfs", "/"] if kind == "xfs" else []


def _read(text: str) -> dict[str, t.Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _below(node: Node) -> t.Iterator[Node]:
    for child in node.get("children") or []:
        yield child
        yield from _below(child)


def _places(node: Node) -> list[str]:
    return [place for place in [*(node.get("mountpoints") or []), node.get("mountpoint")] if place]
