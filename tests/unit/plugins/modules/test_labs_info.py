# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shlex
import subprocess
import time
import urllib.request
import uuid

import pytest
from loopback import free_port

from ansible_collections.desi.lab.plugins.module_utils._lab import probe as lab_probe
from ansible_collections.desi.lab.plugins.modules import labs_info

LOOPBACK = "127.0.0.1"


@pytest.fixture
def run(call, tmp_path):
    def run_module(**arguments):
        code, result = call(labs_info, **{"mounts": str(tmp_path / "mounts"), **arguments})
        assert code == 0
        return result

    return run_module


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker command that tells of the containers and networks that it is given."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def install(containers=(), networks=(), script="", inspect_code=0, images=""):
        document = tmp_path / "containers.json"
        document.write_text(json.dumps(containers))
        program = tmp_path / "bin" / "docker"
        ids = " ".join(item["Id"] for item in containers)
        lines = "".join(f"{name} {lab}\n" for name, lab in networks)
        program.write_text(
            "#!/bin/sh\n"
            f"{script}\n"
            'case "$*" in\n'
            f"'ps --all --quiet --filter label=desi.lab.name') printf '%s\\n' {ids} ;;\n"
            f"'container inspect {ids}') cat {document}; exit {inspect_code} ;;\n"
            f"'network ls --filter label=desi.lab.name --format '*) printf %s {shlex.quote(lines)} ;;\n"
            f"'image ls --no-trunc --format '*) printf %s {shlex.quote(images)} ;;\n"
            '*) echo unexpected: "$*" >&2; exit 64 ;;\nesac\n'
        )
        program.chmod(0o755)

    return install


def container(name, role="server", running=True, port=None, mount="", address=LOOPBACK):
    bindings = {"8888/tcp": [{"HostIp": address, "HostPort": str(port)}]} if port else {}
    labels = {"desi.lab.name": name, "desi.lab.role": role, "desi.lab.release": "edr", "desi.lab.text": "read-only"}
    return {
        "Id": f"{name}{role}",
        "Name": f"/desi-lab-{name}{'' if role == 'server' else '-' + role}",
        "Config": {"Labels": {**labels, **({"desi.lab.mount": str(mount)} if mount else {})}},
        "HostConfig": {"PortBindings": bindings},
        "State": {
            "Running": running,
            "Status": "running" if running else "exited",
            "StartedAt": "s",
            "FinishedAt": "f",
        },
    }


def mount(folder, *entries):
    for name in entries:
        (folder / ".bucket" / name).mkdir(parents=True)
    (folder / ".bucket").mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("check_mode", [False, True])
def test_host_without_labs_has_none(run, docker, check_mode):
    docker()
    result = run(_ansible_check_mode=check_mode)
    assert not result["changed"]
    assert (result["engine"], result["reason"]) == (True, "")
    assert [result[key] for key in ("labs", "containers", "networks", "mounts")] == [[], [], [], []]


def test_labs_are_told_by_name_with_all_that_belongs_to_them(run, docker, tmp_path, jupyter):
    used = mount(tmp_path / "mounts" / "desidata-1", "edr")
    unused = mount(tmp_path / "mounts" / "other-2")
    (tmp_path / "mounts" / "notes.txt").touch()
    server = jupyter()
    containers = [container("zeta", running=False, port=9), container("desi", port=server.port, mount=used)]
    docker(
        [*containers, container("desi", "sample", port=8333)], [("desi-lab-desi", "desi"), ("desi-lab-zeta", "zeta")]
    )
    quiet, result = run(ask=False), run()
    rows = [
        [(lab["name"], lab["state"], lab["mount_answers"], lab["server_answers"]) for lab in each["labs"]]
        for each in (quiet, result)
    ]
    assert rows == [
        [("desi", "running", None, None), ("zeta", "exited", None, None)],
        [("desi", "running", True, True), ("zeta", "exited", None, None)],
    ]
    assert [path for path, _headers in server.asked] == ["/api"]
    assert result["containers"] == [
        {"name": "desi-lab-zeta", "lab": "zeta", "role": "server"},
        {"name": "desi-lab-desi", "lab": "desi", "role": "server"},
        {"name": "desi-lab-desi-sample", "lab": "desi", "role": "sample"},
    ]
    assert result["networks"] == [{"name": "desi-lab-desi", "lab": "desi"}, {"name": "desi-lab-zeta", "lab": "zeta"}]
    assert result["mounts"] == [
        {"path": str(used), "labs": ["desi"], "made_for": []},
        {"path": str(unused), "labs": [], "made_for": []},
    ]


def test_container_that_went_away_in_the_meantime_does_not_hide_the_others(run, docker):
    docker([container("desi")], inspect_code=1)
    result = run(ask=False)
    assert result["engine"]
    assert [lab["name"] for lab in result["labs"]] == ["desi"]


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ("Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?", "not running"),
        ("permission denied while trying to connect to the docker API at unix:///x.sock", "no right"),
        (None, "was not found"),
    ],
)
def test_engine_that_does_not_answer_leaves_the_mounts_and_its_reason(
    run, docker, tmp_path, monkeypatch, printed, reason
):
    mounted = {"path": str(mount(tmp_path / "mounts" / "m")), "labs": [], "made_for": []}
    if printed:
        docker(script=f"echo {shlex.quote(printed)} >&2; exit 1")
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    result = run()
    assert (result["engine"], reason in result["reason"]) == (False, True)
    assert (result["labs"], result["mounts"]) == ([], [mounted])


def test_mount_answers_as_long_as_it_shows_something(tmp_path, monkeypatch):
    assert labs_info.mount_answers("") is None
    assert labs_info.mount_answers(str(mount(tmp_path / "full", "edr"))) is True
    assert labs_info.mount_answers(str(mount(tmp_path / "empty"))) is False
    assert labs_info.mount_answers(str(tmp_path / "gone")) is False
    # One that hangs.
    (tmp_path / "ls").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (tmp_path / "ls").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(lab_probe, "PATIENCE_SECONDS", 0.2)
    assert labs_info.mount_answers(str(tmp_path / "full")) is False


def test_server_answers_only_if_it_is_well_and_is_asked_directly(jupyter, listener, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://192.0.2.8:3128")
    for status, answers in ((200, True), (404, False), (500, False)):
        server = jupyter(answers={"/api": (status, {}, {})})
        assert labs_info.server_answers(LOOPBACK, server.port) is answers
    for greeting in (b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n"):

        def greet(connection, greeting=greeting):
            with connection:
                connection.recv(4096)
                connection.sendall(greeting)

        assert labs_info.server_answers(LOOPBACK, listener(greet).port) is False
    assert labs_info.server_answers(LOOPBACK, free_port()) is False


def test_server_on_every_address_is_asked_on_this_computers_own(monkeypatch):
    asked = []

    class Opener:
        def open(self, url, timeout):
            asked.append(url)
            raise OSError

    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: Opener())
    for address in ("0.0.0.0", "::", "::1", "192.0.2.7"):  # noqa: S104 - asked, not bound
        assert not labs_info.server_answers(address, 80)
    assert asked == [f"http://{host}:80/api" for host in ("127.0.0.1", "[::1]", "[::1]", "192.0.2.7")]


SERVE = "mkdir /tmp/www && touch /tmp/www/api && cd /tmp/www && exec python3 -m http.server 8888"
IMAGE = "desi-lab-base:0.1.0"


@pytest.fixture
def lab():
    """A container with our labels that answers, and a network; both are removed whatever happens."""
    name = f"test-{uuid.uuid4().hex[:8]}"

    def docker(*arguments):
        return subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True, timeout=60)

    if docker("image", "inspect", IMAGE).returncode != 0:
        pytest.skip(f"the image {IMAGE} is not here; ./lab demo builds it")
    labels = ["--label", f"desi.lab.name={name}", "--label", "desi.lab.release=dr1"]
    port = free_port()
    try:
        assert docker("network", "create", *labels[:2], f"desi-lab-{name}").returncode == 0
        started = docker(
            *(
                "run",
                "--detach",
                "--init",
                "--name",
                f"desi-lab-{name}",
                "--publish",
                f"{LOOPBACK}:{port}:8888",
                *labels,
            ),
            *("--label", "desi.lab.role=server", "--entrypoint", "/bin/sh", IMAGE, "-c", SERVE),
        )
        assert started.returncode == 0, started.stderr
        yield name, port
    finally:
        docker("rm", "--force", f"desi-lab-{name}")
        docker("network", "rm", f"desi-lab-{name}")


@pytest.mark.docker
def test_lab_on_a_real_engine_is_told(run, lab):
    name, port = lab
    deadline = time.monotonic() + 60
    row = {}
    while not row.get("server_answers") and time.monotonic() < deadline:
        result = run()
        row = next(row for row in result["labs"] if row["name"] == name)
    assert (row["state"], row["release"], row["since"][:2]) == ("running", "dr1", "20")
    assert (row["address"], row["port"], row["server_answers"]) == (LOOPBACK, port, True)
    assert result["engine"]
    assert {"name": f"desi-lab-{name}", "lab": name, "role": "server"} in result["containers"]
    assert {"name": f"desi-lab-{name}", "lab": name} in result["networks"]
