# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lab needs of the system of an EC2 instance: programs, and the watcher that stops it."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import typing as t
from pathlib import Path

from .._common.bounded_command import run_bounded
from .._common.packages import os_release

PROGRAMS = ("dockerd", "mount-s3", "rsync")
# Where users' paths may not lead.
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Laid down by role ec2_host, once the packages of a new instance were updated.
UPDATED = "/var/lib/desi-lab/system-updated"
# Laid down by role autostop.
WATCHER_UNIT = "desi-lab-watch"
WATCHER_FILES = (
    "usr/local/lib/desi-lab/watch/**/*.py",
    "usr/local/lib/desi-lab/worker/*.py",
    "etc/desi-lab/*.json",
    f"etc/systemd/system/{WATCHER_UNIT}.*",
)
MOST_FILES = 100
MOST_BYTES = 1 << 20
SECONDS = 5.0
_RUNS = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
_UNITS = (f"{WATCHER_UNIT}.timer", f"{WATCHER_UNIT}.service")
_ID = re.compile(r'^ID="?([a-z0-9._-]{1,40})"?$', re.MULTILINE)


def query_system() -> dict[str, t.Any]:
    """Return the distribution's ID, which programs it has, whether it was updated, and its watcher."""
    distribution = _ID.search(os_release())
    return {
        "distribution": distribution[1] if distribution else "",
        "programs": [name for name in PROGRAMS if shutil.which(name, path=PATHS)],
        "updated": Path(UPDATED).exists(),
        "watcher": {"files": digests("/"), "runs": timer_runs()},
    }


def digests(root: str) -> dict[str, str]:
    """Return the SHA-256 of each file of the watcher that is root's and has the mode it was made with, by its path."""
    found = sorted(path for pattern in WATCHER_FILES for path in Path(root).glob(pattern))
    return {str(path): digest for path in found[:MOST_FILES] for digest in [_digest(path)] if digest}


def _digest(path: Path) -> str:
    try:
        about = path.lstat()
        is_ours = about.st_mode == stat.S_IFREG | 0o644 and about.st_uid == 0
        if not is_ours or about.st_size > MOST_BYTES:
            return ""
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def timer_runs() -> bool:
    """Return whether the watcher's timer runs, now and after the next boot, and both units as their files say."""
    names = [f"--property={name}" for name in _RUNS]
    try:
        done = run_bounded(["systemctl", "show", *names, *_UNITS], b"", MOST_BYTES, SECONDS)
    except OSError:
        return False
    # A unit is a paragraph, in the order of their names.
    units = [
        dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        for paragraph in done.output.decode(errors="replace").split("\n\n")
    ]
    return done.code == 0 and units[0] == _RUNS and units[1:] != [] and units[1].get("NeedDaemonReload") == "no"
