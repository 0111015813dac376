# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The embedded image, run for real: name it in DESI_LAB_TEST_IMAGE."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

IMAGE = os.environ.get("DESI_LAB_TEST_IMAGE", "")
UID, GID = 4711, 4712
UNPRIVILEGED = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
MOUNTING = ("--cap-add", "SYS_ADMIN", "--device", "/dev/fuse", "--security-opt", "apparmor:unconfined")
URL = re.compile(r"http://127\.0\.0\.1:(?P<port>\d+)/lab\?token=(?P<token>[0-9a-f]{48})")

pytestmark = [pytest.mark.docker, pytest.mark.skipif(not IMAGE, reason="DESI_LAB_TEST_IMAGE names no image")]

# The least that the paths of NERSC lead to.
DATA = (
    "edr/spectro/redux/fuji/healpix/sv3/dark/269/26965",
    "dr1/spectro/redux/iron/healpix/main/dark/230/23040",
    "raw_spectro_data/20210101",
    "target/catalogs",
)


def docker(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run docker, both outputs together."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(["docker", *map(str, arguments)], check=check, timeout=120, **both)


def until(condition, seconds: float = 60):
    """Wait for the condition, give what it gave."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "that took too long"
        time.sleep(0.1)
    return result


class Lab:
    """A container of the image."""

    def __init__(self, *options: object, command: tuple[str, ...] = ()) -> None:
        self.name = f"desi-lab-test-{uuid.uuid4().hex[:12]}"
        self.started_at = ""
        docker("run", "-d", "--name", self.name, *options, IMAGE, *command)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_exception: object) -> None:
        docker("rm", "-f", "-v", self.name, check=False)

    def inspect(self, template: str) -> str:
        return docker("inspect", "-f", template, self.name).stdout.strip()

    def logs(self) -> str:
        """What this run of the container has printed: logs of runs before a restart do not count."""
        return docker("logs", "--since", self.inspect("{{.State.StartedAt}}"), self.name).stdout

    def url(self) -> re.Match[str]:
        def printed():
            assert self.inspect("{{.State.Running}}") == "true", self.logs()
            return URL.search(self.logs())

        return until(printed)

    def run(self, *command: str, user: str = f"{UID}:{GID}") -> str:
        return docker("exec", "-u", user, self.name, *command).stdout

    def server(self) -> dict[str, str]:
        """Who the server is, as the kernel says."""
        script = "cat $(dirname $(grep -lx jupyter-lab /proc/[0-9]*/comm))/status"
        lines = self.run("sh", "-c", script).splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two tiny releases in bucket layout."""
    folder = tmp_path_factory.mktemp("data")
    for name in DATA:
        (folder / name).mkdir(parents=True)
        (folder / name / "README").write_text("made up")
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def synced(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synced")
    os.chown(folder, UID, GID)
    return folder


@pytest.fixture(scope="module")
def lab(data, synced):
    """A lab as it runs by default: an arbitrary user, no capability at all, data bound read-only."""
    volumes = ("-v", f"{data}:/home/desidata:ro", "-v", f"{synced}:/home/synced")
    given = ("-e", "DESI_RELEASE=EDR", "-e", "DESI_LAB_SYNTHETIC=1", "-p", "127.0.0.1:0:8888")
    with Lab("--user", f"{UID}:{GID}", *UNPRIVILEGED, *volumes, *given) as lab:
        lab.url()
        yield lab


def test_the_server_has_no_powers_and_can_gain_none(lab):
    status = lab.server()
    assert status["Uid"].split() == [str(UID)] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert docker("exec", lab.name, "touch", "/home/desidata/edr/x", check=False).returncode != 0


def test_a_bare_number_has_a_name_a_home_and_every_kind_of_shell_its_environment(lab):
    assert lab.run("id", "-un") == "desi\n"
    assert lab.run("sh", "-c", "cd ~ && pwd && touch here") == "/home/desi\n"
    for shell in ("-c", "-lc", "-ic"):
        said = lab.run("bash", shell, "echo $DESI_ROOT $SPECPROD $DESI_RELEASE; command -v python")
        assert "/home/desidata/edr fuji edr\n/opt/desi/bin/python" in said
    assert "SYNTHETIC" in lab.run("bash", "-lic", "true")


def test_a_terminal_has_the_usual_tools_and_the_server_stands_in_the_folder_that_is_kept(lab):
    tools = "git vim nano less curl wget ssh rsync ps top file unzip"
    assert len(lab.run("bash", "-lc", f"command -v {tools}").splitlines()) == len(tools.split())
    assert (
        lab.run("sh", "-c", "readlink /proc/$(grep -lx jupyter-lab /proc/[0-9]*/comm | cut -d/ -f3)/cwd")
        == "/home/synced\n"
    )


def test_paths_of_nersc_lead_to_the_data(lab):
    below = (
        "edr/spectro/redux/fuji/healpix",
        "edr/spectro/data/20210101",
        "edr/target/catalogs",
        "dr1/target/catalogs",
    )
    paths = [*(f"public/{path}" for path in below), "spectro/data/20210101", "spectro/redux/fuji", "target/catalogs"]
    for root in ("/global/cfs/cdirs/desi", "/dvs_ro/cfs/cdirs/desi"):
        assert lab.run("ls", "-d", *(f"{root}/{path}/." for path in paths))


def test_the_health_check_tells_a_server_that_answers_from_one_that_does_not(lab):
    check = json.loads(lab.inspect("{{json .Config.Healthcheck.Test}}"))[1:]
    lab.run(*check)
    wrong = docker("exec", "-e", "JUPYTER_PORT=9", lab.name, *check, check=False)
    assert wrong.returncode == 1


# What stands in for the dashboard shows what it was asked with.
ECHO = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Echo(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path}\\n{self.headers}".encode())
HTTPServer(("127.0.0.1", 8787), Echo).serve_forever()
"""
# By each of these, the extensions whose parts the lab uses would lead elsewhere.
ELSEWHERE = (
    "/proxy/8888/api",
    "/proxy/localhost:8888/api",
    "/proxy/scheduler:8786/",
    "/proxy/scheduler:87870/",
    "/proxy/scheduler%3A8787/status",
    "/proxy/absolute/scheduler:8787/status",
    "/proxy/169.254.169.254:80/latest/meta-data/",
    "/proxy/scheduler:8787@169.254.169.254:80/",
    "/proxy/absolute/http://169.254.169.254/",
    "/dask/dashboard-check/http%3A%2F%2F169.254.169.254%2F",
    "/dask/dashboard/0-0-0-0-0/status",
    "/server-proxy/servers-info",
)
PANEL = '"name": "dask-labextension"'
WEBSOCKET = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "eA==",
}


def answer(lab: Lab, path: str, **headers: str) -> tuple[int, str]:
    """What a lab's server answers at last."""
    address = docker("port", lab.name, "8888").stdout.split()[0]
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://{address}{path}", headers=headers)) as got:
            return got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_jupyter_leads_to_the_dashboard_of_the_labs_cluster_and_nowhere_else(lab, data):
    mine = {"Authorization": f"token {lab.url()['token']}"}
    assert answer(lab, "/proxy/scheduler:8787/status", **mine)[0] == 404
    assert PANEL not in answer(lab, "/lab", **mine)[1]
    # As soon as it has workers, and as long.
    docker("exec", "--user", "0", lab.name, "sh", "-c", "mkdir -p /etc/dask && touch /etc/dask/desi-lab.yaml")
    shown = answer(lab, "/lab", **mine)[1]
    docker("exec", "--user", "0", lab.name, "rm", "/etc/dask/desi-lab.yaml")
    assert PANEL in shown
    assert PANEL not in answer(lab, "/lab", **mine)[1]
    given = ("--add-host", "scheduler:127.0.0.1", "-e", "DASK_SCHEDULER_ADDRESS=tls://scheduler:8786")
    volume = ("-v", f"{data}:/home/desidata:ro", "-p", "127.0.0.1:0:8888")
    with Lab("--user", f"{UID}:{GID}", *UNPRIVILEGED, *given, *volume) as mine:
        docker("exec", "-d", mine.name, "python", "-c", ECHO)
        known = {"Authorization": f"token {mine.url()['token']}", "Cookie": "username-127-0-0-1-8888=secret"}
        until(lambda: answer(mine, "/proxy/scheduler:8787/status", **known)[0] == 200)
        path, *seen = answer(mine, "/proxy/scheduler:8787/a/b?c=d", **known)[1].splitlines()
        assert path == "/a/b?c=d"
        assert not {"authorization", "cookie"} & {line.partition(":")[0].lower() for line in seen}
        token = mine.url()["token"]
        assert answer(mine, f"/proxy/scheduler:8787/a?token={token}&c=d")[1].startswith("/a?c=d\n")
        assert answer(mine, "/dask/clusters", **known) == (200, "[]")
        plots = json.loads(answer(mine, "/proxy/scheduler:8787/individual-plots.json", **known)[1])
        served = mine.run(
            "python", "-c", "from distributed.dashboard.scheduler import applications; print(*applications)"
        )
        assert plots["Individual Task Stream"] == "/individual-task-stream"
        assert set(plots.values()) <= set(served.split())
        found = {
            path: (answer(mine, path, **known)[0], answer(mine, path, **known, **WEBSOCKET)[0]) for path in ELSEWHERE
        }
        assert found == dict.fromkeys(ELSEWHERE, (404, 404))
        assert "This lab wants its token" in answer(mine, "/proxy/scheduler:8787/status")[1]
        assert answer(mine, "/proxy/scheduler:8787/status", **WEBSOCKET)[0] == 403
        # Dask's scheduler has a proxy of its own, which would open WebSockets to any host.
        routes = "import dask, distributed; print(dask.config.get('distributed.scheduler.http.routes'))"
        said = mine.run("python", "-c", routes)
        assert "distributed.http.scheduler.json" in said
        assert "distributed.http.scheduler.info" not in said
        assert "proxy" not in said


def test_orphans_are_reaped(lab):
    lab.run("sh", "-c", "(sleep 0.1 & sleep 0.1 &)")
    until(lambda: "(sleep)" not in lab.run("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null"), 10)


def test_a_package_of_ones_own_can_be_installed_without_being_root(lab):
    said = lab.run("bash", "-c", "pip install --dry-run --no-deps --no-index /nowhere 2>&1; python -m site --user-site")
    assert "/home/desi/.local/lib/python3.11/site-packages" in said
    assert lab.run("python", "-c", "import site; print(site.ENABLE_USER_SITE)") == "True\n"


def test_a_restart_brings_the_same_lab_back_and_a_stop_is_quick(data):
    with Lab("--user", f"{UID}:{GID}", *UNPRIVILEGED, "-v", f"{data}:/home/desidata:ro") as lab:
        first = lab.url()["token"]
        docker("restart", lab.name)
        assert lab.url()["token"] == first
        assert lab.run("ls", "/global/cfs/cdirs/desi/public/edr/target") == "catalogs\n"
        before = time.monotonic()
        docker("stop", lab.name)
        assert time.monotonic() - before < 5
        assert lab.inspect("{{.State.ExitCode}}") == "0"


@pytest.mark.parametrize("user", ["0:0", "501:20"])
def test_users_that_need_special_care_get_their_lab_too(data, user):
    with Lab("--user", user, *UNPRIVILEGED, "-v", f"{data}:/home/desidata:ro") as lab:
        lab.url()
        assert lab.server()["Uid"].split()[0] == user.split(":")[0]
        assert lab.run("bash", "-c", "touch ~/x && echo ${USER:?}", user=user).strip()


@pytest.mark.parametrize(
    ("uid", "expected"), [(None, "1000"), (UID, str(UID)), (0, "0")], ids=["unnamed", "named", "root"]
)
def test_root_becomes_the_person_and_loses_its_powers(data, uid, expected):
    options = () if uid is None else ("-e", f"NB_UID={uid}", "-e", f"NB_GID={uid}")
    with Lab(*options, "-v", f"{data}:/home/desidata:ro") as lab:
        lab.url()
        status = lab.server()
        assert status["Uid"].split() == [expected] * 4
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("-e", "DESI_RELEASE=dr9"), 2, "edr, dr1, dr2"),
        (("-e", "DESI_RELEASE=dr2"), 3, "dr1, edr, raw_spectro_data, target"),
        (("-e", "DESI_DATA=/home/nothing"), 4, "--cap-add SYS_ADMIN"),
        (("--read-only",), 1, "Read-only file system"),
    ],
)
def test_what_cannot_work_ends_at_once_with_three_plain_lines(data, options, code, said):
    base = ("--rm", "--user", f"{UID}:{GID}", *UNPRIVILEGED, "-v", f"{data}:/home/desidata:ro")
    done = docker("run", *base, *options, IMAGE, check=False)
    assert done.returncode == code
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["What", "Why", "Do"]
    assert said in done.stdout
    assert "Traceback" not in done.stdout


def test_everything_that_the_lab_promises_can_be_imported():
    modules = (
        "bokeh desi_lab_dashboard jupyterlab jupyter_resource_usage "
        "numpy scipy astropy fitsio pandas matplotlib.pyplot healpy dask.array "
        "distributed sparcl.client h5py numba desiutil.log desispec.io desispec.coaddition desitarget.targetmask "
        "desimodel.footprint redrock.templates redrock.zfind speclite.filters specsim.simulator"
    )
    code = f"import importlib\nfor name in {modules.split()!r}: importlib.import_module(name)"
    docker("run", "--rm", "--user", f"{UID}:{GID}", "--entrypoint", "python", IMAGE, "-c", code)
    assert "No broken" in docker("run", "--rm", "--entrypoint", "pip", IMAGE, "check").stdout


@pytest.fixture
def bucket(data):
    """An S3 server with the data in bucket desidata, on a network of its own; gives network and endpoint."""
    network = f"desi-lab-test-{uuid.uuid4().hex[:12]}"
    docker("network", "create", network)
    server = f"{network}-s3"
    serve = ("serve", "s3", "/buckets", "--addr", ":8333", "--read-only")
    volume = ("-v", f"{data}:/buckets/desidata:ro", "--entrypoint", "rclone")
    try:
        docker("run", "-d", "--name", server, "--network", network, *volume, IMAGE, *serve)
        until(lambda: "Starting" in docker("logs", server).stdout or "serving" in docker("logs", server).stdout.lower())
        yield network, f"http://{server}:8333"
    finally:
        docker("rm", "-f", server, check=False)
        docker("network", "rm", network, check=False)


@pytest.mark.fuse
@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="no /dev/fuse")
def test_a_container_that_may_mount_streams_the_bucket_and_then_steps_down(bucket, synced):
    network, endpoint = bucket
    known = {"DESI_S3_ENDPOINT": endpoint, "NB_UID": UID, "NB_GID": GID, "DESI_RELEASE": "dr1"}
    given = [word for name, value in known.items() for word in ("-e", f"{name}={value}")]
    with Lab("--network", network, *MOUNTING, *given, "-v", f"{synced}:/home/synced") as lab:
        lab.url()
        status = lab.server()
        assert status["Uid"].split() == [str(UID)] * 4
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert "rclone" in lab.run("grep", " /home/desidata ", "/proc/mounts")
        assert docker("exec", lab.name, "touch", "/home/desidata/dr1/x", check=False).returncode != 0
        assert lab.run("cat", f"/home/desidata/{DATA[1]}/README") == "made up"
        docker("restart", lab.name)
        lab.url()
        assert "iron" in lab.run("ls", "/global/cfs/cdirs/desi/spectro/redux")
        before = time.monotonic()
        docker("stop", lab.name)
        assert time.monotonic() - before < 5


@pytest.mark.fuse
@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="no /dev/fuse")
def test_a_bucket_that_cannot_be_reached_ends_the_start():
    endpoint = "DESI_S3_ENDPOINT=http://ann:hunter2@127.0.0.1:9"
    done = docker("run", "--rm", *MOUNTING, "-e", endpoint, IMAGE, check=False)
    assert done.returncode == 4
    assert "Nothing answers at http://127.0.0.1:9" in done.stdout
    assert "hunter2" not in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[-3:]] == ["What", "Why", "Do"]
