# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks before a mount, and explanations of the tools' errors."""

from __future__ import annotations

import errno
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from .._common.errors import LabError
from .._common.redact import redact
from .._common.web import make_opener
from .host import SYSTEM_PATH
from .spec import MountSpec
from .tools import BACKENDS, Tool
from .unit_templates import ENDED

FUSE_DEVICE = "/dev/fuse"
_IN_CONTAINER = "or let a container beside the lab mount the bucket: -e lab_mount=mounter"

# (pattern, why, do); the first match counts.
_SAYINGS = (
    (r"fusermount3?\W.*(not found|no such file)", "The program fusermount is missing.", "Install the package fuse3."),
    (
        r"credential|security credentials|AWS_ACCESS_KEY",
        "The tool found no credentials that it could use.",
        "Give them in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), or set anonymous=true.",
    ),
    (
        r"AccessDenied|Access Denied|Forbidden|\b403\b",
        "Access was denied.",
        "Check the bucket's name and the credentials.",
    ),
    (r"NoSuchBucket", "There is no such bucket.", "Check the bucket's name and the endpoint."),
    (
        r"Operation not permitted|Permission denied",
        "The kernel did not permit the mount.",
        f"Run as root, and not inside a container that may not mount, {_IN_CONTAINER}",
    ),
)


def check_root() -> None:
    if os.geteuid() != 0:
        raise LabError(
            "The bucket's mount cannot be changed.",
            "Mounting and unmounting for other users is for root alone.",
            f"Run the task with become: true, {_IN_CONTAINER}",
        )


def check_fuse(device: str = FUSE_DEVICE) -> None:
    what = "The bucket cannot be mounted on this computer."
    try:
        os.close(os.open(device, os.O_RDWR))
    except FileNotFoundError:
        why = f"There is no {device}: the kernel's module fuse is not loaded, or this is a container without it."
        raise LabError(what, why, f"Load it with: modprobe fuse, {_IN_CONTAINER}") from None
    except OSError as problem:
        why = f"{device} cannot be opened ({os.strerror(problem.errno or errno.EIO)})."
        raise LabError(what, why, f"Give this container the device ({device}), {_IN_CONTAINER}") from None


def check_tool(tool: Tool) -> None:
    """Verify that fusermount is installed if the tool calls it."""
    programs = ("fusermount3", "fusermount")
    if BACKENDS[tool.backend].needs_fusermount and not any(shutil.which(one, path=SYSTEM_PATH) for one in programs):
        raise LabError(
            "The bucket cannot be mounted on this computer.",
            f"{tool.title} needs the program fusermount3, which is not installed.",
            f"Install the package fuse3, {_IN_CONTAINER}",
        )


def check_credentials(spec: MountSpec, environ: Mapping[str, str]) -> None:
    """Verify that there are credentials if the bucket is not public."""
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )
    home = Path(environ.get("HOME") or "/root", ".aws")
    files = [environ.get("AWS_SHARED_CREDENTIALS_FILE") or str(home / "credentials"), str(home / "config")]
    there = any(environ.get(name) for name in names) or any(Path(name).is_file() for name in files)
    if spec.anonymous or there or _on_ec2(environ):
        return
    raise LabError(
        f'The bucket "{spec.bucket}" cannot be mounted.',
        "With anonymous=false credentials are needed: there are none in the environment, in ~/.aws or on the machine.",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the task, or set anonymous=true.",
    )


def _on_ec2(environ: Mapping[str, str]) -> bool:
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    base = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254"
    headers = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    request = urllib.request.Request(f"{base.rstrip('/')}/latest/api/token", method="PUT", headers=headers)  # noqa: S310
    try:
        with make_opener(direct=True).open(request, timeout=1):
            return True
    except (OSError, ValueError):
        return False


def last_words(log: str) -> str:
    """Return the tool's last line without its time stamp."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith(ENDED)]
    return re.sub(r"^[\d/:.TZ -]+", "", redact(lines[-1]))[:300] if lines else ""


def explain_log(tool: Tool, spec: MountSpec, log: str, problem: str) -> LabError:
    """Return why a tool failed, by its log."""
    what = f'The bucket "{spec.bucket}" could not be mounted with {tool.title}.'
    for pattern, why, do in _SAYINGS:
        if re.search(pattern, log, re.IGNORECASE):
            return LabError(what, why, do)
    words = last_words(log)
    why = f"{problem}{f'; its last words: {words}' if words else ''}."
    return LabError(what, f"{why[0].upper()}{why[1:]}", "Try the other tool (rclone, mount-s3), or a longer timeout.")
