# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host of a mount: mount table, processes, tools, and mount system calls."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .._common.errors import LabError
from .._common.polling import wait_until
from .mountinfo import MountEntry, parse_mountinfo
from .programs import (
    PROGRAMS,
    RCLONE_VERSION,
    rclone_is_installed,
    rclone_path,
    rclone_version,
    refused_rclone,
    require_program,
)
from .tools import BACKENDS, Tool

# sudo and cron omit some of them from PATH.
SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# For programs that root runs by name, as the caller's PATH is not trusted.
SYSTEM_PATH = os.pathsep.join(SYSTEM_DIRECTORIES)

_MS_BIND, _MS_REC, _MS_SHARED = 0x1000, 0x4000, 1 << 20
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_LIBC = ctypes.CDLL(None, use_errno=True)

# In a process of its own, as listing a hung mount cannot be interrupted.
_LIST = "import os, sys\ntry:\n    print(len(os.listdir(sys.argv[1])))\nexcept OSError as e:\n    sys.exit(e.errno)"


def read_mounts() -> list[MountEntry]:
    try:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except FileNotFoundError:
        raise LabError(
            "The bucket cannot be mounted on this computer.",
            "It has no /proc/self/mountinfo: only Linux can mount a bucket on the host.",
            "Let a container beside the lab mount the bucket: -e lab_mount=mounter",
        ) from None
    return parse_mountinfo(text)


@dataclass(frozen=True)
class Listing:
    """The result of listing a directory: ``code`` is 0, an errno, or -1 for no answer in time."""

    code: int
    count: int = 0

    @property
    def alive(self) -> bool:
        return self.code == 0

    @property
    def problem(self) -> str:
        return {-1: "no answer in time"}.get(self.code, os.strerror(self.code) if self.code > 0 else "")


def list_directory(path: str, timeout: float) -> Listing:
    """List a directory within ``timeout``, even if it hangs."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LIST, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/"
    )
    try:
        out = process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        # Not waited for: it ends with the mount.
        process.kill()
        return Listing(-1)
    return Listing(process.returncode or 0, int(out or 0))


@dataclass(frozen=True)
class Process:
    pid: int
    command: tuple[str, ...]

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def processes() -> list[Process]:
    """Return this user's processes in the same mount namespace."""
    here, found = str(Path("/proc/self/ns/mnt").readlink()), []
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit() or int(directory.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if directory.stat().st_uid == os.geteuid() and str(Path(directory, "ns/mnt").readlink()) == here:
                words = Path(directory, "cmdline").read_bytes().split(b"\0")[:-1]
                found.append(Process(int(directory.name), tuple(os.fsdecode(word) for word in words)))
    return [process for process in found if process.command]


def end_processes(find: Callable[[], Iterable[Process]], patience: float, first: int = signal.SIGTERM) -> None:
    """End the processes that ``find`` returns, by SIGKILL after ``patience``."""
    for number in (first, signal.SIGKILL):
        for process in find():
            process.signal(number)
        if wait_until(lambda: not list(find()), patience):
            return


def search_path(search: Iterable[str]) -> str:
    directories = [*search, *os.environ.get("PATH", "").split(os.pathsep), *SYSTEM_DIRECTORIES]
    return os.pathsep.join(dict.fromkeys(filter(None, directories)))


def find_tools(
    search: Iterable[str], requested: str = "auto", programs: str = PROGRAMS
) -> tuple[dict[str, Tool], list[LabError]]:
    """Return the mount tools that root may run, by backend, and why others may not be run.

    A tool that is not safe is not run, not even for its version.
    """
    tools, refused = {}, []
    for backend, about in BACKENDS.items():
        if requested not in ("auto", backend):
            continue
        for path in _candidates(backend, search):
            try:
                tools[backend] = _tool(backend, path, about.version_words, programs)
                break
            except LabError as problem:
                refused.append(problem)
            except (OSError, subprocess.SubprocessError):
                continue
    return tools, refused


def _candidates(name: str, search: Iterable[str]) -> list[str]:
    found = (shutil.which(name, path=directory) for directory in search_path(search).split(os.pathsep))
    return list(dict.fromkeys(str(Path(path).absolute()) for path in found if path))


def _tool(backend: str, path: str, version_words: tuple[str, ...], programs: str) -> Tool:
    """Return a tool that root may run: in place, or the reviewed rclone as root's copy."""
    try:
        require_program(path, programs)
    except LabError as problem:
        if backend != "rclone":
            raise
        if not rclone_is_installed(programs) and not rclone_version(path):
            raise refused_rclone(path) from problem
        version = tuple(int(part) for part in RCLONE_VERSION.split("."))
        return Tool(backend, rclone_path(programs), version, source=path)
    return Tool(backend, path, _version([path, *version_words]))


def machine_memory() -> int:
    """Return the memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(command: list[str]) -> tuple[int, ...]:
    # Without it, rclone makes a directory in HOME.
    environment = {**os.environ, "PATH": SYSTEM_PATH, "RCLONE_CONFIG": "/dev/null"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, env=environment)
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def bind_shared(directory: str) -> None:
    """Bind a directory onto itself, shared, so that mounts in it propagate to containers that have it."""
    _mount_call(directory, _MS_BIND)
    try:
        _mount_call(directory, _MS_REC | _MS_SHARED)
    except LabError:
        unmount_call(directory)
        raise


def _mount_call(directory: str, flags: int) -> None:
    name = os.fsencode(directory)
    if _LIBC.mount(name, name, None, ctypes.c_ulong(flags), None) != 0:
        code = ctypes.get_errno()
        raise LabError(
            f"The folder {directory} could not be made a place for mounts.",
            f"The kernel refused to bind it onto itself ({os.strerror(code)}).",
            "Run as root, and not inside a container that may not mount."
            if code == errno.EPERM
            else "Choose another folder for the mount.",
        )


def unmount_call(path: str, lazily: bool = False) -> int:
    """Unmount the topmost mount without accessing its file system; return 0 or an errno."""
    flags = _UMOUNT_NOFOLLOW | (_MNT_DETACH if lazily else 0)
    return 0 if _LIBC.umount2(os.fsencode(path), flags) == 0 else ctypes.get_errno()
