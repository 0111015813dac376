# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command lines of rclone and mount-s3 for a MountSpec, and the choice between the two."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Callable

from .._common.errors import LabError
from .spec import MountSpec
from .tool_options import MOUNT_S3_SETTINGS, RCLONE_OLDEST, RCLONE_SETTINGS, SMALL, Setting, Version


class NoTool(LabError):
    """No mount tool is installed: a container has to mount instead."""


@dataclass(frozen=True)
class Tool:
    backend: str
    path: str
    version: Version
    relay: tuple[str, ...] = ()  # the relay's command
    memory: int = 0  # of the host in bytes; 0 if not known
    source: str = ""  # to copy it from, if it is not installed yet

    @property
    def title(self) -> str:
        return f"{self.backend} {'.'.join(str(part) for part in self.version)}".strip()


# What the relay may hold of what it has read ahead and listed, in MiB: with the mount tool and its own few, this keeps
# both below 512 MiB, and below 256 MiB on a small machine.
RELAY_MEMORY, RELAY_MEMORY_SMALL = 160, 48


def uses_relay(tool: Tool, spec: MountSpec) -> bool:
    """Return whether the relay is used: it cannot sign or write."""
    return bool(tool.relay) and tool.backend == "rclone" and spec.anonymous and spec.read_only


def is_small(tool: Tool) -> bool:
    return 0 < tool.memory < SMALL


def _chosen(settings: tuple[Setting, ...], spec: MountSpec, tool: Tool) -> list[str]:
    """Return the options whose conditions hold and that the version supports."""
    relay = uses_relay(tool, spec)
    holds = {
        "read-only": spec.read_only,
        "cache": bool(spec.cache),
        "anonymous": spec.anonymous,
        "path-style": spec.path_style,
        "relay": relay,
        "direct": not relay,
        "small": is_small(tool),
        "normal": not is_small(tool),
    }
    return [
        setting.option
        for setting in settings
        if all(holds[word] for word in setting.when.split()) and tool.version >= setting.since
    ]


def server_of(spec: MountSpec) -> str:
    """Return the URL of the bucket's S3 server."""
    amazon = f"https://s3.{spec.region}.amazonaws.com{'.cn' if spec.region.startswith('cn-') else ''}"
    return spec.endpoint or amazon


def rclone_remote(spec: MountSpec, relay: bool = False) -> str:
    """Return the bucket as an rclone remote that needs no configuration file; the relay writes one."""
    place = "/".join(filter(None, (spec.bucket, spec.prefix)))
    if relay:
        return f"desi:{place}"
    options = ["provider=AWS"] if spec.aws else ["provider=Other", f'endpoint="{spec.endpoint}"']
    options += [
        f"region={spec.region}",
        f"env_auth={'false' if spec.anonymous else 'true'}",
        f"force_path_style={'true' if spec.path_style else 'false'}",
        # Do not check or create the bucket.
        "no_check_bucket=true",
        "list_version=2",
    ]
    return f":s3,{','.join(options)}:{place}"


def rclone_command(tool: Tool, spec: MountSpec, mountpoint: str, device: str) -> list[str]:
    # No user's configuration.
    remote = rclone_remote(spec, uses_relay(tool, spec))
    command = [tool.path, "mount", remote, mountpoint, f"--devname={device}"]
    command += [] if uses_relay(tool, spec) else ["--config=/dev/null"]
    command += _chosen(RCLONE_SETTINGS, spec, tool)
    command += [f"--cache-dir={spec.cache}"] if spec.cache else []
    return command + ([f"--vfs-cache-max-size={spec.cache_max}B"] if spec.cache and spec.cache_max else [])


def mount_s3_command(tool: Tool, spec: MountSpec, mountpoint: str, device: str) -> list[str]:
    """Return the command of Mountpoint for Amazon S3, which names its device itself."""
    command = [tool.path, spec.bucket, mountpoint, *_chosen(MOUNT_S3_SETTINGS, spec, tool)]
    command += [f"--region={spec.region}"]
    command += [f"--endpoint-url={spec.endpoint}"] if spec.endpoint else []
    command += [f"--prefix={spec.prefix}/"] if spec.prefix else []
    command += [f"--cache={spec.cache}"] if spec.cache else []
    mebibytes = max(1, spec.cache_max // 1024**2)
    return command + ([f"--max-cache-size={mebibytes}"] if spec.cache and spec.cache_max else [])


@dataclass(frozen=True)
class Backend:
    """Properties of a tool."""

    command: Callable[[Tool, MountSpec, str, str], list[str]]
    version_words: tuple[str, ...]
    tells_systemd: bool  # by sd_notify
    ca_variable: str  # of its CA bundle
    names_device: bool = True
    needs_fusermount: bool = False  # calls it even as root


BACKENDS = {
    "mount-s3": Backend(mount_s3_command, ("--version",), False, "AWS_CA_BUNDLE", names_device=False),
    # AWS_CA_BUNDLE is not for rclone: with credentials from the environment it then refuses to start.
    "rclone": Backend(rclone_command, ("version",), True, "SSL_CERT_FILE", needs_fusermount=True),
}

# 0.1.0 also mounted with s3fs. Such a mount is recognized, replaced and removed, and none is made.
DROPPED = "s3fs"


def is_mount_tool(program: str) -> bool:
    name = posixpath.basename(program)
    return name in BACKENDS or name == DROPPED


def names_device(program: str) -> bool:
    """Return whether the device of a mount tool's mount is given to it."""
    backend = BACKENDS.get(posixpath.basename(program))
    return backend is None or backend.names_device


def mount_command(tool: Tool, spec: MountSpec, mountpoint: str, device: str) -> list[str]:
    command = BACKENDS[tool.backend].command(tool, spec, mountpoint, device)
    if not uses_relay(tool, spec):
        return command
    memory = RELAY_MEMORY_SMALL if is_small(tool) else RELAY_MEMORY
    kept = [f"--keep={spec.cache}/relay.json"] if spec.cache else []
    return [*tool.relay, f"--endpoint={server_of(spec)}", f"--memory={memory}", *kept, "--", *command]


def choose_tool(backend: str, spec: MountSpec, tools: dict[str, Tool]) -> tuple[Tool, str]:
    """Return the requested or the best installed tool, and the reason."""
    rclone = tools.get("rclone")
    if rclone and rclone.version < RCLONE_OLDEST:
        tools = {name: tool for name, tool in tools.items() if name != "rclone"}
    if backend != "auto":
        if backend not in tools:
            raise _missing(backend, rclone)
        return tools[backend], "as asked for"
    current = "rclone" in tools and tools["rclone"].version >= (1, 65)
    if "mount-s3" in tools and spec.aws and not (spec.cache and current):
        note = "; it empties its cache whenever it starts and ends" if spec.cache else ""
        return tools["mount-s3"], f"Amazon's own tool is installed and the bucket is at Amazon{note}"
    if current:
        kept = ", and keeps its cache, which mount-s3 empties" if "mount-s3" in tools and spec.aws else ""
        return tools["rclone"], f"{tools['rclone'].title} is installed{kept}"
    if "rclone" in tools:
        return tools["rclone"], f"{tools['rclone'].title} is old, but nothing else is installed"
    raise _missing("auto", rclone)


def _missing(backend: str, rclone: Tool | None) -> NoTool:
    old = f" ({rclone.title} is: it is too old, 1.58 is the first that will do)" if rclone else ""
    requested = "rclone or mount-s3" if backend == "auto" else backend
    return NoTool(
        "The bucket cannot be mounted on this computer.",
        f"No usable mount tool is installed: {requested} was looked for{old}.",
        "Install one (rclone is the most complete), or let a container mount the bucket: -e lab_mount=mounter",
    )
