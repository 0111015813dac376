# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container is never replaced without a question where something ends or is lost."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml
from fake_engine import container, fake_engine

TASKS = Path(__file__).parents[4] / "roles/jupyter/tasks"
WROTE = {"Path": "/home/desi/spectra.fits", "Kind": 1}


@pytest.fixture
def confirm(tmp_path, play_tasks):
    """Confirm the replacement of a lab's container, without a terminal."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text("#!/bin/sh\nexit 64\n")
    (tmp_path / "bin/docker").chmod(0o755)

    def run(running, changes, *options, **given):
        with fake_engine() as engine:
            engine.containers = [container("desi", "b2", running=running)]
            engine.answers[f"/containers/{'b2' * 32}/changes"] = changes
            return play_tasks(
                [{"include_role": {"name": "desi.lab.jupyter", "tasks_from": "confirm_replacement"}}],
                {"ansible_python_interpreter": sys.executable, **given},
                *options,
                DOCKER_HOST=engine.endpoint,
                PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            )

    return run


@pytest.mark.security("A3")
@pytest.mark.parametrize(
    ("running", "changes", "named"),
    [(True, None, "nobody knows what runs in it"), (False, [WROTE], WROTE["Path"]), (False, "?", "does not tell")],
)
def test_what_ends_or_is_lost_is_named_and_refused_where_nobody_can_be_asked(confirm, running, changes, named):
    keep = {"jupyter_ways_to_keep": "To keep it: ./lab start."}
    differs = {"jupyter_differences": [{"label": "lab_release", "text": "edr -> dr1"}]}
    code, shown = confirm(running, changes, **keep, **differs)
    assert code != 0, shown
    for text in (named, "edr -> dr1", "nobody could be asked", "To keep it: ./lab start.", "-e lab_yes=true"):
        assert text in shown
    assert confirm(running, changes, jupyter_yes=True)[0] == 0


def test_a_container_that_is_stopped_and_empty_is_replaced_without_a_question(confirm):
    code, shown = confirm(False, [])
    assert code == 0
    assert "Replaced" not in shown


def test_check_mode_names_the_loss_and_asks_nothing(confirm):
    code, shown = confirm(False, [WROTE], "--check")
    assert code == 0, shown
    assert WROTE["Path"] in shown


@pytest.mark.security("A3")
def test_every_replacement_of_a_container_is_confirmed_first():
    block = next(task for task in yaml.safe_load((TASKS / "run.yml").read_text()) if "block" in task)["block"]
    actions = [task.get("ansible.builtin.include_tasks") for task in block]
    question, run = actions.index("confirm_replacement.yml"), actions.index("container.yml")
    assert question < run
    assert block[question]["when"] == "__jupyter_is_replaced and not jupyter_confirmed"
