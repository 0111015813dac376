# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import (
    Container,
    Docker,
    EngineUnavailable,
    checked_name,
    refused,
)

INSPECTED = {
    "Id": "5f0c4d1e2a3b",
    "Name": "/desi-lab-desi",
    "RestartCount": 2,
    "Path": "tini",
    "Args": ["--", "start-notebook.py"],
    "State": {
        "Status": "exited",
        "ExitCode": 137,
        "Error": "",
        "OOMKilled": True,
        "StartedAt": "2026-11-22T13:57:12.790123456Z",
        "FinishedAt": "2026-11-22T13:58:12.790123456Z",
    },
    "Config": {
        "Image": "desi-lab:0.1.0",
        "Labels": {"desi.lab.name": "desi"},
        "Env": ["JUPYTER_TOKEN=a=b", "EMPTY=", "BARE"],
    },
}


@pytest.fixture
def fake(tmp_path):
    """Make a docker command out of a shell script."""

    def make(script: str) -> Docker:
        program = tmp_path / "docker"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return Docker((str(program),))

    return make


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(condition, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_container_is_read_from_inspect(fake):
    docker = fake(
        f"[ \"$*\" = 'container inspect -- desi-lab-desi' ] || exit 1\ncat <<'END'\n{json.dumps([INSPECTED])}\nEND"
    )
    assert docker.inspect_container("desi-lab-desi") == Container(
        id="5f0c4d1e2a3b",
        name="desi-lab-desi",
        image="desi-lab:0.1.0",
        status="exited",
        exit_code=137,
        error="",
        oom_killed=True,
        started_at="2026-11-22T13:57:12.790123456Z",
        finished_at="2026-11-22T13:58:12.790123456Z",
        restart_count=2,
        labels={"desi.lab.name": "desi"},
        command=("tini", "--", "start-notebook.py"),
        env={"JUPYTER_TOKEN": "a=b", "EMPTY": "", "BARE": ""},
    )


def test_secrets_of_a_container_are_not_in_its_repr():
    raw = {**INSPECTED, "Args": ["--IdentityProvider.token=s3cr3t"]}
    raw["Config"] = {"Env": ["JUPYTER_TOKEN=s3cr3t"]}
    assert "s3cr3t" not in repr(Container.from_inspect(raw))


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("created", False),
        ("running", False),
        ("paused", False),
        ("restarting", False),
        ("exited", True),
        ("dead", True),
    ],
)
def test_ended_container_is_known(status, ended):
    assert Container.from_inspect({"State": {"Status": status}}).has_ended is ended


def test_container_with_nothing_but_nulls_is_read():
    assert Container.from_inspect({"State": None, "Config": {"Env": None, "Labels": None}, "Args": None}).status == ""


@pytest.mark.parametrize(
    "words",
    ["Error: No such container: x", "Error response from daemon: No such container: x", "Error: no such object: x"],
)
def test_container_that_does_not_exist_is_none(fake, words):
    assert fake(f"echo '{words}' >&2; exit 1").inspect_container("x") is None


@pytest.mark.parametrize(
    "printed", ["", "[]", "{}", "null", "[null]", "[7]", "no json", '[{"State": 7}]', '[{"RestartCount": "x"}]']
)
def test_nonsense_from_inspect_is_told_in_plain_words(fake, printed):
    with pytest.raises(LabError, match="not its usual JSON"):
        fake(f"echo '{printed}'").inspect_container("x")


@pytest.mark.parametrize(
    ("stderr", "what"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "does not answer",
        ),
        ("error during connect: Get http://lab:2375/v1.41/info: EOF", "does not answer"),
        ("dial tcp: lookup lab: no such host", "does not answer"),
        ("dial tcp 192.0.2.7:2375: i/o timeout", "does not answer"),
        ("failed to connect to the docker API at tcp://127.0.0.1:1", "does not answer"),
        ("dial unix /var/run/docker.sock: connect: connection refused", "does not answer"),
        ("permission denied while trying to connect to the Docker daemon socket at unix:///x", "may not be used"),
    ],
)
def test_engine_that_cannot_be_used_is_told_apart(fake, stderr, what):
    with pytest.raises(EngineUnavailable, match=what):
        fake(f"echo '{stderr}' >&2; exit 1").inspect_container("x")


def test_other_failure_gives_docker_s_own_words(fake):
    with pytest.raises(LabError, match=r"Docker says: it is broken") as caught:
        fake("echo first >&2; echo it is broken >&2; exit 1").output("ps")
    assert not isinstance(caught.value, EngineUnavailable)


def test_failure_without_words_is_told():
    assert refused("ps", " \n").why == "Docker gives no reason."


def test_missing_command_is_told():
    with pytest.raises(EngineUnavailable, match="not found"):
        Docker(("/nonexistent/docker",)).inspect_container("x")
    with pytest.raises(EngineUnavailable, match="not found"), Docker(("/nonexistent/docker",)).logs("x"):
        pass


def test_command_that_may_not_be_run_is_told(tmp_path):
    (tmp_path / "docker").write_text("")
    with pytest.raises(EngineUnavailable, match="could not be started"):
        Docker((str(tmp_path / "docker"),)).run("ps")


def test_engine_that_hangs_is_given_up(fake):
    with pytest.raises(EngineUnavailable, match=r"no answer within 0\.2 seconds"):
        fake("exec sleep 60").run("ps", timeout=0.2)


def test_output_is_what_the_command_prints(fake):
    assert fake("printf '%s,' \"$@\"; printf '\\377'").output("ps", "--all") == "ps,--all,\ufffd"


@pytest.mark.parametrize("name", ["desi-lab-desi", "5f0c4d1e2a3b", "/desi-lab-desi", "a.b_c", "X"])
def test_name_of_a_container_is_accepted(name):
    assert checked_name(name) == name.lstrip("/")


@pytest.mark.parametrize("name", ["", "-rf", "--help", "a b", "a;b", "a/b", "//a", ".a", "a\n", "$(x)", "ä"])
def test_text_that_names_no_container_is_refused(name):
    with pytest.raises(LabError, match="is not a container"):
        checked_name(name)


@given(st.text())
def test_accepted_name_can_never_be_an_option(name):
    with suppress(LabError):
        assert not checked_name(name).startswith("-")


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ({}, "logs -- x"),
        ({"follow": True}, "logs --follow -- x"),
        ({"since": "2026-11-22T13:57:12Z", "tail": 20}, "logs --since 2026-11-22T13:57:12Z --tail 20 -- x"),
    ],
)
def test_logs_are_asked_for_as_wanted(fake, options, command):
    with fake('echo "$@"').logs("x", **options) as stream:
        assert stream.read(5) == f"{command}\n".encode()
        assert stream.read(5) == b""
        assert stream.exit_code() == 0


def test_logs_hold_both_standard_output_and_standard_error(fake):
    with fake("echo out; echo err >&2").logs("x") as stream:
        data = b""
        while piece := stream.read(5):
            data += piece
    assert data == b"out\nerr\n"


def test_logs_tell_when_nothing_has_come(fake):
    with fake("exec sleep 60").logs("x", follow=True) as stream:
        assert stream.read(0) is None
        assert stream.read(0.05) is None


def test_following_a_log_is_ended_on_leaving(fake):
    with fake("echo $$; exec sleep 600").logs("x", follow=True) as stream:
        pid = int(stream.read(5))
        assert is_running(pid)
    assert not is_running(pid)


def test_following_a_log_is_ended_on_an_error(fake):
    with pytest.raises(ZeroDivisionError), fake("echo $$; exec sleep 600").logs("x", follow=True) as stream:
        pid = int(stream.read(5))
        1 / 0  # noqa: B018
    assert not is_running(pid)


def test_children_of_a_wrapper_are_ended_too(fake):
    with fake("sleep 600 & echo $!; wait").logs("x", follow=True) as stream:
        pid = int(stream.read(5))
    assert eventually(lambda: not is_running(pid))


def test_command_that_ignores_being_told_to_end_is_killed(fake):
    with fake("trap '' TERM; echo $$; while :; do sleep 1; done").logs("x", follow=True) as stream:
        pid = int(stream.read(5))
    assert not is_running(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_following_a_log_ends_when_its_reader_is_killed(tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\necho $$\nexec sleep 600\n")
    (tmp_path / "docker").chmod(0o755)
    code = (
        "import sys, time\n"
        "from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Docker\n"
        "with Docker((sys.argv[1],)).logs('x', follow=True) as stream:\n"
        "    print(stream.read(5).decode(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "docker")], stdout=subprocess.PIPE, env=environment
    ) as reader:
        pid = int(reader.stdout.readline())
        assert is_running(pid)
        reader.send_signal(signal.SIGKILL)
    assert eventually(lambda: not is_running(pid))


@pytest.mark.docker
def test_real_container_is_inspected_by_name_and_id(container):
    name = container("sleep 300", "--label", "desi.lab.name=test", "--env", "DESI_RELEASE=edr")
    found = Docker().inspect_container(name)
    assert (found.name, found.status, found.exit_code) == (name, "running", 0)
    assert (found.labels["desi.lab.name"], found.env["DESI_RELEASE"]) == ("test", "edr")
    assert found.command == ("sh", "-c", "sleep 300")
    assert not found.has_ended
    assert Docker().inspect_container(found.id[:12]).name == name


@pytest.mark.docker
def test_real_container_that_does_not_exist_is_none():
    assert Docker().inspect_container("desi-lab-test-not-there") is None


@pytest.mark.docker
def test_real_engine_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(EngineUnavailable, match="does not answer"):
        Docker().inspect_container("x")


@pytest.mark.docker
def test_real_log_is_followed_to_the_end_of_the_container(container):
    name = container("echo out; echo err >&2; sleep 0.5; exit 3")
    data = b""
    with Docker().logs(name, follow=True) as stream:
        while piece := stream.read(20):
            data += piece
        assert stream.exit_code() == 0
    assert sorted(data.split()) == [b"err", b"out"]
    with Docker().logs(name, tail=1) as stream:
        assert stream.read(20) in (b"out\n", b"err\n")
