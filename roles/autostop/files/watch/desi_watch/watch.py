# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher: look, decide, tell, remember, and stop the machine if that was decided."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from desi_watch import bounded, engine, notification, settings, state
from desi_watch.decision import Decision, Now, Seen, decide
from desi_watch.observation import clocks, look, terminals

STATE = "state.json"
MEMORY = "memory.json"
PROBE = "probe.json"
# In order, should one of them not work.
STOPS = (
    ("systemctl", "--ignore-inhibitors", "poweroff"),
    ("shutdown", "-h", "now"),
    ("systemctl", "--force", "poweroff"),
)
# How long a look may take, and each of the commands above, in seconds.
PATIENCE = 60.0
UNSEEN: dict[str, Any] = {
    "active": [],
    "doubts": ["a look did not come to its end"],
    "touched": None,
    "folders": [],
    "marks": {},
}


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
    memory, marks = state.recalled(state.document(where.memory / MEMORY))
    # Before anything is decided: who will not remember a warning must not wait for it.
    remembers = state.written(where.memory / PROBE, {}, 0o600)
    found = bounded.result(lambda: look(marks, wanted, now, where.docker), PATIENCE) or UNSEEN
    doubts = (*((wrong,) if wrong else ()), *found["doubts"])
    after, decision = decide(memory, Seen(tuple(found["active"]), doubts, found["touched"], remembers), wanted, now)
    state.written(where.memory / MEMORY, state.to_remember(after, found["marks"]), 0o600)
    before = state.document(where.state / STATE).get("last_stop")
    state.written(where.state / STATE, state.public(decision, after, now, before), 0o644)
    told = bounded.result(lambda: tell([Path(folder) for folder in found["folders"]], decision, now), PATIENCE)
    print(*(told or {"told": ["Nobody could be told."]})["told"], sep="\n", end="", flush=True)
    if decision.stop:
        stop(decision)
    return 0


def tell(folders: Sequence[Path], decision: Decision, now: Now) -> dict[str, list[str]]:
    """Tell people what is new, and let the file in their folder be true; return what the journal is to say."""
    notification.keep_files(folders, None if decision.stop else decision.shown)
    told = []
    for notice in decision.news:
        number = notification.tell_terminals(terminals(), notification.shout(notice, now))
        when, why = notification.moment(notice), notification.reason(notice)
        told.append(f"The lab stops at {when}, {why}; told to {number} terminals.\n")
    return {"told": told}


def stop(decision: Decision) -> None:
    """Stop the machine. What was written is on its disk by then, or the disk does not answer any more."""
    print(f"The machine is stopped. {decision.stop}", flush=True)
    bounded.runs(("sync",), PATIENCE)
    if not any(bounded.runs(command, PATIENCE) for command in STOPS):
        raise SystemExit("The machine could not be stopped.")
