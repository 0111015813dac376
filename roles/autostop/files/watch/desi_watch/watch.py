# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watcher: observe, decide, notify, record, and stop the machine if that was decided."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from desi_watch import bounded, engine, notification, settings, state
from desi_watch.decision import Decision, Now, Seen, decide
from desi_watch.observation import clocks, observe, terminals

STATE = "state.json"
RECORD = "memory.json"
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
    "directories": [],
    "marks": {},
}


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Return the command-line arguments, which the unit gives."""
    parser = argparse.ArgumentParser(prog="desi_watch", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the configuration file")
    parser.add_argument("--state", type=Path, required=True, help="the directory of what everybody may read")
    parser.add_argument(
        "--memory", dest="runtime", type=Path, required=True, help="the directory of what the next boot must not know"
    )
    parser.add_argument("--docker", default=engine.SOCKET, help="Docker's socket")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Observe once, and act on it."""
    where = arguments(given)
    chosen, wrong = settings.read(where.settings)
    now = clocks()
    record, marks = state.read_record(state.read_document(where.runtime / RECORD))
    # Before anything is decided: who will not remember a warning must not wait for it.
    remembers = state.write_document(where.runtime / PROBE, {}, 0o600)
    found = bounded.result(lambda: observe(marks, chosen, now, where.docker), PATIENCE) or UNSEEN
    doubts = (*((wrong,) if wrong else ()), *found["doubts"])
    after, decision = decide(record, Seen(tuple(found["active"]), doubts, found["touched"], remembers), chosen, now)
    state.write_document(where.runtime / RECORD, state.as_document(after, found["marks"]), 0o600)
    before = state.read_document(where.state / STATE).get("last_stop")
    state.write_document(where.state / STATE, state.public_state(decision, after, now, before), 0o644)
    notified = bounded.result(lambda: notify(list(map(Path, found["directories"])), decision, now), PATIENCE)
    print(*(notified or {"lines": ["Nobody could be told."]})["lines"], sep="\n", end="", flush=True)
    if decision.stop:
        stop(decision)
    return 0


def notify(directories: Sequence[Path], decision: Decision, now: Now) -> dict[str, list[str]]:
    """Notify people, update the file in their folders, and return the lines for the journal."""
    notification.update_files(directories, None if decision.stop else decision.shown)
    lines = []
    for notice in decision.news:
        number = notification.notify_terminals(terminals(), notification.terminal_text(notice, now))
        when, why = notification.time_text(notice), notification.reason(notice)
        lines.append(f"The lab stops at {when}, {why}; told to {number} terminals.\n")
    return {"lines": lines}


def stop(decision: Decision) -> None:
    """Stop the machine. What was written is on its disk by then, or the disk does not answer any more."""
    print(f"The machine is stopped. {decision.stop}", flush=True)
    bounded.succeeds(("sync",), PATIENCE)
    if not any(bounded.succeeds(command, PATIENCE) for command in STOPS):
        raise SystemExit("The machine could not be stopped.")
