# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the watcher learns of a real Jupyter server in a container: name its image in DESI_LAB_TEST_IMAGE."""

import os
import socket
import subprocess
import time
import uuid

import pytest
from desi_watch import engine, notification, observation, processes, server

IMAGE = os.environ.get("DESI_LAB_TEST_IMAGE", "")
DOCKER = "/var/run/docker.sock"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A real Jupyter server in a container that is labeled as a lab's, which nobody has a browser at."""
    if not IMAGE:
        pytest.skip("DESI_LAB_TEST_IMAGE names no image")
    name, directory = f"desi-lab-test-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("synced")
    labels = {"desi.lab.test": "1", "desi.lab.role": "server", "desi.lab.name": name, "desi.lab.folder": directory}
    command = ["docker", "run", "--detach", "--name", name, "--user", "4711:4711", "--env", "HOME=/tmp", "--publish"]
    command += ["127.0.0.1::8888", *(f"--label={key}={value}" for key, value in labels.items())]
    subprocess.run([*command, "--entrypoint", "jupyter", IMAGE, "lab", "--ip=0.0.0.0"], check=True, capture_output=True)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                found = next(each for each in engine.labs(DOCKER) if each.name == name)
                with server.network_of(found.pid):
                    server.query(server.server_of(found.pid, found.port), "api/kernels")
                break
            except (OSError, LookupError):
                assert time.monotonic() < end
                time.sleep(0.2)
        yield found
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], check=False, capture_output=True)


def observe_lab(lab, before=None):
    """Look at one lab alone, as the watcher does; return what was seen of it, and the marks."""
    found = observation.Observation(before or {})
    with found.part("the lab"):
        found._server(lab)
    return found.active, found.doubts, found.marks


def python_in(lab, code):
    """Run Python in a lab's container, which reaches its server as any client would."""
    pid = subprocess.run(
        ["docker", "exec", lab.name, "python3", "-c", code], check=True, capture_output=True, text=True
    )
    return pid.stdout


CLIENT = """
import json, urllib.request, glob
told = json.load(open(glob.glob("/tmp/.local/share/jupyter/runtime/jpserver-*.json")[0]))
def ask(method, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:8888/{path}", method=method,
        data=None if body is None else json.dumps(body).encode(), headers={"Authorization": f"token {told['token']}"})
    return json.loads(urllib.request.urlopen(request).read() or b"null")
"""
# A client of the kernel's own, past the server, which is told by the kernel all the same.
WORK = (
    CLIENT
    + """
from jupyter_client import BlockingKernelClient
kernel = ask("POST", "api/kernels", {"name": "python3"})
client = BlockingKernelClient()
client.load_connection_file(f"/tmp/.local/share/jupyter/runtime/kernel-{kernel['id']}.json")
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute("import time; time.sleep(600)")
client.get_iopub_msg(timeout=60)
"""
)


@pytest.mark.docker
class TestARealServer:
    """In order: each begins with what the one before has left."""

    def test_a_server_that_nobody_uses_is_asked_and_does_nothing(self, lab):
        assert observe_lab(lab)[:2] == ([], [])

    def test_a_page_that_is_open_is_a_browser_and_one_that_was_closed_is_not(self, lab):
        port = subprocess.run(["docker", "port", lab.name, "8888"], check=True, capture_output=True, text=True).stdout
        with socket.create_connection(("127.0.0.1", int(port.rpartition(":")[2]))) as browser:
            browser.sendall(b"GET /api HTTP/1.1\r\nHost: lab\r\n\r\n")
            assert browser.recv(100)
            assert observe_lab(lab)[0] == ["a browser is connected"]
        wait_for(lambda: observe_lab(lab)[0] == [])

    def test_a_kernel_that_works_is_busy_though_nobody_is_connected(self, lab):
        python_in(lab, WORK)
        wait_for(lambda: observe_lab(lab)[0] == ["a kernel is busy"])

    def test_a_kernel_that_was_interrupted_was_used_and_then_rests(self, lab):
        before = observe_lab(lab)[2]
        python_in(
            lab, CLIENT + "[ask('POST', f\"api/kernels/{each['id']}/interrupt\") for each in ask('GET', 'api/kernels')]"
        )
        wait_for(lambda: observe_lab(lab, before)[0] == ["a kernel was used"])
        assert observe_lab(lab, observe_lab(lab)[2])[0] == []

    def test_a_dask_scheduler_in_a_kernel_that_rests_is_heard_where_only_the_container_hears_it(self, lab):
        begun = subprocess.Popen(["docker", "exec", lab.name, "python3", "-c", DASK])
        try:
            wait_for(lambda: observe_lab(lab)[0] == ["Dask computes"], 60)
        finally:
            begun.kill()
            subprocess.run(["docker", "exec", lab.name, "pkill", "-f", "LocalCluster"], check=False)
            begun.wait()

    def test_a_terminal_of_the_lab_is_no_use_at_its_prompt_and_is_told_in_its_own_device(self, lab):
        python_in(lab, CLIENT + 'ask("POST", "api/terminals")')
        inside = server.residents(lab.pid)
        leaders = [each for each in observation.terminals() if each.pid in inside]
        assert len(leaders) == 1
        wait_for(lambda: processes.commands(leaders) == [])
        assert notification.notify_terminals(leaders, "told") == 1

    def test_a_server_that_is_gone_is_a_doubt(self, lab):
        subprocess.run(["docker", "kill", lab.name], check=True, capture_output=True)
        active, doubts, _marks = observe_lab(lab)
        assert active == []
        assert doubts


DASK = """
import time
from dask.distributed import Client, LocalCluster
with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":8787") as cluster:
    with Client(cluster) as client:
        waits = client.submit(time.sleep, 300)
        time.sleep(300)
"""


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
