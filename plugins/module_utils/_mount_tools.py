# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""The three mount tools: the command line that each takes for a MountSpec, and which of them is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from ansible_collections.desi.lab.plugins.module_utils._errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount_spec import MountSpec

Version = tuple[int, ...]


class NoTool(LabError):
    """No mount tool is installed: a container that has one can do the work instead."""


@dataclass(frozen=True)
class Tool:
    """An installed mount tool."""

    backend: str
    path: str
    version: Version

    @property
    def title(self) -> str:
        return f"{self.backend} {'.'.join(str(part) for part in self.version)}".strip()


@dataclass(frozen=True)
class Setting:
    """One option of a tool: when it is given, and since which version the tool knows it."""

    option: str
    when: str = "always"
    since: Version = ()


def _chosen(settings: tuple[Setting, ...], spec: MountSpec, version: Version) -> list[str]:
    holds = {
        "always": True,
        "read-only": spec.read_only,
        "cache": bool(spec.cache),
        "anonymous": spec.anonymous,
        "path-style": spec.path_style,
    }
    return [setting.option for setting in settings if holds[setting.when] and version >= setting.since]


RCLONE_OLDEST: Version = (1, 58)  # the first with --devname, by which a mount is recognised

# Measured at 60 ms round trip on a FITS file of 223 MB and 17 HDUs: full cache, 4 MiB chunks, 8 streams and 32 MiB of
# read-ahead were good at everything (headers, one HDU, random reads, whole file); nothing else was better on average.
RCLONE_SETTINGS = (
    # The user in the container is neither root nor known here.
    Setting("--allow-other"),
    Setting("--read-only", when="read-only"),
    # Dates out of the listing: without it, `ls -l` and each first opening cost one more request a file. --no-modtime
    # saves none of those at opening and gives every file the date of the mount. --vfs-fast-fingerprint saves none
    # either, and leaves only the size to tell whether a cached file of several parts is still the one in the bucket.
    Setting("--use-server-modtime"),
    # A published release does not change; a bucket that is written to may.
    Setting("--dir-cache-time=1h", when="read-only"),
    Setting("--vfs-read-chunk-size=4M"),
    Setting("--vfs-read-chunk-streams=8", since=(1, 68)),
    Setting("--vfs-cache-mode=full", when="cache"),
    Setting("--vfs-read-ahead=32M", when="cache"),
    # What bounds the cache is its size: the tool's own limit of an hour would empty it over lunch.
    Setting("--vfs-cache-max-age=8760h", when="cache"),
    Setting("--vfs-cache-min-free-space=2G", when="cache", since=(1, 64)),
    # The tool's own limits (1 min to connect, 5 min of silence) leave a notebook hanging when the network was away.
    Setting("--contimeout=15s"),
    Setting("--timeout=1m"),
)

S3FS_SETTINGS = (
    Setting("allow_other"),
    Setting("ro", when="read-only"),
    # Objects that s3fs did not write carry no mode, and then nobody but root may read them.
    Setting("umask=0022"),
    Setting("mp_umask=0022"),
    Setting("public_bucket=1", when="anonymous"),
    Setting("use_path_request_style", when="path-style"),
    Setting("stat_cache_expire=3600", when="read-only"),
    # s3fs knows no largest size of a cache: what it can promise is to leave this much of the disk free.
    Setting("ensure_diskfree=2048", when="cache"),
    Setting("connect_timeout=15"),
    Setting("readwrite_timeout=60"),
)

MOUNT_S3_SETTINGS = (
    Setting("--foreground"),
    Setting("--allow-other"),
    Setting("--read-only", when="read-only"),
    Setting("--no-sign-request", when="anonymous"),
    Setting("--force-path-style", when="path-style"),
    # As long as rclone's: it asks anew for every name otherwise, and listings are its weak side.
    Setting("--metadata-ttl=3600", when="read-only"),
)


def rclone_remote(spec: MountSpec) -> str:
    """Write bucket and server as one word, so that no configuration file is needed."""
    options = ["provider=AWS"] if spec.aws else ["provider=Other", f'endpoint="{spec.endpoint}"']
    options += [
        f"region={spec.region}",
        f"env_auth={'false' if spec.anonymous else 'true'}",
        f"force_path_style={'true' if spec.path_style else 'false'}",
        # Asking whether the bucket exists, and making it, are not for a reader.
        "no_check_bucket=true",
        "list_version=2",
    ]
    return f":s3,{','.join(options)}:{'/'.join(filter(None, (spec.bucket, spec.prefix)))}"


def rclone_command(tool: Tool, spec: MountSpec, mountpoint: str, device: str) -> list[str]:
    # A configuration of the person who started it must not seep in.
    command = [tool.path, "mount", rclone_remote(spec), mountpoint, "--config=/dev/null", f"--devname={device}"]
    command += _chosen(RCLONE_SETTINGS, spec, tool.version)
    command += [f"--cache-dir={spec.cache}"] if spec.cache else []
    return command + ([f"--vfs-cache-max-size={spec.cache_max}B"] if spec.cache and spec.cache_max else [])


def s3fs_command(tool: Tool, spec: MountSpec, mountpoint: str, device: str) -> list[str]:
    url = f"https://s3.{spec.region}.amazonaws.com{'.cn' if spec.region.startswith('cn-') else ''}"
    region = "region" if tool.version >= (1, 96) else "endpoint"
    options = _chosen(S3FS_SETTINGS, spec, tool.version)
    options += [f"fsname={device}", f"url={spec.endpoint or url}", f"{region}={spec.region}"]
    # A comma would end the option.
    options += [f"use_cache={spec.cache}".replace(",", "\\,")] if spec.cache else []
    source = f"{spec.bucket}:/{spec.prefix}" if spec.prefix else spec.bucket
    return [tool.path, source, mountpoint, "-f", *(word for option in options for word in ("-o", option))]


def mount_s3_command(tool: Tool, spec: MountSpec, mountpoint: str, device: str) -> list[str]:
    """Make the command of Mountpoint for Amazon S3, which names its device itself."""
    command = [tool.path, spec.bucket, mountpoint, *_chosen(MOUNT_S3_SETTINGS, spec, tool.version)]
    command += [f"--region={spec.region}"]
    command += [f"--endpoint-url={spec.endpoint}"] if spec.endpoint else []
    command += [f"--prefix={spec.prefix}/"] if spec.prefix else []
    command += [f"--cache={spec.cache}"] if spec.cache else []
    mebibytes = max(1, spec.cache_max // 1024**2)
    return command + ([f"--max-cache-size={mebibytes}"] if spec.cache and spec.cache_max else [])


@dataclass(frozen=True)
class Backend:
    """What differs between the tools apart from their options."""

    command: Callable[[Tool, MountSpec, str, str], list[str]]
    version_words: tuple[str, ...]
    tells_systemd: bool  # says to systemd when the mount is there
    ca_variable: str  # the environment variable by which it takes a bundle of certificates
    names_device: bool = True
    needs_fusermount: bool = False  # calls it even as root


BACKENDS = {
    "mount-s3": Backend(mount_s3_command, ("--version",), False, "AWS_CA_BUNDLE", names_device=False),
    # AWS_CA_BUNDLE is not for rclone: with credentials from the environment it then refuses to start.
    "rclone": Backend(rclone_command, ("version",), True, "SSL_CERT_FILE", needs_fusermount=True),
    "s3fs": Backend(s3fs_command, ("--version",), False, "CURL_CA_BUNDLE"),
}


def mount_command(tool: Tool, spec: MountSpec, mountpoint: str, device: str) -> list[str]:
    """Return the command that serves the mount in the foreground."""
    return BACKENDS[tool.backend].command(tool, spec, mountpoint, device)


def choose_tool(backend: str, spec: MountSpec, tools: dict[str, Tool]) -> tuple[Tool, str]:
    """Take the tool that was asked for, or the best of those installed, and say why."""
    rclone = tools.get("rclone")
    if rclone and rclone.version < RCLONE_OLDEST:
        tools = {name: tool for name, tool in tools.items() if name != "rclone"}
    if backend != "auto":
        if backend not in tools:
            raise _missing(backend, rclone)
        return tools[backend], "as asked for"
    if "mount-s3" in tools and spec.aws:
        note = "; it empties its cache whenever it starts" if spec.cache else ""
        return tools["mount-s3"], f"Amazon's own tool is installed and the bucket is at Amazon{note}"
    if "rclone" in tools and tools["rclone"].version >= (1, 65):
        return tools["rclone"], f"{tools['rclone'].title} is installed"
    if "s3fs" in tools:
        older = f", and {tools['rclone'].title} is older than 1.65" if "rclone" in tools else ""
        return tools["s3fs"], f"{tools['s3fs'].title} is installed{older}"
    if "rclone" in tools:
        return tools["rclone"], f"{tools['rclone'].title} is old, but nothing else is installed"
    raise _missing("auto", rclone)


def _missing(backend: str, rclone: Tool | None) -> NoTool:
    old = f" ({rclone.title} is: it is too old, 1.58 is the first that will do)" if rclone else ""
    wanted = "rclone, s3fs or mount-s3" if backend == "auto" else backend
    return NoTool(
        "The bucket cannot be mounted on this computer.",
        f"No usable mount tool is installed: {wanted} was looked for{old}.",
        "Install one (rclone is the most complete), or let a container mount the bucket: -e lab_mount=container",
    )
