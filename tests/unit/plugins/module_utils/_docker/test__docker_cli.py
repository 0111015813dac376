# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.polling import wait_until
from ansible_collections.desi.lab.plugins.module_utils._docker import cli as docker_cli
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


def test_container_that_does_not_exist_is_none(fake):
    for words in ("Error response from daemon: No such container: x", "no such object: x"):
        assert fake(f"echo '{words}' >&2; exit 1").inspect_container("x") is None


def test_nonsense_from_inspect_is_told_in_plain_words(fake):
    for printed in ("", "[]", "{}", "null", "[null]", "[7]", "no json", '[{"State": 7}]', '[{"RestartCount": "x"}]'):
        with pytest.raises(LabError, match="not its usual JSON"):
            fake(f"echo '{printed}'").inspect_container("x")


def test_container_of_nulls_is_read_and_no_secret_is_in_its_repr():
    assert Container.from_inspect({"State": None, "Config": {"Env": None, "Labels": None}, "Args": None}).status == ""
    secret = {"Args": ["--IdentityProvider.token=s3cr3t"], "Config": {"Env": ["JUPYTER_TOKEN=s3cr3t"]}}
    assert "s3cr3t" not in repr(Container.from_inspect({**INSPECTED, **secret}))


def test_ended_container_is_known():
    states = ("created", "running", "paused", "restarting", "exited", "dead")
    ended = [state for state in states if Container.from_inspect({"State": {"Status": state}}).has_ended]
    assert ended == ["exited", "dead"]


NO_ENGINE = "Docker does not answer."


@pytest.mark.parametrize(
    ("stderr", "what"),
    [
        ("Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?", NO_ENGINE),
        ("error during connect: Get http://lab:2375/v1.41/info: EOF", NO_ENGINE),
        ("dial tcp: lookup lab: no such host", NO_ENGINE),
        ("dial tcp 192.0.2.7:2375: i/o timeout", NO_ENGINE),
        ("failed to connect to the docker API at tcp://127.0.0.1:1", NO_ENGINE),
        ("dial unix /var/run/docker.sock: connect: connection refused", NO_ENGINE),
        ("permission denied while trying to connect to the Docker daemon", "Docker may not be used by this user."),
        ("first\nit is broken", "The command 'docker ps' failed."),
    ],
)
def test_engine_that_cannot_be_used_is_told_from_other_failures(fake, stderr, what):
    with pytest.raises(LabError) as caught:
        fake(f"echo '{stderr}' >&2; exit 1").output("ps")
    assert caught.value.what.startswith(what)
    with pytest.raises(type(caught.value)):
        fake(f"echo '{stderr}' >&2; exit 1").inspect_container("x")
    assert isinstance(caught.value, EngineUnavailable) is ("failed" not in what)
    assert refused("ps", "first\nit is broken").why == "Docker says: it is broken"
    assert refused("ps", " \n").why == "Docker gives no reason."


def test_command_that_cannot_be_run_or_hangs_is_told(fake, tmp_path):
    with pytest.raises(EngineUnavailable, match=r"no answer within 0\.2 seconds"):
        fake("exec sleep 60").run("ps", timeout=0.2)
    (tmp_path / "docker").chmod(0o644)
    for program, why in (("/nonexistent/docker", "not found"), (str(tmp_path / "docker"), "could not be started")):
        with pytest.raises(EngineUnavailable, match=why):
            Docker((program,)).run("ps")
        with pytest.raises(EngineUnavailable, match=why), Docker((program,)).logs("x"):
            pass


@given(st.text())
@example("-rf").via("an option")
@example("a b").via("two words")
@example("a;b").via("a shell")
@example("a/b").via("a path")
@example("a\n").via("a line end")
def test_name_of_a_container_is_no_option_and_no_path(name):
    assert [checked_name(each) for each in ("desi-lab-desi", "/desi-lab-desi", "a.b_c", "X")] == [
        *("desi-lab-desi", "desi-lab-desi", "a.b_c", "X")
    ]
    if not re.fullmatch(r"/?[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        with pytest.raises(LabError, match="is not a container"):
            checked_name(name)


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


def test_logs_hold_both_streams_and_tell_when_nothing_has_come(fake):
    with fake("echo out; echo err >&2; exec sleep 60").logs("x", follow=True) as stream:
        data = b""
        while len(data) < 8:
            data += stream.read(5)
        assert data == b"out\nerr\n"
        assert stream.read(0) is None
        assert stream.read(0.05) is None


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("echo $$; exec sleep 600", None),
        ("echo $$; exec sleep 600", ZeroDivisionError),
        ("sleep 600 & echo $!; wait", None),  # a child of a wrapper
        ("trap '' TERM; echo $$; while :; do sleep 0.1; done", None),
    ],
)
def test_following_a_log_is_ended_on_leaving(fake, monkeypatch, script, error):
    monkeypatch.setattr(docker_cli._end, "__defaults__", (0.3,))
    with suppress(ZeroDivisionError), fake(script).logs("x", follow=True) as stream:
        pid = int(stream.read(5))
        assert is_running(pid)
        if error:
            raise error
    assert wait_until(lambda: not is_running(pid), 10)


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
    assert wait_until(lambda: not is_running(pid), 10)


def test_commands_are_what_runs_beside_the_container_s_own(fake):
    rows = ("PID PPID COMMAND", "10 9 tini -- jupyter lab", "11 10 jupyter lab", "20 9 python fit.py", "21 20 sleep 1")
    docker = fake(f"[ $1 = top ] && printf '%s\\n' {shlex.join(rows)}")
    assert docker.commands({"Id": "a1", "State": {"Pid": 10}}) == ["python fit.py"]
