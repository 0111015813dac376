# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many tasks and modules a run of ansible-playbook starts, and how long each task takes.

run_counts.py FILE WORDS runs ansible-playbook with these words and writes that to the file. No callback plugin does it,
because what shows a token refuses to while one is enabled that it does not know.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

STEPS = {
    "v2_playbook_on_play_start": "play",
    "v2_playbook_on_task_start": "task",
    "v2_playbook_on_handler_task_start": "task",
    "v2_playbook_on_stats": "end",
}
# The most that a run may start: tasks and modules that are programs, and of a lab on EC2 calls of AWS's API and logins
# on its machine. Whoever makes a run need less lowers its bar.
BARS = {
    "local, first start": (116, 4),
    "local, nothing to change": (32, 0),
    "start, nothing to change": (54, 0),
    "url": (17, 0),
    # Runs share a connection, which ends when nobody has used it for a minute: a slow computer has more logins.
    # One of the calls asks for schedules where there is no role for them: a lab that another role deletes is not safe.
    "ec2, nothing to change": (75, 1, 9, 3),
    "ec2, url": (49, 1, 2, 2),
}


@dataclass(frozen=True)
class Counts:
    """What a run started. A task counts when it is skipped, too, since its conditions are evaluated in a process."""

    tasks: int
    modules: int
    # Each from its beginning up to that of the next one, the longest first.
    seconds: tuple[tuple[float, str], ...]


def counted(file: Path, command: list[str]) -> list[str]:
    """Return a command that does what one of ansible-playbook does, and counts."""
    file.unlink(missing_ok=True)
    return [sys.executable, os.fspath(Path(__file__).resolve()), os.fspath(file), *command[1:]]


def read(file: Path) -> Counts:
    events = [json.loads(line) for line in file.read_text().splitlines()]
    number = Counter(kind for kind, _when, _name in events)
    steps = [event for event in events if event[0] != "module"]
    seconds = [(after - before, name) for (kind, before, name), (_, after, _) in pairwise(steps) if kind == "task"]
    return Counts(number["task"], number["module"], tuple(sorted(seconds, reverse=True)))


def above_bars(what: str, file: Path, *more: int) -> str:
    """Return what a run started if its bars are lower."""
    found = read(file)
    numbers = (found.tasks, found.modules, *more)
    return f"{what}: {numbers}" if any(number > bar for number, bar in zip(numbers, BARS[what], strict=True)) else ""


def before(function: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    """Return a function that notes what it is called with."""

    @functools.wraps(function)
    def noted(*arguments: Any, **options: Any) -> Any:
        note(*arguments, **options)
        return function(*arguments, **options)

    return noted


def play(out: TextIO) -> None:
    """Run ansible-playbook, whose workers are forked from this process and write to the same file."""
    from ansible.cli.playbook import PlaybookCLI
    from ansible.executor.task_queue_manager import TaskQueueManager
    from ansible.plugins.action import ActionBase

    def write(kind: str, name: str) -> None:
        out.write(json.dumps([kind, time.monotonic(), name]) + "\n")

    def step(_manager: object, method: str, *about: Any, **_options: object) -> None:
        # Each role ends with one of the latter, which does nothing.
        if method in STEPS and getattr(about[0], "action", "") not in ("meta", "ansible.builtin.meta"):
            write(STEPS[method], about[0].get_name() if hasattr(about[0], "get_name") else "")

    def module(action: Any, module_name: str | None = None, *_more: object, **_options: object) -> None:
        write("module", module_name or action._task.action)

    TaskQueueManager.send_callback = before(TaskQueueManager.send_callback, step)
    ActionBase._execute_module = before(ActionBase._execute_module, module)
    PlaybookCLI.cli_executor(sys.argv)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a", buffering=1) as opened:
        sys.argv[:2] = ["ansible-playbook"]
        play(opened)
