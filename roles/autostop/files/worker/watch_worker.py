# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher of a Dask worker's machine: shuts it down when its scheduler is silent, at its deadline, or for AWS.

A timer runs it again and again: watch_worker.py SETTINGS STATE.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
METADATA = "http://169.254.169.254/latest"
PATIENCE = 3.0
# A machine that AWS takes back goes two minutes after the notice.
RETIRE_SECONDS = 80
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Seen(NamedTuple):
    """Seconds since the boot, whether the scheduler answers, and whether AWS takes the machine back."""

    now: float
    answers: bool
    taken: bool


class Decision(NamedTuple):
    """Since when the scheduler is silent (None if it answers), whether to retire the workers, and why to shut down."""

    silent_since: float | None
    retire: bool
    why: str


def decide(settings: dict[str, Any], silent_since: float | None, seen: Seen) -> Decision:
    """Return the decision. A scheduler is silent since the first observation of that."""
    since = None if seen.answers else seen.now if silent_since is None else min(silent_since, seen.now)
    if seen.taken:
        return Decision(since, seen.answers, "AWS takes the spot machine back.")
    longest = float(settings["max_hours"]) * 3600
    if longest and seen.now >= longest:
        return Decision(since, seen.answers, f"It ran for {settings['max_hours']:g} hours (lab_max_hours).")
    if since is not None and seen.now - since >= float(settings["silent_minutes"]) * 60:
        return Decision(since, False, f"Its scheduler did not answer for {settings['silent_minutes']:g} minutes.")
    return Decision(since, False, "")


def scheduler_answers(settings: dict[str, Any]) -> bool:
    """Return whether the scheduler completes a TLS handshake, which a port alone does not prove."""
    try:
        context = ssl.create_default_context(cafile=settings["certificate"])
        context.check_hostname = False
        context.load_cert_chain(settings["certificate"])
        place = (settings["scheduler"], int(settings["port"]))
        with socket.create_connection(place, PATIENCE) as line, context.wrap_socket(line):
            return True
    except (OSError, ValueError):
        return False


def taken_back(base: str = METADATA) -> bool:
    """Return whether the metadata service announces that the spot instance is interrupted."""
    try:
        header = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        asked = urllib.request.Request(f"{base}/api/token", headers=header, method="PUT")  # noqa: S310 - a constant
        with OPENER.open(asked, timeout=PATIENCE) as answer:
            token = answer.read(1024).decode()
        header = {"X-aws-ec2-metadata-token": token}
        asked = urllib.request.Request(f"{base}/meta-data/spot/instance-action", headers=header)  # noqa: S310 - as above
        with OPENER.open(asked, timeout=PATIENCE) as answer:
            return json.loads(answer.read(4096)).get("action") in ("terminate", "stop", "hibernate")
    except (OSError, ValueError, AttributeError):
        return False


def retire(settings: dict[str, Any]) -> None:
    """Retire the workers of this machine: they hand on their results."""
    names = [f"{settings['machine']}-{number}" for number in range(1, int(settings["processes"]) + 1)]
    command = [
        "docker",
        "exec",
        settings["container"],
        "python3",
        "-c",
        settings["retire"],
        str(RETIRE_SECONDS),
        *names,
    ]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=RETIRE_SECONDS + 20, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"The workers could not be retired: {error}", flush=True)


def remembered(path: str) -> float | None:
    """Return since when the scheduler is silent, from the record of the last observation."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))["silent_since"]
        return None if found is None else float(found)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def main(settings_file: str, state: str) -> int:
    settings = json.loads(Path(settings_file).read_text(encoding="utf-8"))
    seen = Seen(time.clock_gettime(time.CLOCK_BOOTTIME) - booted(), scheduler_answers(settings), taken_back())
    decision = decide(settings, remembered(state), seen)
    Path(state).write_text(json.dumps(decision._asdict()), encoding="utf-8")
    if decision.retire:
        retire(settings)
    if decision.why:
        print(f"This machine shuts down. {decision.why}", flush=True)
        subprocess.run(["systemctl", "poweroff"], check=False)
    return 0


def booted() -> float:
    """Return when the first process began, in seconds of the clock that counts from the kernel's start."""
    fields = Path("/proc/1/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
