# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep a mount running, and restart it when it dies: a systemd unit, or a detached shell loop without systemd.

unit_templates.py has both; what a dead mount leaves behind is cleared by mounter.py in the next run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._common.errors import LabError
from .._common.files import closing, open_root_owned, require_root_owned, write_beside
from .._common.polling import wait_until
from .._common.redact import end_redacted
from . import unit_templates as texts
from .host import SYSTEM_PATH, Process, end_processes, processes
from .mountinfo import DEVICE_PREFIX
from .programs import PROGRAMS, require_command
from .spec import mount_name
from .tools import BACKENDS, is_mount_tool, names_device

RUN_DIRECTORY = Path("/run/desi-lab")
UNIT_DIRECTORY = Path("/etc/systemd/system")
# Of a tool's log, the end.
LONGEST = 4000


@dataclass(frozen=True)
class Job:
    """A tool to keep running."""

    backend: str
    command: list[str]
    settings: Mapping[str, Any]
    environment: Mapping[str, str]
    shared_parent: bool = False
    programs: str = PROGRAMS


class Supervisor(ABC):
    """Keeps the tool of one mountpoint running."""

    kind: str
    unit = ""

    def __init__(self, mountpoint: str) -> None:
        self.mountpoint = mountpoint
        self.name = mount_name(mountpoint)

    @abstractmethod
    def settings(self) -> dict[str, Any] | None:
        """Return the settings of the mountpoint's present job, None without one."""

    @abstractmethod
    def serves(self, job: Job) -> bool:
        """Return whether exactly this job is kept running."""

    def start(self, job: Job) -> None:
        """Start the job, and restart it when it ends; refuse programs that others could change."""
        require_root_owned(str(Path(self.mountpoint).parent))
        require_command(job.command, self.mountpoint, job.programs)
        self._start(job)

    @abstractmethod
    def _start(self, job: Job) -> None:
        """Start the verified job."""

    @abstractmethod
    def ended(self) -> bool:
        """Return whether the tool ended by itself since the start."""

    @abstractmethod
    def stop(self, patience: float) -> None:
        """End supervisor and tool; a mount in use may stay, dead."""

    @abstractmethod
    def log(self) -> str:
        """Return the end of the tool's log."""

    def tools(self) -> list[Process]:
        """Return the mountpoint's tools, supervised or orphaned."""
        return [
            process
            for process in processes()
            if self.mountpoint in process.command[1:]
            and is_mount_tool(process.command[0])
            and (any(f"{DEVICE_PREFIX}:" in word for word in process.command) or not names_device(process.command[0]))
        ]


class LoopSupervisor(Supervisor):
    """A detached shell loop that restarts the tool; its only file is its log."""

    kind = "process"
    _started: subprocess.Popen[bytes]

    @property
    def log_file(self) -> Path:
        return RUN_DIRECTORY / f"mount-{self.name}.log"

    def loops(self) -> list[Process]:
        return [found for found in processes() if texts.loop_mountpoint(list(found.command)) == self.mountpoint]

    def settings(self) -> dict[str, Any] | None:
        found = self.loops()
        return texts.loop_settings(list(found[0].command)) if found else None

    def serves(self, job: Job) -> bool:
        # Its children have its command line between fork and exec.
        requested = self._command(job)
        return any(list(loop.command) == requested for loop in self.loops())

    def _command(self, job: Job) -> list[str]:
        return texts.loop_command(self.mountpoint, str(self.log_file), job.settings, job.command)

    def _start(self, job: Job) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with (
            closing(open_root_owned(str(RUN_DIRECTORY), make=True)) as directory,
            closing(os.open(self.log_file.name, flags, 0o600, dir_fd=directory)) as log,
        ):
            self._started = subprocess.Popen(
                self._command(job),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**job.environment, "PATH": SYSTEM_PATH},
                start_new_session=True,
            )

    def ended(self) -> bool:
        # Not by the process list, which shows no command line at first.
        return texts.ENDED in self.log() or self._started.poll() is not None

    def stop(self, patience: float) -> None:
        end_processes(self.loops, patience)
        self.log_file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            RUN_DIRECTORY.rmdir()

    def log(self) -> str:
        with contextlib.suppress(OSError):
            return end_redacted(self.log_file.read_text(errors="replace"), LONGEST)
        return ""


class SystemdSupervisor(Supervisor):
    """An enabled systemd unit, so that the mount survives a reboot."""

    kind = "systemd"

    def __init__(self, mountpoint: str) -> None:
        super().__init__(mountpoint)
        self.unit = texts.unit_name(self.name)
        self.file = UNIT_DIRECTORY / self.unit
        # It may hold keys, and `systemctl show` shows a unit to everybody.
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
        with closing(open_root_owned(str(UNIT_DIRECTORY))) as directory:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.environment_file.name, dir_fd=directory)
            if job.environment:
                text = texts.environment_text(job.environment)
                write_beside(directory, self.environment_file.name, text.encode(errors="surrogateescape"))
            self._started = time.time()
            write_beside(directory, self.file.name, self._text(job).encode(errors="surrogateescape"), 0o644)
        for words in (["daemon-reload"], ["enable", self.unit], ["restart", "--no-block", self.unit]):
            done = _systemctl(*words)
            if done.returncode != 0:
                raise LabError(
                    "systemd did not take the mount's unit.",
                    f"systemctl {words[0]}: {done.stderr.strip() or 'no reason given'}",
                    "Check it with: systemctl status " + self.unit + ", or choose supervisor=process.",
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
        # The output of the unit's processes since this start, without systemd's messages.
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
            return end_redacted(done.stdout, LONGEST)
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


def make_supervisors(requested: str, mountpoint: str) -> tuple[Supervisor, list[Supervisor]]:
    """Return the supervisor to use, and all that earlier runs may have used."""
    loop = LoopSupervisor(mountpoint)
    if not systemd_runs():
        if requested == "systemd":
            raise LabError(
                "The mount cannot be a systemd unit.",
                "systemd does not run this computer.",
                "Choose supervisor=auto: a small process then keeps the mount alive.",
            )
        return loop, [loop]
    unit = SystemdSupervisor(mountpoint)
    return (loop if requested == "process" else unit), [unit, loop]


def stop_all(supervisors: list[Supervisor], patience: float) -> None:
    """End the supervisors first, so that nothing restarts a tool, then the tools."""
    for supervisor in supervisors:
        supervisor.stop(patience)
    tools = supervisors[-1].tools
    if tools() and not wait_until(lambda: not tools(), 0.5):
        end_processes(tools, patience)
