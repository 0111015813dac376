# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run rclone behind the relay: stream --endpoint=URL [--memory=MIB] [--keep=FILE] -- rclone mount ...

rclone knows the relay as the remote "desi:". When one of the two ends, so does the other.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from .kinds import Kinds
from .reader import Sizes
from .relay import Relay
from .storage import own_directory, remove_all_but
from .upstream import Upstream

CONNECTIONS = 16
WARM = 4
REMOTE = "desi"
_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="desi_stream")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--memory", type=int, default=128, help="MiB for what is read ahead and for listings")
    parser.add_argument("--keep", default="", help="a file for what was learned of the shapes of files")
    parser.add_argument("tool", nargs="+")
    return parser.parse_args(words)


def sizes_for(memory: int) -> Sizes:
    """Share out the memory: most of it is for what is read ahead, of which one reader may have a third."""
    reader = memory // 2
    return Sizes(ahead=min(Sizes.ahead, reader // 3), memory=reader)


def bucket_of(tool: list[str]) -> str:
    """Return the bucket that the mount tool is to mount, out of its command."""
    places = [word.partition(":")[2] for word in tool if word.startswith(f"{REMOTE}:")]
    bucket = places[0].partition("/")[0] if places else ""
    if not bucket:
        sys.exit(f"desi_stream: the command of the mount tool names no bucket of {REMOTE}:")
    return bucket


def remote(endpoint: str) -> str:
    """Return the remote's settings as rclone's configuration, which nobody else may read.

    rclone keeps its cache under the remote's name, to which it adds a sign of what was set in any other way: by the
    command line or the environment. The relay has another port each time, and the cache is to be found again.
    """
    known = {"type": "s3", "provider": "Other", "endpoint": endpoint, "env_auth": "false"}
    known |= {"region": "us-east-1", "force_path_style": "true", "no_check_bucket": "true", "list_version": "2"}
    return "\n".join([f"[{REMOTE}]", *(f"{name} = {value}" for name, value in known.items()), ""])


def forget_others(cache: Path) -> None:
    """Remove what was cached under other names, by settings of the past: nobody would ever read it again."""
    with contextlib.suppress(OSError), own_directory(cache) as folder:
        for inside in ("vfs", "vfsMeta"):
            with contextlib.suppress(OSError):
                remove_all_but(folder, inside, REMOTE)


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def share_memory() -> None:
    """Have all threads take memory from the same two heaps.

    glibc gives each thread a heap of its own, and what is freed there is of no use to the others: with eight readers
    that is 60 MiB. Other C libraries have no such call.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def main(words: list[str]) -> int:
    """Run until the tool ends, and return its code."""
    share_memory()
    # Threads that wait for blocks are woken in less than the time that a block takes.
    sys.setswitchinterval(0.001)
    known = arguments(words)
    memory = known.memory << 20
    upstream = Upstream(known.endpoint, CONNECTIONS)
    kinds = Kinds(Path(known.keep) if known.keep else None)
    started = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def changed() -> None:
        """End the tool: whoever has an old version open must not get the rest of a new one. It is started again."""
        started.wait()
        print("An object is another one than was listed, so the bucket is mounted anew.", file=sys.stderr, flush=True)
        running[0].kill()

    relay = Relay(upstream, sizes_for(memory), memory // 4, kinds, changed, bucket_of(known.tool))
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    upstream.warm(WARM)
    if known.keep:
        forget_others(Path(known.keep).parent)
    with tempfile.NamedTemporaryFile("w", prefix="desi-stream-", suffix=".conf") as configuration:
        configuration.write(remote(relay.endpoint))
        configuration.flush()
        command = [*known.tool, f"--config={configuration.name}"]
        tool = subprocess.Popen(command, preexec_fn=die_with_parent)
        running.append(tool)
        started.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: tool.send_signal(received))
        return tool.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
