# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher: look, decide, tell, remember, and stop the machine if that was decided."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

from desi_watch import engine, keeping, settings, telling
from desi_watch.deciding import Decision, decide
from desi_watch.looking import clocks, look, terminals

STATE = "state.json"
MEMORY = "memory.json"
# In order, should one of them not work.
STOPS = (
    ("systemctl", "--ignore-inhibitors", "poweroff"),
    ("shutdown", "-h", "now"),
    ("systemctl", "--force", "poweroff"),
)
PATIENCE = 30.0


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Return what the unit says."""
    parser = argparse.ArgumentParser(prog="desi_watch", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the configuration file")
    parser.add_argument("--state", type=Path, required=True, help="the folder of what everybody may read")
    parser.add_argument("--memory", type=Path, required=True, help="the folder of what the next boot must not know")
    parser.add_argument("--docker", default=engine.SOCKET, help="Docker's socket")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Look once."""
    where = arguments(given)
    wanted, wrong = settings.read(where.settings)
    now = clocks()
    memory, marks = keeping.recalled(keeping.document(where.memory / MEMORY))
    # Before anything is decided: who will not remember a warning must not wait for it.
    remembers = keeping.written(where.memory / "probe.json", {}, 0o600)
    seen, found = look(marks, wanted, now, where.docker, remembers, (wrong,) if wrong else ())
    after, decision = decide(memory, seen, wanted, now)
    keeping.written(where.memory / MEMORY, keeping.to_remember(after, found.marks), 0o600)
    before = keeping.document(where.state / STATE).get("last_stop")
    keeping.written(where.state / STATE, keeping.public(decision, after, now, before), 0o644)
    telling.keep_files(found.folders(), None if decision.stop else decision.shown)
    for notice in decision.news:
        told = telling.tell_terminals(terminals(), telling.shout(notice, now))
        print(f"The lab stops at {telling.moment(notice)}, {telling.reason(notice)}; told to {told} terminals.")
    if decision.stop:
        stop(decision)
    return 0


def stop(decision: Decision) -> None:
    """Stop the machine. What was written is on its disk by then, or the disk does not answer any more."""
    print(f"The machine is stopped. {decision.stop}", flush=True)
    run(("sync",))
    for command in STOPS:
        if run(command):
            return
    raise SystemExit("The machine could not be stopped.")


def run(command: Sequence[str]) -> bool:
    """Return whether a command worked, in time."""
    try:
        return subprocess.run(command, check=False, timeout=PATIENCE, stdin=subprocess.DEVNULL).returncode == 0
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{command[0]} did not work: {error}", flush=True)
        return False
