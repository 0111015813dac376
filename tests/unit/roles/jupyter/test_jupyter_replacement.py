# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container is never replaced without a question where something ends or is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fake_engine import container, fake_engine

TASKS = Path(__file__).parents[4] / "roles/jupyter/tasks"
IMAGE = os.environ.get("DESI_LAB_TEST_IMAGE", "desi-lab:0.1.0")
WROTE = {"Path": "/home/desi/spectra.fits", "Kind": 1}


@pytest.fixture
def confirm(tmp_path, play_tasks):
    """Confirm the replacement of a lab's container, without a terminal."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text("#!/bin/sh\nexit 64\n")
    (tmp_path / "bin/docker").chmod(0o755)

    def run(running, changes, *options, tasks_from="confirm_loss", **given):
        with fake_engine() as engine:
            engine.containers = [container("desi", "b2", running=running)]
            engine.answers[f"/containers/{'b2' * 32}/changes"] = changes
            return play_tasks(
                [{"include_role": {"name": "desi.lab.jupyter", "tasks_from": tasks_from}}],
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


def test_box_and_refusal_tell_whose_lab_it_is(confirm):
    given = {"jupyter_inspected": {"others": {"desi": "ann"}, "server": {"container": {}}}}
    code, shown = confirm(True, None, **given)
    assert code != 0
    assert shown.count("container desi-lab-desi (ann's)") == 2, shown


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
    question = actions.index("confirm_loss.yml")
    run = actions.index("{{ 'replace.yml' if __jupyter_is_replaced else 'container.yml' }}")
    assert question < run
    # A replacement that is rolled back leaves the tag where it was.
    assert run < [task["name"] for task in block].index("Tag the previous image")
    assert block[question]["when"] == "__jupyter_is_replaced and not jupyter_confirmed"


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_container_of_a_replacement_that_was_killed_is_put_back_first(play_tasks, tmp_path, options):
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/ran\nexit 64\n')
    (tmp_path / "docker").chmod(0o755)
    left = container("desi", "b2", running=False, name="desi-lab-desi-before")
    folder = {"exists": True, "isdir": True, "writeable": True}
    found = {"server": {"container": left, "network": "ours"}, "containers": [], "folder": folder}
    given = {"jupyter_name": "desi", "jupyter_folder": str(tmp_path), "jupyter_port_queried": True}
    code, shown = play_tasks(
        [{"include_role": {"name": "desi.lab.jupyter"}}],
        {**given, "jupyter_inspected": found, "jupyter_image": "x"},
        *options,
        PATH=f"{tmp_path}:{os.environ['PATH']}",
    )
    assert (code == 0) is bool(options), shown
    ran = tmp_path / "ran"
    assert (ran.read_text() if ran.exists() else "") == (
        "" if options else "rename desi-lab-desi-before desi-lab-desi\n"
    )


def docker(*words):
    done = subprocess.run(["docker", *words], check=False, capture_output=True, text=True, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.mark.docker
def test_container_is_put_back_where_no_other_can_be_made(play_tasks, tmp_path):
    name = f"test-{os.getpid()}"
    if not docker("image", "inspect", IMAGE):
        pytest.skip(f"the image {IMAGE} is not here; ./lab demo builds it")
    labels = ["--label", f"desi.lab.name={name}", "--label", "desi.lab.role=server"]
    try:
        run = ["run", "--detach", "--init", "--network", "none", "--entrypoint", "sleep"]
        assert docker(*run, "--name", f"desi-lab-{name}", *labels, IMAGE, "300")
        [before] = json.loads(docker("inspect", f"desi-lab-{name}"))
        found = {"server": {"container": before, "network": ""}, "containers": [], "folder": {}}
        given = {"jupyter_name": name, "jupyter_image_id": f"sha256:{'0' * 64}", "jupyter_folder": str(tmp_path)}
        tasks = [{"include_role": {"name": "desi.lab.jupyter", "tasks_from": "replace"}}]
        code, shown = play_tasks(tasks, {**given, "jupyter_inspected": found})
        assert code != 0, shown
        assert "so it is as it was" in shown
        [after] = json.loads(docker("inspect", f"desi-lab-{name}"))
        assert (after["Id"], after["State"]["Running"]) == (before["Id"], True)
    finally:
        docker("rm", "--force", f"desi-lab-{name}", f"desi-lab-{name}-before")


@pytest.mark.docker
def test_stopped_containers_join_a_network_again_that_was_gone(play_tasks):
    if not docker("image", "inspect", IMAGE):
        pytest.skip(f"the image {IMAGE} is not here; ./lab demo builds it")
    name = f"test-{os.getpid()}-n"
    net, others = f"desi-lab-{name}", [f"desi-lab-{name}-{role}" for role in ("sample", "scheduler")]
    try:
        docker("network", "create", net)
        for each in (net, *others):
            assert docker("run", "--detach", "--network", net, "--entrypoint", "sleep", "--name", each, IMAGE, "300")
            assert docker("kill", each)
        assert docker("network", "rm", net)
        assert not docker("start", net)
        include = {"include_role": {"name": "desi.lab.jupyter", "tasks_from": "network"}}
        given = {"jupyter_name": name, "__jupyter_rejoins": True, "ansible_python_interpreter": sys.executable}
        code, shown = play_tasks([include], given)
        assert code == 0, shown
        number = docker("network", "inspect", net, "--format", "{{.Id}}")
        for each in (net, *others):
            assert docker("start", each)
            assert (
                docker("inspect", each, "--format", "{{range .NetworkSettings.Networks}}{{.NetworkID}}{{end}}")
                == number
            )
    finally:
        docker("rm", "--force", net, *others)
        docker("network", "rm", net)


@pytest.mark.parametrize(
    ("had", "asked", "asks"),
    [(4 << 30, "1GiB", True), (0, "1GiB", True), (1 << 30, "2GiB", False), (8 << 30, "", False), (0, "", False)],
)
def test_less_memory_is_asked_for_where_somebody_wants_it_and_something_runs(confirm, had, asked, asks):
    before = {"HostConfig": {"Memory": had}, "State": {"Running": True}}
    given = {"jupyter_memory_limit": asked, "jupyter_engine": {"limits": ["memory"], "memory": 8 << 30, "cpus": 2}}
    given["jupyter_inspected"] = {"others": {}, "server": {"container": before}}
    code, shown = confirm(True, None, tasks_from="limits", **given)
    # The engine of this test changes nothing.
    assert code != 0, shown
    assert ("A kernel that holds more than that is killed at once" in shown) is asks, shown
    assert ("limit the container desi-lab-desi" in shown) is asks, shown
    assert ("Update the running container" in shown) is not asks, shown
