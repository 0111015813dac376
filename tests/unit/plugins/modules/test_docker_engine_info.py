# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shlex
import time
from functools import partial

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker import engine as docker_engine
from ansible_collections.desi.lab.plugins.module_utils._docker.api import Endpoint
from ansible_collections.desi.lab.plugins.modules import docker_engine_info

SOCKET = "unix:///var/run/docker.sock"
ANSWER = {"ServerVersion": "20.10.24", "Architecture": "aarch64", "DockerRootDir": "/var/lib/docker"}
SILENCE = {"ServerVersion": "", "Architecture": ""}
STOPPED = f"Cannot connect to the Docker daemon at {SOCKET}. Is the docker daemon running?"
DENIED = (
    f"permission denied while trying to connect to the Docker daemon socket at {SOCKET}: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info": dial unix /var/run/docker.sock: connect: permission denied'
)


@pytest.fixture
def run(call, program, tmp_path, monkeypatch):
    # None of the machine's own programs is to be found, so that each computer has what its test gives it.
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(docker_engine_info, "DAEMON_FOLDERS", (str(tmp_path / "sbin"),))
    monkeypatch.setattr(docker_engine_info, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(docker_engine.platform, "system", lambda: "Linux")
    monkeypatch.setattr(docker_engine.platform, "release", lambda: "6.1.0-18-amd64")
    # An engine that is asked by the command alone; test__docker_api.py has the others.
    monkeypatch.setattr(docker_engine, "current_endpoint", lambda: Endpoint(SOCKET, {"DOCKER_TLS": "1"}))

    return partial(call, docker_engine_info)


@pytest.fixture
def docker(program):
    """Make a docker command that answers what the module asks, and nothing else."""

    def make(info: str) -> None:
        program("docker", f"case \"$*\" in\n'info --format {{{{json .}}}}') {info} ;;\n*) exit 64 ;;\nesac")

    return make


def says(document: object, error: str = "", code: int = 0) -> str:
    return f"echo {shlex.quote(json.dumps(document))}; printf %s {shlex.quote(error)} >&2; exit {code}"


@pytest.mark.parametrize("check_mode", [False, True])
def test_engine_that_answers_is_told(run, docker, check_mode):
    docker(says(ANSWER))
    code, result = run(_ansible_check_mode=check_mode)
    assert (code, result["changed"]) == (0, False)
    assert {key: value for key, value in result.items() if key not in ("changed", "invocation")} == {
        "answers": True,
        "denied": False,
        "installed": True,
        "elsewhere": False,
        "platform": "linux",
        "endpoint": SOCKET,
        "reason": "",
        "state": "Docker Engine answers.",
        "version": "20.10.24",
        "architecture": "arm64",
        "root": "/var/lib/docker",
        "desktop": False,
        "rootless": False,
        "memory": 0,
        "cpus": 0,
        "limits": [],
        "log_driver": "",
        "environment": {"DOCKER_TLS": "1"},
    }


def test_engine_that_is_stopped_or_missing_is_an_answer_too(run, docker, tmp_path):
    code, result = run()
    assert (code, result["answers"], result["installed"]) == (0, False, False)
    assert result["reason"] == "The command docker is not installed."
    docker(says(SILENCE, STOPPED, 1))
    assert not run()[1]["installed"]
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin/dockerd").touch(mode=0o755)
    code, result = run()
    assert (code, result["answers"], result["installed"], result["denied"]) == (0, False, True, False)
    assert result["reason"] == "The engine is not running."


def test_engine_that_denies_is_not_waited_for(run, docker, tmp_path):
    docker(f"echo x >> {tmp_path}/asked; {says(SILENCE, DENIED, 1)}")
    code, result = run(timeout=60)
    assert (code, result["denied"]) == (0, True)
    assert (tmp_path / "asked").read_text() == "x\n"


def test_engine_that_starts_is_waited_for_no_longer_than_asked(run, docker, tmp_path):
    docker(says(SILENCE, STOPPED, 1))
    start = time.monotonic()
    code, result = run(timeout=1)
    assert (code, result["answers"], time.monotonic() - start >= 1) == (0, False, True)
    later = f"if [ -e {tmp_path}/asked ]; then {says(ANSWER)}; fi; : > {tmp_path}/asked; {says(SILENCE, STOPPED, 1)}"
    docker(later)
    assert run(timeout=60)[1]["answers"]


def test_engine_that_hangs_is_no_engine(run, docker, monkeypatch):
    monkeypatch.setattr(docker_engine_info, "PATIENCE_SECONDS", 0.5)
    docker("exec /bin/sleep 60")
    code, result = run()
    assert (code, result["answers"]) == (0, False)
    assert "no answer within 0.5 seconds" in result["reason"]
