# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.names import BadAnswer
from ansible_collections.desi.lab.plugins.module_utils._dask.scheduler import (
    QUESTION,
    Counts,
    activity_rows,
    ask,
    parse_counts,
)

ROOT = Path(__file__).parents[5]
# As a scheduler of distributed 2026.8.0 answers, among much else.
ANSWER = {"clients": 1, "cores": 2, "idle": 0, "memory": 3, "processing": 2, "tasks": 7, "waiting": 5, "workers": 2}


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


@pytest.mark.security("L3")
@pytest.mark.parametrize("what", ["question", "wait", "retire"])
def test_no_module_of_the_working_directory_runs_in_the_scheduler(tmp_path, what):
    for module in ("json", "signal", "urllib", "time", "__future__"):
        (tmp_path / f"{module}.py").write_text("print('PLANTED')\n")
    (tmp_path / "person").mkdir()
    # Dask may be among a person's own packages.
    (tmp_path / "person/dask.py").write_text("raise SystemExit(7)\n")
    files = ROOT / "roles/dask/files"
    given = {
        "question": [*QUESTION[1:]],
        "wait": ["-I", "-c", (files / "wait.py").read_text(), "1", "0"],
        "retire": ["-c", (files / "retire.py").read_text(), "1"],
    }[what]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "person")}
    done = subprocess.run(
        [sys.executable, *given], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "PLANTED" not in done.stdout
    assert (done.returncode == 7) is (what == "retire"), done.stderr


def test_the_tasks_run_what_needs_no_packages_isolated():
    (connected, *_others) = yaml.safe_load((ROOT / "roles/dask/tasks/connected.yml").read_text())
    assert connected["community.docker.docker_container_exec"]["argv"][1] == "-I"
