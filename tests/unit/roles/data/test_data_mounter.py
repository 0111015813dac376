# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container that mounts where the host cannot: what it may do, and whose it is."""

import http.server
import json
import os
import socketserver
import sys
import threading
from pathlib import Path

import pytest
import yaml

TASKS = Path(__file__).parents[4] / "roles/data/tasks"
NAME = "desi-lab-mount-lab-1-mounter"

pytestmark = pytest.mark.security("L8")


class Engine(http.server.BaseHTTPRequestHandler):
    """An engine with one container, whose label the server knows; it notes what it is told to change.

    With ``new`` the container is there from when it has been asked for once.
    """

    def answer(self, status, content=None):
        body = json.dumps(content).encode() if content is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        container = {"Id": "c1", "Name": f"/{NAME}", "Image": "i1", "Config": {"Labels": self.server.labels}}
        container |= {
            "State": {"Running": True, "Status": "running"},
            "HostConfig": {"AutoRemove": False},
            "Mounts": [],
        }
        if self.path.endswith("/version"):
            self.answer(200, {"ApiVersion": "1.44", "MinAPIVersion": "1.24", "Version": "25.0"})
        elif self.server.removed or self.server.new:
            self.server.new = False
            self.answer(200, []) if "/containers/json" in self.path else self.answer(404, {"message": "none"})
        elif "/containers/json" in self.path:
            self.answer(200, [{"Id": "c1", "Names": [f"/{NAME}"]}])
        elif "/containers/" in self.path:
            self.answer(200, container)
        else:
            self.answer(404, {"message": "none"})

    def change(self):
        self.server.changes.append(f"{self.command} {self.path}")
        self.server.removed = self.command == "DELETE"
        self.answer(204)

    do_POST = do_DELETE = change

    def address_string(self):
        return "socket"

    def log_message(self, *_words):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path, labels, new):
        super().__init__(path, Engine)
        self.labels, self.changes, self.removed, self.new = labels, [], False, new


@pytest.fixture
def play(tmp_path, play_tasks):
    """Run tasks of the role against an engine whose container has these labels; return what it changed, too."""
    servers = []

    def run(tasks, labels, new=False):
        servers.append(Server(str(tmp_path / "engine.sock"), labels, new))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        given = {
            "__data_mounter": {"name": NAME},
            "__data_from": "s3://lab",
            "__data_labs": {"engine": True},
            "__data_unused": str(tmp_path / NAME.removeprefix("desi-lab-mount-")),
            "ansible_python_interpreter": sys.executable,
        }
        include = {"include_role": {"name": "desi.lab.data", "tasks_from": tasks}}
        return *play_tasks([include], given, DOCKER_HOST=f"unix://{tmp_path}/engine.sock"), servers[-1].changes

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


FOREIGN = [{}, {"desi.lab.role": "server"}, {"role": "mounter"}]
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
    [(FOREIGN[0], True, False), (OURS, True, True), (FOREIGN[0], False, False), (OURS, False, False)],
)
def test_only_a_container_with_our_label_that_was_not_there_before_is_rolled_back(play, labels, new, goes):
    code, _shown, changes = play("sidecar", labels, new)
    assert (code, any("DELETE /" in change and "/containers/" in change for change in changes)) == (2, goes)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
@pytest.mark.parametrize(("labels", "goes"), [*((labels, False) for labels in FOREIGN), (OURS, True)])
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
