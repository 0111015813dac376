# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-playbook many times, each in a child of one process that has everything loaded (quick_play.py)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible.release import __version__

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("quick_play.py")
SLEEPLESS = "--sleepless"
# Ansible of other versions has other insides.
IS_POSSIBLE = __version__.startswith("2.19.")


class Player:
    """The process. What Ansible reads of the environment once (ANSIBLE_*, NO_COLOR) is that of ``environment``."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *options: str) -> None:
        self.output, self.errors = folder / "output", folder / "errors"
        self.environment = {**environment, **settings_in(folder)}
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *options],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def begin(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        task: int = 0,
        *,
        apart: bool = False,
    ) -> int:
        """Begin a run; return its process. It is killed at a task, from 1; 0 is never. ``apart`` are its errors."""
        order = {
            "command": ["ansible-playbook", *command[1:]],
            "environment": {**self.environment, **environment},
            "directory": str(directory),
            "output": str(self.output),
            "errors": str(self.errors) if apart else "",
            "task": task,
        }
        ended = self.process.poll()
        assert ended is None, f"Something has ended the process that plays: {ended}"
        self.process.stdin.write(f"{json.dumps(order)}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self) -> tuple[int, str]:
        """Wait for the end of a run; return its exit code and what it showed."""
        code = int(self.process.stdout.readline())
        return code, self.output.read_text(errors="replace")

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        timeout: float,
        *,
        apart: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command whose first word is ansible-playbook; return it as subprocess.run does."""
        number = self.begin(command, environment, directory, apart=apart)
        clock = threading.Timer(timeout, end_group, [number])
        clock.start()
        try:
            code, shown = self.end()
        finally:
            clock.cancel()
        errors = self.errors.read_text(errors="replace") if apart else ""
        return subprocess.CompletedProcess(list(command), code, shown, errors)

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


def settings_in(folder: Path) -> dict[str, str]:
    """Return what Ansible reads of the environment once, for runs that keep what they keep in a folder."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "a"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "tmp"),
        "NO_COLOR": "1",
    }


def run_alone(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, timeout: float, *, apart: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command as Player.run does, in a process of its own."""
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return subprocess.run(
        [program, *command[1:]],
        env={**settings_in(directory), **environment},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if apart else subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )


class Alone:
    """Plays as Player does, each run in a process of its own."""

    run = staticmethod(run_alone)

    def close(self) -> None:
        """End nothing."""


def end_group(number: int) -> None:
    """Kill a run that takes too long, which is the first of its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(number, 9)
