# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command whose output is not trusted, with limits on its size and time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
import typing as t

MAX_ERRORS = 65_536


class Done(t.NamedTuple):
    """The result of a command, which was killed if it wrote too much or took too long."""

    code: int
    output: bytes
    errors: str
    too_much: bool = False
    too_late: bool = False


def run_bounded(
    command: t.Sequence[str],
    given: bytes,
    limit: int,
    seconds: float | None = None,
    **options: t.Any,  # noqa: ANN401 - those of Popen
) -> Done:
    """Run a command with input, and return at most ``limit`` bytes of output. Raises OSError."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, **options)
    late = threading.Event()

    def end_all() -> None:
        # With its children, which share its streams.
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)

    def stop() -> None:
        late.set()
        end_all()

    errors: list[bytes] = []
    timer = threading.Timer(seconds, stop) if seconds is not None else None
    threads = [
        threading.Thread(target=_give, args=(process.stdin, given), daemon=True),
        threading.Thread(target=_keep_end, args=(process.stderr, errors), daemon=True),
    ]
    try:
        for thread in (*threads, *([timer] if timer else [])):
            thread.start()
        output = process.stdout.read(limit + 1)  # type: ignore[union-attr] - there is a pipe
        if len(output) > limit:
            end_all()
        process.wait()
    finally:
        if timer:
            timer.cancel()
        if process.poll() is None:
            end_all()
            process.wait()
        # Processes that left the group may keep the streams open.
        end = time.monotonic() + 1
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        for stream, thread in ((process.stdin, threads[0]), (process.stdout, None), (process.stderr, threads[1])):
            if thread is None or not thread.is_alive():
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr] - there is a pipe
    said = b"".join(errors).decode(errors="replace")
    return Done(process.returncode, output[:limit], said, len(output) > limit, late.is_set())


def _give(stream: t.Any, data: bytes) -> None:  # noqa: ANN401 - a stream
    with contextlib.suppress(OSError, ValueError):
        stream.write(data)
        stream.close()


def _keep_end(stream: t.Any, kept: list[bytes]) -> None:  # noqa: ANN401 - a stream
    """Keep the end of a stream, where the reason is."""
    with contextlib.suppress(OSError, ValueError):
        for block in iter(lambda: stream.read1(MAX_ERRORS), b""):
            kept[:] = [(b"".join(kept) + block)[-MAX_ERRORS:]]
