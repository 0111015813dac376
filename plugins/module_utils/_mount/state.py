# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inspect a mountpoint, and remove a mount of ours completely, but never another's."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._common.errors import LabError
from . import host
from . import mountinfo as table
from .preflight import check_root
from .supervisors import Supervisor, stop_all

# Then a tool is killed.
GRACE = 5.0
# Then a mount counts as hung.
PATIENCE = 10.0
# Errors of a dead mount.
DEAD = {errno.ENOTCONN, errno.ECONNABORTED}


@dataclass(frozen=True)
class Found:
    """The state of a mountpoint."""

    entry: table.MountEntry | None
    listing: host.Listing | None  # of our mount only
    settings: dict[str, Any] | None
    ours: bool
    orphans: bool  # our tools without a supervisor

    @property
    def anything(self) -> bool:
        return self.entry is not None or self.settings is not None or self.orphans

    @property
    def alive(self) -> bool:
        return self.listing is not None and self.listing.alive

    @property
    def summary(self) -> dict[str, Any]:
        if not self.anything:
            return {"state": "unmounted"}
        problem = self.listing.problem if self.listing else "nothing is mounted"
        return {"state": "mounted" if self.alive else f"broken ({problem})", **(self.settings or {})}


@dataclass
class MountResult:
    """What was done, or in check mode would be done."""

    changed: bool
    before: dict[str, Any]
    after: dict[str, Any] = field(default_factory=dict)
    healed: bool = False
    lazy: bool = False
    shared_parent: str = ""
    cache_left: str = ""  # the cache of an earlier version that could not be moved


def inspect(path: str, supervisors: list[Supervisor]) -> Found:
    """Inspect a mountpoint; refuse another's mount."""
    entry = table.mount_at(host.read_mounts(), path)
    known = [found for found in (supervisor.settings() for supervisor in supervisors) if found is not None]
    ours, listing = bool(entry and table.is_our_device(entry.source)), None
    if entry and (ours or entry.source == table.MOUNTPOINT_DEVICE):
        listing = host.list_directory(path, PATIENCE)
        # mount-s3 names its device itself: it is ours if supervised, or dead.
        ours = ours or bool(known) or listing.code in DEAD
    if entry and not ours:
        raise LabError(
            f"There is another mount at {path}.",
            f"It shows {entry.source} ({entry.fstype}), and was not made by DESI Lab.",
            "Choose another folder, or unmount it yourself if it is no longer needed.",
        )
    orphans = not known and bool(supervisors[0].tools())
    return Found(entry, listing, known[0] if known else None, ours, orphans)


def check_directory(path: str) -> None:
    """Refuse a mountpoint that is not an empty directory, if nothing is mounted."""
    directory = Path(path)
    what = f"The bucket cannot be mounted at {path}."
    do = "Choose a folder that does not exist yet, or an empty one."
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise LabError(what, f"There is {'a symbolic link' if directory.is_symlink() else 'a file'} of this name.", do)
    if directory.is_dir() and not _is_empty(directory):
        raise LabError(what, "The folder is not empty, and a mount would hide what is in it.", do)


def clear(path: str, supervisors: list[Supervisor], timeout: float) -> bool:
    """End our mount; return whether it was in use and unmounted lazily."""
    stop_all(supervisors, min(timeout, GRACE))
    lazy = False
    while True:
        entry = table.mount_at(host.read_mounts(), path)
        if not entry or not (table.is_our_device(entry.source) or entry.source == table.MOUNTPOINT_DEVICE):
            return lazy
        if host.unmount_call(path) == 0:
            continue
        code = host.unmount_call(path, lazily=True)
        # Its tool may have ended in this very moment.
        if code == errno.EINVAL and not table.mount_at(host.read_mounts(), path):
            return lazy
        lazy = True
        if code != 0:
            raise LabError(
                f"{path} could not be unmounted.",
                f"The kernel refused ({os.strerror(code)}).",
                "Run as root, on the computer itself and not inside a container.",
            )


def share_parent(parent: str) -> str:
    """Ensure that mounts in a directory propagate to containers; return how."""
    mounts = host.read_mounts()
    if table.needs_shared_bind(mounts, parent):
        host.bind_shared(parent)
        return "bound"
    return "bound" if table.is_bound_onto_itself(mounts, parent) else "already"


def unshare_parent(parent: str) -> bool:
    """Remove the bind of share_parent() once nothing is mounted in it."""
    if not table.may_unbind(host.read_mounts(), parent):
        return False
    return host.unmount_call(parent) == 0 or host.unmount_call(parent, lazily=True) == 0


def remove_empty(path: str) -> bool:
    with contextlib.suppress(OSError):
        Path(path).rmdir()
        return True
    return False


def _is_empty(directory: Path) -> bool:
    try:
        return not any(directory.iterdir())
    except PermissionError:
        raise LabError(
            f"Nobody can tell what is in {directory}.", "Only root may look into it.", "Run the task with become: true."
        ) from None


def unmount(
    path: str, supervisors: list[Supervisor], shared_parent: bool, timeout: float, check_mode: bool
) -> MountResult:
    """Remove mount, processes, unit and mountpoint."""
    parent = str(Path(path).parent)
    found = inspect(path, supervisors)
    # A mount leaves an empty directory behind at a reboot.
    directory = found.entry is None and Path(path).is_dir() and not Path(path).is_symlink() and _is_empty(Path(path))
    bind = shared_parent and table.may_unbind(host.read_mounts(), parent)
    outcome = MountResult(found.anything or directory or bind, before=found.summary, after={"state": "unmounted"})
    if check_mode or not outcome.changed:
        return outcome
    check_root()
    if found.anything:
        outcome.lazy = clear(path, supervisors, timeout)
    remove_empty(path)
    if shared_parent:
        unshare_parent(parent)
    return outcome
