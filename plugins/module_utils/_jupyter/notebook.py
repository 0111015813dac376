# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the notebook program in a container, write its progress to a file, and kill it if the caller disappears."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import typing as t
from pathlib import Path

from .._common.heartbeat import Heartbeat
from .._docker.progress import ProgressFile

# Its standard input stays open behind the program: when that ends, so does the program.
EXECUTE = "exec(compile(sys.stdin.buffer.read(int(sys.argv[1])), 'notebook_run', 'exec'))"
# In isolated mode (-I), a person's own packages would not be found, among which nbclient may be. Modules of the working
# directory are anybody's: a json.py there would run, as root where the container is root's.
START = f"import sys; sys.path[:] = filter(None, sys.path); {EXECUTE}"
MAX_OUTPUT = 512 * 2**20
MAX_LINE = 4096
MAX_ERRORS = 65_536


def run(container: str, order: bytes, size: int, progress: str, quiet: float, name: str = "") -> dict[str, t.Any]:
    """Run the program in the lab; return its exit code, and what it said. ``name`` is for lists of commands."""
    command = ["docker", "exec", "--interactive", container, "python3", "-c", START, str(size), name]
    said: list[bytes] = []
    left = MAX_OUTPUT
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile())
        stack.enter_context(ProgressFile(progress))
        heartbeat = stack.enter_context(Heartbeat(progress))
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        )
        stdin, stdout = t.cast("t.BinaryIO", process.stdin), t.cast("t.BinaryIO", process.stdout)
        heartbeat.watch(quiet, process.kill)
        with contextlib.suppress(BrokenPipeError):
            stdin.write(order)
            stdin.flush()
        while line := stdout.readline(left + 1):
            left -= len(line)
            if left < 0:
                process.kill()
                break
            said.append(line)
            if progress and len(line) <= MAX_LINE:
                with Path(progress).open("ab") as file:
                    file.write(line)
        code = process.wait()
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - MAX_ERRORS))
        return {
            "rc": code,
            "output": b"".join(said).decode(errors="replace"),
            "errors": errors.read().decode(errors="replace"),
        }
