# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a simulated region: python -m region [--port N]. It says where it is as JSON, in one line, when it is ready."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from typing import Any

from docker.errors import DockerException

from region import telling
from region.server import Region


def main() -> int:
    """Run a region until it is told to end."""
    parser = argparse.ArgumentParser(prog="python -m region", description="Run a simulated AWS region.")
    parser.add_argument("--port", type=port, default=0, help="of the endpoint; one that is free if not given")
    parser.add_argument("--say", action="store_true", help="say for a person where the region is")
    parser.add_argument("--while-read", action="store_true", help="end when standard input does")
    arguments = parser.parse_args()
    # Before everything else, so that what was made until then is removed, too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        if arguments.say:
            print("Getting ready (the first time, this takes a minute or two) ...", flush=True)
        region = Region(arguments.port)
        if arguments.while_read:
            threading.Thread(target=end_with_input, args=(region,), daemon=True).start()
        tell = telling.for_a_person if arguments.say else json.dumps
        region.serve(lambda about: print(tell(about), flush=True))
    except KeyboardInterrupt:
        # At once: threads that still wait for something are of no use any more.
        sys.stdout.flush()
        os._exit(0 if arguments.say else 130)
    except (DockerException, OSError, RuntimeError) as error:
        print(f"The simulated region cannot run. {error}", file=sys.stderr)
        return 1
    return 0


def port(text: str) -> int:
    """Return a number that a port can have."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return int(text)


def interrupt(_number: int, _frame: Any) -> None:
    """End as Ctrl-C ends: once, for what follows removes everything and is not to be interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def end_with_input(region: Region) -> None:
    """End the region when whoever started it is gone."""
    # Not by way of sys.stdin, which Python would wait for when it ends.
    while os.read(0, 4096):
        pass
    region.end()


if __name__ == "__main__":
    sys.exit(main())
