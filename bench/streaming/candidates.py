# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured against what: each mount tool with settings of its own, and what DESI Lab takes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ansible_collections.desi.lab.plugins.module_utils._mount.spec import MountSpec
from ansible_collections.desi.lab.plugins.module_utils._mount.tools import Tool, mount_command

_FILES = Path(__file__).parents[2] / "roles/data/files"
RELAY = {str(file.relative_to(_FILES)): file.read_text() for file in _FILES.glob("desi_stream/*.py")}
Command = Callable[[str, str, str], list[str]]  # endpoint, mountpoint, cache

_REMOTE = (
    ':s3,provider=Other,endpoint="{}",region=us-west-2,env_auth=false,force_path_style=true,'
    "no_check_bucket=true,list_version=2:desidata"
)


def _rclone(*options: str, cached: bool = True) -> Command:
    def command(endpoint: str, mountpoint: str, cache: str) -> list[str]:
        kept = ["--vfs-cache-mode=full", f"--cache-dir={cache}", "--vfs-cache-max-age=8760h"] if cached else []
        common = ["--config=/dev/null", "--read-only", "--use-server-modtime", "--dir-cache-time=1h"]
        return [tool("rclone"), "mount", _REMOTE.format(endpoint), mountpoint, *common, *kept, *options]

    return command


def ours(endpoint: str, mountpoint: str, cache: str, memory: int = 0) -> list[str]:
    """Return the command that DESI Lab runs, made by what makes it there."""
    rclone = Tool("rclone", tool("rclone"), (1, 75, 2), (sys.executable, "-m", "desi_stream"), memory)
    return mount_command(
        rclone, MountSpec("desidata", endpoint=endpoint, cache=cache), mountpoint, "desi-lab:desidata:0"
    )


def tool(name: str) -> str:
    return shutil.which(name) or name


OURS = "desi-lab"
CANDIDATES: dict[str, Command] = {
    OURS: ours,
    "rclone, defaults, no cache": _rclone(cached=False),
    "rclone, cache": _rclone(),
    "rclone, cache, 4M x 8, ahead 32M": _rclone(
        "--vfs-read-chunk-size=4M", "--vfs-read-chunk-streams=8", "--vfs-read-ahead=32M"
    ),
    "rclone, cache, 1M x 4, buffer 0": _rclone(
        "--vfs-read-chunk-size=1M", "--vfs-read-chunk-streams=4", "--buffer-size=0"
    ),
}


class Mounted:
    """A mount that is there as long as it is used."""

    def __init__(self, command: list[str], mountpoint: Path) -> None:
        self.path = mountpoint
        mountpoint.mkdir(parents=True, exist_ok=True)
        with (mountpoint.parent / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 30
        while not mountpoint.is_mount():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError(f"it did not mount: {(mountpoint.parent / 'log').read_text()[-500:]}")
            time.sleep(0.02)
        # What role data does, too, and the moment that it takes people to come.
        list(mountpoint.iterdir())
        time.sleep(1)

    def processes(self) -> list[int]:
        """Return the numbers of the processes that serve the mount."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            except (OSError, ValueError):
                continue
            if session == self._process.pid:
                found.append(int(folder.name))
        return found

    def memory(self) -> float:
        """Return the most memory that the processes ever had, in MiB."""
        total = 0
        for number in self.processes():
            lines = Path(f"/proc/{number}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return total / 1024

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=False, capture_output=True)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Mounted:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
