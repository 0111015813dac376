# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a bucket is mounted (host, mounter container, or the lab's own), and the names of mounts."""

from __future__ import annotations

import hashlib
import posixpath
import typing as t

# The only bucket that published images can mount by themselves.
PUBLIC_BUCKET = {"bucket": "desidata", "endpoint": "", "prefix": ""}


def mount_place(
    asked: str, host: t.Mapping[str, t.Any], image_mounts_any: bool, bucket: t.Mapping[str, str]
) -> dict[str, str]:
    """Return ``place`` (``host``, ``mounter`` or ``container``), ``reason`` (why not the host, empty if another place
    was asked for) and ``error`` (why even that cannot work, empty if it can).

    ``host`` says of the host: ``desktop`` (the engine is Docker Desktop's), ``endpoint`` (the engine's address),
    ``root`` (root's rights can be had) and ``fuse`` (the file system can be mounted at all: /dev/fuse is there).

    The lab's own container is never chosen: whoever is root in it can become root of the computer. It has to be
    asked for. Whether the engine lets a container beside the lab mount is only known when it is tried.
    """
    obstacle = _host_obstacle(host)
    place, reason = asked, ""
    if asked == "auto":
        place, reason = ("mounter", obstacle) if obstacle else ("host", "")
    error = ""
    if _engine_is_here(host) and not host["fuse"]:
        error = "This computer has no /dev/fuse, without which no bucket can be mounted."
    elif place == "host":
        error = obstacle
    elif place == "container" and not image_mounts_any and not _is_public(bucket):
        error = "This image, by itself, can mount the public bucket alone."
    return {"place": place, "reason": reason, "error": error}


# Rights of a container that mounts by itself. Everything else is dropped.
MOUNTING = {
    "capabilities": ["SYS_ADMIN"],
    "devices": ["/dev/fuse"],
    "security_opts": ["apparmor:unconfined"],
    "cap_drop": ["ALL"],
}
# With these our own image becomes the lab's user after mounting, and drops all of them.
STEP_DOWN = ["SETGID", "SETPCAP", "SETUID"]
# What other images may need for that: sudo, or chown before.
STEP_DOWN_OTHERS = ["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]


def mounting_rights(image_is_embedded: bool) -> dict[str, list[str]]:
    """Return the rights of a container that mounts by itself, as docker_container takes them.

    Our own image mounts as root and needs no program with the setuid bit; of others that is not known.
    """
    rights = {name: list(words) for name, words in MOUNTING.items()}
    rights["capabilities"] += STEP_DOWN if image_is_embedded else STEP_DOWN_OTHERS
    rights["security_opts"] += ["no-new-privileges:true"] if image_is_embedded else []
    return rights


def may_mount(container: t.Mapping[str, t.Any] | None) -> bool:
    """Return whether a container was granted the right to mount, from ``docker inspect``."""
    host = (container or {}).get("HostConfig") or {}
    return any(str(name).upper() in ("SYS_ADMIN", "CAP_SYS_ADMIN", "ALL") for name in host.get("CapAdd") or [])


def _engine_is_here(host: t.Mapping[str, t.Any]) -> bool:
    """Return whether the engine runs on this computer itself, and not in Docker Desktop's VM."""
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
    """Return a readable name for a mount, unique for each source; labs with one source share it."""
    source = "\0".join([bucket, prefix.strip("/"), endpoint.rstrip("/"), region])
    return f"{bucket}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def volumes(binds: t.Iterable[t.Mapping[str, str]], inside: str, mode: str) -> list[str]:
    """Return binds of data_layout_info as Docker volumes below the data path ``inside``.

    What links lead to is only read.
    """
    found = []
    for bind in binds:
        place = posixpath.normpath(posixpath.join(inside, bind["inside"]))
        found.append(f"{bind['source']}:{place}:{'ro' if bind['inside'].startswith('/') else mode}")
    return found


def writable_by(stat: t.Mapping[str, t.Any], uid: int, groups: t.Iterable[int]) -> bool:
    """Return whether a user may write in a directory, by a result of module stat."""
    mode = int(str(stat["mode"]), 8)
    if uid == 0:
        return True
    if stat["uid"] == uid:
        return bool(mode & 0o200)
    return bool(mode & (0o020 if stat["gid"] in set(groups) else 0o002))
