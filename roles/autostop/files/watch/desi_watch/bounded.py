# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that may hang, done by a child that is left to itself if it does.

What reads of processes may wait for one that waits for a bucket that is gone, and nothing can end that but a boot.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any


def result(work: Callable[[], dict[str, Any]], seconds: float) -> dict[str, Any] | None:
    """Return the result of work, as JSON has it; None if it fails or takes too long."""
    mine, its = os.pipe()
    child = os.fork()
    if not child:
        os.close(mine)
        code = 1
        with contextlib.suppress(BaseException), os.fdopen(its, "w", encoding="utf-8") as out:
            json.dump(work(), out)
            code = 0
        os._exit(code)
    os.close(its)
    try:
        said = read_until_closed(mine, time.monotonic() + seconds)
        return json.loads(said) if said else None
    except ValueError:
        return None
    finally:
        os.close(mine)
        reap(child)


def read_until_closed(handle: int, end: float) -> bytes:
    """Return all that is written before the pipe is closed; nothing after the deadline."""
    said = b""
    while select.select([handle], [], [], max(0.0, end - time.monotonic()))[0]:
        piece = os.read(handle, 65536)
        if not piece:
            return said
        said += piece
    return b""


def reap(child: int) -> None:
    """Kill and reap a child, without waiting for one that cannot die."""
    with contextlib.suppress(OSError):
        os.kill(child, signal.SIGKILL)
    for _ in range(20):
        with contextlib.suppress(OSError):
            if os.waitpid(child, os.WNOHANG)[0]:
                return
        time.sleep(0.01)


def succeeds(command: Sequence[str], seconds: float) -> bool:
    """Return whether a command succeeded in time."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        return process.wait(seconds) == 0
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{command[0]} did not work: {error}", flush=True)
        return False
