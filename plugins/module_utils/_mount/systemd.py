# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mount as a systemd unit, and the choice between that and a process of our own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.files import open_root_owned, write_beside
from ansible_collections.desi.lab.plugins.module_utils._mount import unit_templates as texts
from ansible_collections.desi.lab.plugins.module_utils._mount.host import SYSTEM_PATH
from ansible_collections.desi.lab.plugins.module_utils._mount.supervisors import Job, LoopSupervisor, Supervisor
from ansible_collections.desi.lab.plugins.module_utils._mount.tools import BACKENDS

UNIT_FOLDER = Path("/etc/systemd/system")


class SystemdSupervisor(Supervisor):
    """A unit, enabled, so that the mount is there again after a reboot."""

    kind = "systemd"

    def __init__(self, mountpoint: str) -> None:
        super().__init__(mountpoint)
        self.unit = texts.unit_name(self.name)
        self.file = UNIT_FOLDER / self.unit
        # Keys may be in it, and `systemctl show` tells the lines of a unit to everybody.
        self.environment_file = self.file.with_suffix(".env")
        self._started = 0.0

    def settings(self) -> dict[str, Any] | None:
        return texts.unit_settings(self.file.read_text()) if self.file.exists() else None

    def serves(self, job: Job) -> bool:
        return self.file.exists() and self.file.read_text() == self._text(job) and self._property() == "active"

    def _text(self, job: Job) -> str:
        tells = BACKENDS[job.backend].tells_systemd
        environment = str(self.environment_file)
        return texts.unit_text(self.mountpoint, job.settings, job.command, tells, environment, job.shared_parent)

    def _start(self, job: Job) -> None:
        folder = open_root_owned(str(UNIT_FOLDER))
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.environment_file.name, dir_fd=folder)
            if job.environment:
                text = texts.environment_text(job.environment)
                write_beside(folder, self.environment_file.name, text.encode(errors="surrogateescape"))
            self._started = time.time()
            write_beside(folder, self.file.name, self._text(job).encode(errors="surrogateescape"), 0o644)
        finally:
            os.close(folder)
        for words in (["daemon-reload"], ["enable", self.unit], ["restart", "--no-block", self.unit]):
            done = _systemctl(*words)
            if done.returncode != 0:
                raise LabError(
                    "systemd did not take the mount's unit.",
                    f"systemctl {words[0]}: {done.stderr.strip() or 'no reason given'}",
                    "Look at it with: systemctl status " + self.unit + ", or choose supervisor=process.",
                )

    def _property(self, name: str = "ActiveState") -> str:
        return _systemctl("show", "--value", f"--property={name}", self.unit).stdout.strip()

    def ended(self) -> bool:
        return self._property() == "failed" or self._property("SubState") == "auto-restart"

    def stop(self, patience: float) -> None:
        if not self.file.exists() and not self.environment_file.exists():
            return
        _systemctl("disable", self.unit)
        _systemctl("stop", self.unit, timeout=patience + 30)
        self.file.unlink(missing_ok=True)
        self.environment_file.unlink(missing_ok=True)
        _systemctl("daemon-reload")
        _systemctl("reset-failed", self.unit)

    def log(self) -> str:
        # What the unit's processes said since this start: neither systemd's own words nor those of an earlier mount.
        words = [
            f"_SYSTEMD_UNIT={self.unit}",
            f"--since=@{self._started:.0f}",
            "--lines=20",
            "--output=cat",
            "--no-pager",
        ]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                ["journalctl", *words], capture_output=True, text=True, check=False, timeout=20, env=_environment()
            )
            return done.stdout[-4000:]
        return ""


def _environment() -> dict[str, str]:
    # PATH of who called may lead to programs that are not root's.
    return {**os.environ, "PATH": SYSTEM_PATH}


def _systemctl(*words: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", *words]
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env=_environment(),
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {timeout:g} s")


def systemd_runs() -> bool:
    return Path("/run/systemd/system").is_dir() and shutil.which("systemctl", path=SYSTEM_PATH) is not None


def make_supervisors(wanted: str, mountpoint: str) -> tuple[Supervisor, list[Supervisor]]:
    """Return the supervisor to use, and all that this machine could have used earlier."""
    loop = LoopSupervisor(mountpoint)
    if not systemd_runs():
        if wanted == "systemd":
            raise LabError(
                "The mount cannot be a systemd unit.",
                "systemd does not run this computer.",
                "Choose supervisor=auto: a small process then keeps the mount alive.",
            )
        return loop, [loop]
    unit = SystemdSupervisor(mountpoint)
    return (loop if wanted == "process" else unit), [unit, loop]
