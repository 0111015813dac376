# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container that mounts where the host cannot: what it may do, and whose it is."""

import os
import sys
from pathlib import Path

import pytest
import yaml
from fake_engine import container, fake_engine

TASKS = Path(__file__).parents[4] / "roles/data/tasks"
NAME = "desi-lab-mount-lab-1-mounter"

pytestmark = pytest.mark.security("L8")


@pytest.fixture
def play(tmp_path, play_tasks):
    """Run tasks of the role against an engine whose container has these labels; return what they changed, too.

    With ``new`` the container is there from when it has been asked for once.
    """

    def run(tasks, labels, new=False):
        given = {
            "__data_mounter": {"name": NAME},
            "__data_from": "s3://lab",
            "__data_labs": {"engine": True},
            "__data_unused": str(tmp_path / NAME.removeprefix("desi-lab-mount-")),
            "ansible_python_interpreter": sys.executable,
        }
        include = {"include_role": {"name": "desi.lab.data", "tasks_from": tasks}}
        made = {**container("", name=NAME, Mounts=[]), "Config": {"Labels": labels}}
        with fake_engine() as engine:

            def listed(handler):
                engine.answers.pop("/containers/json")
                engine.containers = [made]
                handler.send_response(200)
                handler.end_headers()
                handler.wfile.write(b"[]")

            made["HostConfig"]["AutoRemove"] = False
            engine.containers = [] if new else [made]
            engine.answers |= {"/containers/json": listed} if new else {}
            code, shown = play_tasks([include], given, DOCKER_HOST=engine.endpoint)
            return code, shown, engine.changes

    return run


FOREIGN = [{}, {"desi.lab.role": "server"}]
OURS = {"desi.lab.role": "mounter"}


@pytest.mark.parametrize("labels", FOREIGN)
def test_container_of_somebody_else_with_that_name_is_refused_by_name(play, labels):
    code, shown, changes = play("mounter", labels)
    assert (code, changes) == (2, [])
    assert f"There is a container {NAME} that DESI Lab did not make." in shown


def test_mounter_of_ours_is_not_refused(play):
    assert "did not make" not in play("mounter", OURS)[1]


@pytest.mark.parametrize(
    ("labels", "new", "goes"),
    [(FOREIGN[0], True, False), (OURS, True, True), (OURS, False, False)],
)
def test_only_a_container_with_our_label_that_was_not_there_before_is_rolled_back(play, labels, new, goes):
    code, shown, changes = play("sidecar", labels, new)
    assert (code, any("DELETE /containers/" in change for change in changes)) == (2, goes), shown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
@pytest.mark.parametrize(("labels", "goes"), [(FOREIGN[1], False), (OURS, True)])
def test_only_a_container_with_our_label_is_removed(play, labels, goes):
    code, shown, changes = play("unmount", labels)
    assert (code, any(change.startswith("DELETE") for change in changes)) == (0, goes), shown
    assert goes or changes == []


def test_mounter_may_mount_and_nothing_else():
    tasks = yaml.safe_load((TASKS / "mounter.yml").read_text())
    (container,) = [
        task["community.docker.docker_container"] for task in tasks if "community.docker.docker_container" in task
    ]
    assert (container["cap_drop"], container["capabilities"]) == (["ALL"], ["SYS_ADMIN"])
    assert "no-new-privileges:true" in container["security_opts"]
    assert "{'desi.lab.role': 'mounter'}" in container["labels"]
    assert not container.get("privileged")
