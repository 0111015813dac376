# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import socket

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker import engine as docker_engine
from ansible_collections.desi.lab.plugins.module_utils._docker.api import Endpoint
from ansible_collections.desi.lab.plugins.module_utils._docker.engine import platform_of, read_engine, reason_of

SOCKET = "unix:///var/run/docker.sock"

# What docker printed, word for word, by version of its command.
DENIED = "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock"
STOPPED_20 = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
STOPPED_29 = (
    "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the daemon"
    " is running: dial unix /var/run/docker.sock: connect: no such file or directory"
)
UNKNOWN_HOST = (
    'error during connect: Get "http://nohost.invalid:2375/v1.50/info": dial tcp: lookup nohost.invalid on '
    "192.0.2.53:53: no such host"
)
SSH_CLOSED = (
    'error during connect: Get "http://docker.example.com/v1.50/info": command [ssh -o ConnectTimeout=30 -T -l ann -p 1'
    " -- 127.0.0.1 docker system dial-stdio] has exited with exit status 255, make sure the URL is valid, and Docker"
    " 18.09 or later is installed on the remote host: stderr=ssh: connect to host 127.0.0.1 port 1: Connection refused"
)
SSH_DENIED = SSH_CLOSED.partition("stderr=")[0] + "stderr=ann@192.0.2.7: Permission denied (publickey,password)."
NO_WSL = (
    "\nThe command 'docker' could not be found in this WSL 2 distro.\n"
    "We recommend to activate the WSL integration in Docker Desktop settings.\n\n"
    "For details about using Docker Desktop with WSL 2, visit:\n\nhttps://docs.docker.com/go/wsl2/\n"
)

# The parts that matter of what an engine prints; one that does not answer leaves them all empty.
ANSWER = {
    "ServerVersion": "20.10.24+dfsg1",
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "Architecture": "x86_64",
    "DockerRootDir": "/var/lib/docker",
    "SecurityOptions": ["name=seccomp,profile=default", "name=cgroupns"],
}
SILENCE = {**dict.fromkeys(ANSWER, ""), "SecurityOptions": None, "ClientInfo": {"Version": "28.2.2"}}


def read(answer: object = None, **said) -> docker_engine.Engine:
    given = {
        "stdout": answer if isinstance(answer, str) else json.dumps(answer or SILENCE),
        "stderr": "",
        "endpoint": SOCKET,
        "has_command": True,
        "has_daemon": True,
        "platform": "linux",
        **said,
    }
    return read_engine(**{**given, "endpoint": Endpoint(given["endpoint"])})


@pytest.mark.parametrize(
    ("system", "kernel", "platform"),
    [
        ("Linux", "6.1.0-18-amd64", "linux"),
        ("Linux", "4.4.0-19041-Microsoft", "windows"),
        ("Darwin", "23.5.0", "macos"),
        ("FreeBSD", "14.0", "linux"),
    ],
)
def test_platform_is_known_by_system_and_kernel(system, kernel, platform):
    assert platform_of(system, kernel) == platform


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (DENIED, docker_engine.DENIED),
        (STOPPED_20, "The engine is not running."),
        (STOPPED_29, "The engine is not running: its socket is not there."),
        (UNKNOWN_HOST, "The name of the engine's computer cannot be resolved."),
        (SSH_CLOSED, "Nothing listens at the engine's address."),
        (SSH_DENIED, "The engine's computer does not let this account in by SSH."),
        ("dial tcp 192.0.2.7:2375: i/o timeout", "The engine's address does not answer in time."),
        ("context deadline exceeded (Client.Timeout exceeded)", "The engine's address does not answer in time."),
        ("", "The docker command says nothing."),
        ("first\nsomething new went wrong\n\n", "something new went wrong"),
    ],
)
def test_reason_is_read_off_what_docker_prints(printed, reason):
    assert reason_of(printed) == reason


def test_engine_that_answers_is_told_with_its_version_and_place():
    engine = read(ANSWER, has_daemon=False)
    assert (engine.answers, engine.denied, engine.elsewhere, engine.installed) == (True, False, False, True)
    assert (engine.version, engine.root) == ("20.10.24+dfsg1", "/var/lib/docker")
    assert (engine.reason, engine.state) == ("", "Docker Engine answers.")
    assert not engine.desktop
    assert not engine.rootless


@pytest.mark.parametrize(
    ("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("armv7l", "arm"), ("s390x", "s390x"), ("", "")]
)
def test_architecture_is_named_as_images_name_it(machine, name):
    assert read({**ANSWER, "Architecture": machine}).architecture == name


def test_kind_of_an_engine_and_what_it_can_bound_are_read():
    assert read({**ANSWER, "OperatingSystem": "Docker Desktop"}).desktop
    assert read({**ANSWER, "SecurityOptions": ["name=seccomp", "name=rootless"]}).rootless
    assert not read({**ANSWER, "SecurityOptions": None}).rootless
    able = {"MemTotal": 25276510208, "NCPU": 2, "LoggingDriver": "json-file", "MemoryLimit": True, "PidsLimit": True}
    found = read({**ANSWER, **able, "SwapLimit": False})
    assert (found.memory, found.cpus, found.log_driver) == (25276510208, 2, "json-file")
    assert found.limits == ("memory", "processes")
    assert (read().memory, read().cpus, read().limits) == (0, 0, ())


@pytest.mark.parametrize(
    ("printed", "denied", "state"),
    [
        (DENIED, True, "Docker Engine runs, but this account may not use it."),
        (STOPPED_29, False, "Docker Engine is installed but not running."),
    ],
)
def test_engine_that_denies_is_told_from_one_that_is_stopped(printed, denied, state):
    engine = read(stderr=printed)
    assert (engine.answers, engine.installed, engine.denied, engine.state) == (False, True, denied, state)


@pytest.mark.parametrize(
    ("printed", "installed"),
    [(DENIED, True), (docker_engine.DENIED, True), (STOPPED_20, False), (STOPPED_29, False), ("", False)],
)
def test_engine_whose_daemon_is_not_on_the_path_is_there_if_it_denies(printed, installed):
    assert read(stderr=printed, has_daemon=False).installed is installed


@pytest.mark.parametrize(("listens", "installed"), [(True, True), (False, False)])
def test_engine_whose_daemon_is_not_on_the_path_is_there_if_something_listens(
    tmp_path, monkeypatch, listens, installed
):
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    with socket.socket(socket.AF_UNIX) as silent:
        if listens:
            silent.bind(f"{tmp_path}/engine.sock")
            silent.listen()
        assert docker_engine.query_engine(0.2, ()).installed is installed


def test_host_without_docker_has_no_engine():
    engine = read("", has_command=False, has_daemon=False)
    assert (engine.answers, engine.installed, engine.elsewhere) == (False, False, False)
    assert engine.reason == "The command docker is not installed."
    assert (engine.state, engine.endpoint) == ("There is no Docker Engine on this computer.", SOCKET)


@pytest.mark.parametrize(
    ("platform", "endpoint", "elsewhere"),
    [
        ("linux", "tcp://192.0.2.7:2375", True),
        ("linux", "unix:///run/user/1000/docker.sock", True),
        ("macos", "unix:///Users/ann/.docker/run/docker.sock", False),
        ("macos", "unix:///Users/ann/.colima/default/docker.sock", True),
        ("windows", SOCKET, False),
        ("linux", "unix:///home/ann/.docker/run/docker.sock", True),
    ],
)
def test_silent_engine_is_elsewhere_where_nobody_expects_one(platform, endpoint, elsewhere):
    assert read(stderr=STOPPED_20, platform=platform, endpoint=endpoint).elsewhere is elsewhere
    assert not read(ANSWER, endpoint=endpoint).elsewhere


def test_engine_that_no_lab_can_use_is_told_with_its_reason(monkeypatch):
    monkeypatch.setattr(docker_engine, "current_endpoint", lambda: Endpoint("ssh://far", {}, "It is far away."))
    engine = docker_engine.query_engine(1)
    assert (engine.answers, engine.elsewhere, engine.denied) == (False, True, False)
    assert (engine.reason, engine.endpoint) == ("It is far away.", "ssh://far")
    assert docker_engine.engine_api(1) is None


def test_what_is_no_document_or_has_errors_in_it_means_that_no_engine_answers():
    for printed in ("", "not json", "[]", "null", '"text"', "{"):
        engine = read(printed)
        assert not engine.answers
        assert engine.reason
    assert "WSL integration is off" in read(NO_WSL).reason
    assert read({**SILENCE, "ServerErrors": [DENIED]}).denied
