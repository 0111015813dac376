# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""Where a bucket is mounted: on the host, or by the lab's own container; and what a mount is called."""

from __future__ import annotations

import hashlib
import typing as t

# What an image that mounts by itself is built to mount, and nothing else: see docs of the published images.
PUBLIC_BUCKET = {"bucket": "desidata", "endpoint": "", "prefix": ""}


def mount_place(
    asked: str, host: t.Mapping[str, t.Any], image_mounts_any: bool, bucket: t.Mapping[str, str]
) -> dict[str, str]:
    """Return ``place`` (``host`` or ``container``), ``reason`` (why not the other, empty if it was asked for) and
    ``trouble`` (why even that cannot work, empty if it can).

    ``host`` says of the host: ``desktop`` (the engine is Docker Desktop's), ``endpoint`` (the engine's address),
    ``root`` (root's rights can be had) and ``fuse`` (the file system can be mounted at all: /dev/fuse is there).
    """
    obstacle = _host_obstacle(host)
    place, reason = asked, ""
    if asked == "auto":
        place, reason = ("container", obstacle) if obstacle else ("host", "")
    trouble = ""
    if _engine_is_here(host) and not host["fuse"]:
        trouble = "This computer has no /dev/fuse, without which no bucket can be mounted."
    elif place == "host":
        trouble = obstacle
    elif not image_mounts_any and not _is_public(bucket):
        trouble = f"{reason} This image, by itself, can mount the public bucket alone.".strip()
    return {"place": place, "reason": reason, "trouble": trouble}


def _engine_is_here(host: t.Mapping[str, t.Any]) -> bool:
    """Return whether the engine runs on this computer itself: not elsewhere, and not in Docker Desktop's machine."""
    return not host["desktop"] and str(host["endpoint"]).startswith("unix:")


def _is_public(bucket: t.Mapping[str, str]) -> bool:
    return all(bucket[key].strip("/") == value for key, value in PUBLIC_BUCKET.items())


def _host_obstacle(host: t.Mapping[str, t.Any]) -> str:
    """Return why a mount on the host would not reach a container, or an empty string."""
    if host["desktop"]:
        return "Docker Desktop does not pass mounts of this computer on to containers."
    if not _engine_is_here(host):
        return "The engine is on another computer, which sees no mount of this one."
    if not host["root"]:
        return "Mounting on this computer takes the rights of root, which this account cannot get by sudo."
    return ""


def mount_key(bucket: str, prefix: str, endpoint: str, region: str) -> str:
    """Return a name for the mount of a bucket: readable, and different for each source. Labs that share it share it."""
    source = "\0".join([bucket, prefix.strip("/"), endpoint.rstrip("/"), region])
    return f"{bucket}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def volumes(binds: t.Iterable[t.Mapping[str, str]], inside: str, mode: str) -> list[str]:
    """Return binds, as data_folder_info gives them, in the form that Docker takes, below the data path ``inside``."""
    return [":".join([bind["source"], f"{inside}/{bind['inside']}".rstrip("/"), mode]) for bind in binds]


def writable_by(stat: t.Mapping[str, t.Any], uid: int, groups: t.Iterable[int]) -> bool:
    """Return whether a user may write in a folder, by the owner and mode that module stat gives of it."""
    mode = int(str(stat["mode"]), 8)
    if uid == 0:
        return True
    if stat["uid"] == uid:
        return bool(mode & 0o200)
    return bool(mode & (0o020 if stat["gid"] in set(groups) else 0o002))
