# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.names import BadAnswer
from ansible_collections.desi.lab.plugins.module_utils._dask.scheduler import (
    QUESTION,
    Counts,
    activity_rows,
    ask,
    parse_counts,
)

# As a scheduler of distributed 2026.8.0 answers.
ANSWER = {
    "bytes": 0,
    "clients": 1,
    "cores": 2,
    "erred": 0,
    "hosts": 2,
    "idle": 0,
    "memory": 3,
    "processing": 2,
    "released": 0,
    "saturated": 0,
    "tasks": 7,
    "unrunnable": 0,
    "waiting": 5,
    "waiting_data": 0,
    "workers": 2,
}


class Client:
    """Stands in for the engine: what its command in a container prints, or how it fails."""

    def __init__(self, said):
        self.said, self.asked = said, []

    def output_in_container(self, name, argv, limit, seconds):
        self.asked.append((name, argv))
        if isinstance(self.said, LabError):
            raise self.said
        return self.said


def test_scheduler_says_in_its_container_what_it_does():
    client = Client(json.dumps(ANSWER).encode())
    counts = ask(client, "c1")
    assert (counts, counts.tasks) == (Counts(workers=2, processing=2, waiting=5, memory=3), 7)
    assert client.asked == [("c1", QUESTION)]


@pytest.mark.parametrize(
    "said", [b"", b"[]", b"{", b"\xff", json.dumps({**ANSWER, "workers": "2"}).encode(), LabError("a", "b", "c")]
)
def test_scheduler_that_says_nothing_sensible_does_not_answer(said):
    assert ask(Client(said), "c1") is None


@pytest.mark.parametrize("value", [-1, True, 2**60, 1.5, None, "7", [7]])
def test_number_is_a_whole_one_of_a_sensible_size(value):
    with pytest.raises(BadAnswer):
        parse_counts(json.dumps({**ANSWER, "waiting": value}).encode())


@pytest.mark.parametrize(
    ("counts", "rows"),
    [
        (None, []),
        (Counts(2, 0, 0, 0), []),
        (Counts(2, 1, 0, 0), ["1 task not finished"]),
        (Counts(2, 1, 4, 1), ["5 tasks not finished, 1 result kept in memory"]),
        (Counts(0, 0, 0, 2), ["2 results kept in memory"]),
    ],
)
def test_tasks_and_results_are_what_ends_with_a_scheduler(counts, rows):
    assert [(row["label"], row["text"]) for row in activity_rows(counts)] == [("Dask", text) for text in rows]
