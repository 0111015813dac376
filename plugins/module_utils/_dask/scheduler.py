# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a lab's Dask scheduler, queried in its own container."""

from __future__ import annotations

import typing as t

from .._common.errors import LabError
from .._common.humanize import amount
from .._common.names import BadAnswer, mapping, strict_json, whole_number

ROLE, WORKER_ROLE = "scheduler", "worker"
PORT, PAGE_PORT = 8786, 8787
# https://distributed.dask.org/en/stable/http_services.html
PAGE = f"http://127.0.0.1:{PAGE_PORT}/json/counts.json"
QUESTION = (
    "python3",
    "-I",
    "-c",
    "import urllib.request as u; o = u.build_opener(u.ProxyHandler({})); "
    f"print(o.open({PAGE!r}, timeout=3).read().decode())",
)
SECONDS = 5.0
MOST_BYTES = 1 << 16
MOST = 2**53 - 1
TASKS = ("processing", "waiting", "memory")


class Counts(t.NamedTuple):
    """The connected workers, and the tasks that are computed, that wait, and whose results are kept in memory."""

    workers: int
    processing: int
    waiting: int
    memory: int

    @property
    def tasks(self) -> int:
        return self.processing + self.waiting


class Client(t.Protocol):
    """What runs a command in a container: the engine's API, or the docker command."""

    def output_in_container(self, name: str, argv: t.Sequence[str], limit: int, seconds: float) -> bytes: ...


def parse_counts(answer: bytes) -> Counts:
    """Return the numbers in a scheduler's answer; BadAnswer for anything else."""
    found = mapping(strict_json(answer, MOST_BYTES))
    return Counts(*(whole_number(found.get(name), 0, MOST) for name in Counts._fields))


def ask(client: Client, container: str) -> Counts | None:
    """Return the counts of the scheduler in a container; None if it does not answer."""
    try:
        return parse_counts(client.output_in_container(container, QUESTION, MOST_BYTES, SECONDS))
    except (LabError, BadAnswer, ValueError):
        return None


def activity_rows(counts: Counts | None) -> list[dict[str, str]]:
    """Return a row for the tasks that would end with the scheduler, none if there are none or if that is not known."""
    if counts is None or not (counts.tasks or counts.memory):
        return []
    kept = f"{amount(counts.memory, 'result')} kept in memory" if counts.memory else ""
    computed = f"{amount(counts.tasks, 'task')} not finished" if counts.tasks else ""
    return [{"label": "Dask", "text": ", ".join(filter(None, [computed, kept])), "about": ""}]
