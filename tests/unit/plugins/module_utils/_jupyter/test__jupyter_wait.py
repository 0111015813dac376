# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Container, Docker
from ansible_collections.desi.lab.plugins.module_utils._jupyter import wait as jupyter_wait
from ansible_collections.desi.lab.plugins.module_utils._jupyter.errors import NotThere
from ansible_collections.desi.lab.plugins.module_utils._jupyter.wait import (
    began,
    check_timeout,
    read_text,
    wait_for_container,
    wait_for_file,
)

DATA = Path(__file__).parent / "data"
TOKEN = "c0de" * 12
OTHER = "beef" * 12
LONG = 60
MARK = "[I 2026-11-22 13:57:12.790 ServerApp] "
END = f"{MARK}received signal 15, stopping\n"
NEVER = "0001-01-01T00:00:00Z"


def banner(token: str = TOKEN, port: int = 8888) -> str:
    return f"{MARK}Jupyter Server 2.21.1 is running at:\n{MARK}http://127.0.0.1:{port}/lab?token={token}\n"


def later(action) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


@pytest.mark.parametrize("timeout", [0, 0.5, 86400])
def test_timeout_is_accepted(timeout):
    check_timeout(timeout)


@pytest.mark.parametrize("timeout", [-1, 86401, float("inf"), float("nan")])
def test_timeout_that_makes_no_sense_is_refused(timeout):
    with pytest.raises(LabError, match="is not a time to wait"):
        check_timeout(timeout)


# Text


def test_text_is_read_at_once():
    assert read_text(banner()).plain_token == TOKEN


def test_text_without_a_line_end_is_read():
    assert read_text(f"http://127.0.0.1:8888/lab?token={TOKEN}").plain_token == TOKEN


def test_text_with_half_a_character_pair_is_read():
    assert read_text(f"\ud800\n{banner()}").plain_token == TOKEN


def test_server_is_preferred_to_a_url_that_stands_alone():
    assert read_text(f"{banner()}http://127.0.0.1:8888/lab?token={OTHER}").plain_token == TOKEN


@pytest.mark.parametrize("text", ["", "no server here", "http://127.0.0.1:8888/lab"])
def test_text_without_a_server_is_told(text):
    with pytest.raises(LabError) as caught:
        read_text(text)
    assert caught.value.why == "No server has written one."


def test_text_of_a_server_that_ended_is_told_and_no_other_url_taken_for_it():
    with pytest.raises(LabError) as caught:
        read_text(f"{banner()}{END}http://127.0.0.1:8888/lab?token={OTHER}")
    assert "has been shut down" in caught.value.why


def test_error_about_a_text_holds_nothing_of_it():
    with pytest.raises(LabError) as caught:
        read_text("my diary\npin 4711\n")
    assert "4711" not in str(caught.value)
    assert "diary" not in str(caught.value)


# File


def test_file_that_has_the_url_is_read_at_once(tmp_path):
    log = tmp_path / "log"
    log.write_text(banner())
    assert wait_for_file(log, 0).plain_token == TOKEN


def test_file_that_does_not_grow_is_not_waited_for_once_it_has_the_url(tmp_path, monkeypatch):
    monkeypatch.setattr(jupyter_wait, "_BANNER", LONG)
    (tmp_path / "log").write_text(banner())
    begun = time.monotonic()
    wait_for_file(tmp_path / "log", LONG)
    assert time.monotonic() - begun < LONG / 2


def test_file_is_read_to_its_end_before_it_is_believed(tmp_path):
    log = tmp_path / "log"
    log.write_text(f"{banner()}{'x' * 99}\n" * 5000 + END + banner(OTHER))
    assert wait_for_file(log, 0).plain_token == OTHER


def test_file_that_comes_later_is_waited_for(tmp_path):
    log = tmp_path / "log"
    writer = later(lambda: log.write_text(banner()))
    assert wait_for_file(log, LONG).plain_token == TOKEN
    writer.join()


def test_file_that_grows_in_pieces_is_waited_for(tmp_path):
    log = tmp_path / "log"
    log.write_text("starting\n")
    going = threading.Event()

    def write():
        with log.open("a") as target:
            for start in range(0, len(text := banner()), 7):
                target.write(text[start : start + 7])
                target.flush()
                going.wait(0.01)

    writer = later(write)
    assert wait_for_file(log, LONG).plain_token == TOKEN
    writer.join()


def test_all_urls_of_a_banner_that_comes_slowly_are_read(tmp_path):
    log = tmp_path / "log"
    second = f"{MARK}    http://localhost:8888/lab?token={TOKEN}\n"

    def write():
        with log.open("a") as target:
            for line in (*banner().splitlines(keepends=True), second):
                time.sleep(0.05)
                target.write(line)
                target.flush()

    writer = later(write)
    assert len(wait_for_file(log, LONG).urls) == 2
    writer.join()


def test_file_that_never_stops_growing_is_answered(tmp_path):
    log = tmp_path / "log"
    log.write_text(banner())
    stop = threading.Event()

    def write():
        with log.open("a") as target:
            while not stop.wait(0.02):
                target.write("GET /\n")
                target.flush()

    writer = later(write)
    begun = time.monotonic()
    try:
        assert wait_for_file(log, LONG).plain_token == TOKEN
    finally:
        stop.set()
        writer.join()
    assert time.monotonic() - begun < 10


def watch_change(monkeypatch, log: Path, change) -> None:
    """Make the change when the file has been read once."""
    read_on = jupyter_wait._GrowingFile.read_on
    times = []

    def read_and_change(self, server_log):
        times.append(read_on(self, server_log))
        if len(times) == 1:
            change(log)
        return times[-1]

    monkeypatch.setattr(jupyter_wait._GrowingFile, "read_on", read_and_change)


def test_file_that_is_emptied_is_read_from_its_new_start(tmp_path, monkeypatch):
    log = tmp_path / "log"
    log.write_text("x" * 9999)
    watch_change(monkeypatch, log, lambda path: path.write_text(banner()))
    assert wait_for_file(log, LONG).plain_token == TOKEN


def test_file_that_is_replaced_is_read_to_its_end_and_then_the_new_one(tmp_path, monkeypatch):
    log = tmp_path / "log"
    log.write_text("begin\n")

    def replace(path: Path) -> None:
        with path.open("a") as target:
            target.write(f"{MARK}All authentication is disabled.\nhalf a line")
        path.rename(path.with_suffix(".1"))
        path.write_text(f"{MARK}Jupyter Server is running at:\n{MARK}http://127.0.0.1:8888/lab\n")

    watch_change(monkeypatch, log, replace)
    assert wait_for_file(log, LONG).authentication_off


def test_unfinished_line_counts_when_time_is_up(tmp_path):
    log = tmp_path / "log"
    log.write_text(banner().rstrip("\n"))
    assert wait_for_file(log, 0).plain_token == TOKEN
    assert wait_for_file(log, 0.3).plain_token == TOKEN


def test_url_that_stands_alone_counts_when_time_is_up(tmp_path):
    log = tmp_path / "log"
    log.write_text(f"http://127.0.0.1:8888/lab?token={TOKEN}\n")
    begun = time.monotonic()
    assert wait_for_file(log, 0.3).plain_token == TOKEN
    assert time.monotonic() - begun >= 0.3


def test_file_without_a_url_is_told_with_its_last_lines_and_no_secret(tmp_path):
    log = tmp_path / "log"
    log.write_text(f"old\n{banner()}{END}" + "line\n" * 19 + f"GET /?token={TOKEN} it is {TOKEN}\n")
    with pytest.raises(LabError, match=r"within 0\.2 seconds") as caught:
        wait_for_file(log, 0.2)
    assert "GET /?token=<hidden> it is <hidden>" in caught.value.why
    assert "has been shut down" in caught.value.why
    assert caught.value.why.count("\n") == 20
    assert TOKEN not in str(caught.value)
    assert not isinstance(caught.value, NotThere)


def test_token_of_any_form_is_in_no_error(tmp_path):
    (tmp_path / "log").write_text(f"{banner('blue%2Dmoon')}{END}it is blue%2Dmoon or blue-moon\n")
    with pytest.raises(LabError) as caught:
        wait_for_file(tmp_path / "log", 0)
    assert "it is <hidden> or <hidden>" in caught.value.why


def test_file_that_never_comes_is_told(tmp_path):
    with pytest.raises(NotThere, match="There is no file"):
        wait_for_file(tmp_path / "log", 0.2)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_path_that_is_no_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "log")
    with pytest.raises(LabError, match="is not a log file"):
        wait_for_file(tmp_path / "log", LONG)


def test_path_that_cannot_be_read_is_told_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="Not a directory"):
        wait_for_file(tmp_path / "file" / "log", LONG)


# From when on a log counts


def container_of(started: str, finished: str) -> Container:
    return Container.from_inspect({"State": {"StartedAt": started, "FinishedAt": finished}})


@pytest.mark.parametrize(
    ("started", "finished", "since"),
    [
        ("2026-11-22T13:00:10.5Z", NEVER, ""),
        ("2026-11-22T13:00:10.000000000Z", "2026-11-22T13:00:09.500000000Z", "2026-11-22T13:00:09.750000Z"),
        ("2026-11-22T13:00:10Z", "2026-11-21T10:00:00Z", "2026-11-22T13:00:08Z"),
        ("2026-11-22T14:00:10.123456789+01:00", "2026-11-21T10:00:00Z", "2026-11-22T13:00:08.123456Z"),
        ("2026-11-22T13:00:10Z", "2026-11-22T13:00:11Z", ""),
        (NEVER, NEVER, ""),
        ("", "", ""),
        ("yesterday", "2026-11-22T13:00:10Z", ""),
        ("2026-13-22T13:00:10Z", "2026-11-22T13:00:10Z", ""),
    ],
)
def test_log_counts_from_the_present_run_on(started, finished, since):
    assert began(container_of(started, finished)) == since


@given(st.text(), st.text())
def test_times_that_are_none_never_raise(started, finished):
    assert began(container_of(started, finished)) == ""


# Container, by an engine made of a few lines


class Engine(Docker):
    """Answers one state of the container after the other, the last one for ever; a None means it is not there.

    Keys of a state that begin with '_' belong beside the state in what is inspected.
    """

    def __init__(self, folder: Path, log: str, *states: dict | None, logs_exit: int = 0) -> None:
        (folder / "log").write_text(log)
        (folder / "docker").write_text(f'#!/bin/sh\necho "$@" >>{folder}/asked\ncat {folder}/log\nexit {logs_exit}\n')
        (folder / "docker").chmod(0o755)
        super().__init__((str(folder / "docker"),))
        self.states = list(states)

    def inspect_container(self, name: str) -> Container | None:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state is None:
            return None
        outer = {key.lstrip("_"): value for key, value in state.items() if key.startswith("_")}
        times = {"StartedAt": "2026-11-22T13:00:10Z", "FinishedAt": NEVER}
        return Container.from_inspect({"Name": f"/{name}", "Id": "5f0c4d1e2a3b", **outer, "State": {**times, **state}})


RUNNING = {"Status": "running"}
EXITED = {"Status": "exited", "ExitCode": 1}


def restarting(number: int, code: int = 1) -> dict:
    return {"Status": "restarting", "ExitCode": code, "StartedAt": f"2026-11-22T13:00:{number:02}Z"}


def test_container_that_has_told_its_url_is_answered_at_once(tmp_path):
    assert wait_for_container(Engine(tmp_path, banner(), RUNNING), "lab", 0).plain_token == TOKEN


def test_container_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NotThere, match="no container lab"):
        wait_for_container(Engine(tmp_path, "", None), "lab", LONG)


@pytest.mark.parametrize(
    ("state", "said", "do"),
    [
        ({"ExitCode": 127}, "exit code 127 (its command is not in the image)", "give an image that starts"),
        ({"ExitCode": 0}, "exit code 0 (as a program does", "give an image that starts"),
        ({"ExitCode": 1}, "exit code 1. The last lines", "docker logs lab"),
        ({"ExitCode": 143}, "exit code 143 (it was told to stop)", "docker start lab"),
        ({"ExitCode": 137}, "exit code 137 (it was killed)", "docker start lab"),
        ({"ExitCode": 137, "OOMKilled": True}, "(the memory was used up)", "more memory"),
        (
            {"ExitCode": 127, "Error": "exec: no jupyter --x.token=s3cr3t."},
            "exec: no jupyter --x.token=<hidden>. The",
            "image",
        ),
    ],
)
def test_container_that_has_ended_is_told_with_its_last_lines(tmp_path, state, said, do):
    lines = "".join(f"line {number}\n" for number in range(30)) + f"Authorization: token {TOKEN}\n"
    engine = Engine(tmp_path, lines, {"Status": "exited", **state})
    with pytest.raises(NotThere) as caught:
        wait_for_container(engine, "lab", LONG)
    assert "container lab" in caught.value.what
    assert said in caught.value.why
    assert "line 29\n        Authorization: <hidden>" in caught.value.why
    assert "line 10" not in caught.value.why
    assert do in caught.value.do
    assert "--tail 20" in (tmp_path / "asked").read_text()


def test_container_that_ends_while_it_is_waited_for_is_told_at_once(tmp_path):
    begun = time.monotonic()
    with pytest.raises(NotThere, match="has ended"):
        wait_for_container(Engine(tmp_path, "bye\n", RUNNING, EXITED), "lab", LONG)
    assert time.monotonic() - begun < 10


def test_container_that_is_removed_while_it_is_waited_for_is_told_at_once(tmp_path):
    with pytest.raises(NotThere, match="no container"):
        wait_for_container(Engine(tmp_path, "", RUNNING, None), "lab", LONG)


def test_container_that_could_not_be_started_is_told_at_once(tmp_path):
    state = {"Status": "created", "ExitCode": 127, "Error": "exec: jupyter: not found in $PATH", "StartedAt": NEVER}
    with pytest.raises(NotThere, match="could not be started") as caught:
        wait_for_container(Engine(tmp_path, "", state), "lab", LONG)
    assert "Nothing was written to the log." in caught.value.why


def test_container_that_is_started_again_and_again_is_given_up(tmp_path):
    states = [restarting(1, 3), RUNNING, restarting(2, 3), RUNNING, restarting(3, 3)]
    with pytest.raises(LabError, match="again and again") as caught:
        wait_for_container(Engine(tmp_path, "oops\n", *states), "lab", LONG)
    assert "exit code 3" in caught.value.why
    assert "oops" in caught.value.why


def test_container_known_to_be_started_again_and_again_is_given_up_at_once(tmp_path):
    with pytest.raises(LabError, match="again and again"):
        wait_for_container(Engine(tmp_path, "", {**restarting(1), "_RestartCount": 3}), "lab", LONG)


def test_container_that_starts_at_the_second_attempt_is_waited_for(tmp_path):
    assert wait_for_container(
        Engine(tmp_path, banner(), restarting(1), restarting(1), RUNNING), "lab", LONG
    ).plain_token


def test_container_that_is_restarted_for_the_hundredth_time_is_waited_for(tmp_path):
    assert wait_for_container(Engine(tmp_path, banner(), {**RUNNING, "_RestartCount": 100}), "lab", LONG).plain_token


def test_container_that_is_not_started_yet_is_waited_for(tmp_path):
    created = {"Status": "created", "StartedAt": NEVER}
    assert wait_for_container(Engine(tmp_path, banner(), created, created, RUNNING), "lab", LONG).plain_token == TOKEN


@pytest.mark.parametrize(
    ("state", "why", "do"),
    [
        ({"Status": "created", "StartedAt": NEVER}, "has not been started", "docker start lab"),
        ({"Status": "paused"}, "is paused", "docker unpause lab"),
        ({"Status": "running"}, "No server has written one", "docker logs lab"),
    ],
)
def test_container_without_a_url_is_told_when_time_is_up(tmp_path, state, why, do):
    with pytest.raises(LabError, match=r"within 0\.2 seconds") as caught:
        wait_for_container(Engine(tmp_path, "starting\n", state), "lab", 0.2)
    assert why in caught.value.why
    assert do in caught.value.do
    assert ("starting" in caught.value.why) is (state["Status"] != "created")
    assert not isinstance(caught.value, NotThere)


def test_secrets_of_the_container_are_not_in_the_error(tmp_path):
    state = {**RUNNING, "_Config": {"Env": ["JUPYTER_TOKEN=blue-moon"]}}
    with pytest.raises(LabError) as caught:
        wait_for_container(Engine(tmp_path, "it is blue-moon\n", state), "lab", 0)
    assert "it is <hidden>" in caught.value.why


def test_only_the_log_of_the_present_run_is_asked_for(tmp_path):
    state = {**RUNNING, "FinishedAt": "2026-11-22T13:00:09Z"}
    wait_for_container(Engine(tmp_path, banner(), state), "lab", 0)
    assert "--since 2026-11-22T13:00:09.500000Z" in (tmp_path / "asked").read_text()


def test_url_that_stands_alone_in_a_container_counts_when_time_is_up(tmp_path):
    engine = Engine(tmp_path, f"http://127.0.0.1:8888/lab?token={TOKEN}\n", RUNNING)
    assert wait_for_container(engine, "lab", 0.2).plain_token == TOKEN


@pytest.mark.parametrize(
    ("state", "token"),
    [
        ({"_Config": {"Env": ["JUPYTER_TOKEN=a b/c+d%41"]}}, "a b/c+d%41"),
        ({"_Path": "tini", "_Args": ["--", "jupyter", "lab", "--IdentityProvider.token=opt"]}, "opt"),
        ({"_Args": ["--NotebookApp.token=opt"], "_Config": {"Env": ["JUPYTER_TOKEN=env"]}}, "opt"),
        ({}, ""),
    ],
)
def test_token_given_to_the_container_is_known_though_it_is_not_printed(tmp_path, state, token):
    log = (DATA / "server2_lab_env_token.txt").read_text().partition("[C")[0]
    server = wait_for_container(Engine(tmp_path, log, {**RUNNING, **state}), "lab", 0)
    assert server.plain_token == token
    assert server.token_hidden is not bool(token)


def test_token_that_is_printed_is_not_replaced(tmp_path):
    state = {**RUNNING, "_Config": {"Env": ["JUPYTER_TOKEN=other"]}}
    assert wait_for_container(Engine(tmp_path, banner(), state), "lab", 0).plain_token == TOKEN


def test_what_is_in_the_log_is_read_to_its_end_before_it_is_believed(tmp_path):
    engine = Engine(tmp_path, banner(), RUNNING)
    (tmp_path / "rest").write_text(END + banner(OTHER))
    follow = '[ "$2" = --follow ] && sleep 60'
    (tmp_path / "docker").write_text(f"#!/bin/sh\ncat {tmp_path}/log\n{follow}\ncat {tmp_path}/rest\n")
    assert wait_for_container(engine, "lab", LONG).plain_token == OTHER


def test_reading_that_is_cut_short_by_the_time_does_not_lose_what_was_seen(tmp_path):
    engine = Engine(tmp_path, f"http://127.0.0.1:8888/lab?token={TOKEN}\n", RUNNING)
    (tmp_path / "docker").write_text(f'#!/bin/sh\n[ "$2" = --follow ] && sleep 60\ncat {tmp_path}/log\n')
    assert wait_for_container(engine, "lab", 0.5).plain_token == TOKEN


def test_log_that_docker_cannot_read_is_told_at_once(tmp_path):
    words = "Error response from daemon: configured logging driver does not support reading\n"
    with pytest.raises(LabError, match="log cannot be read"):
        wait_for_container(Engine(tmp_path, words, RUNNING, logs_exit=1), "lab", LONG)


def test_log_that_has_no_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(jupyter_wait, "_READING", 0.2)
    engine = Engine(tmp_path, "", RUNNING)
    (tmp_path / "docker").write_text("#!/bin/sh\nexec yes line\n")
    with pytest.raises(LabError, match="could not be read to its end"):
        wait_for_container(engine, "lab", 0.1)


def test_log_of_a_hundred_megabytes_takes_flat_memory(tmp_path):
    engine = Engine(tmp_path, "", RUNNING)
    (tmp_path / "docker").write_text(f"#!/bin/sh\nyes {'x' * 99} | head -c 100000000\ncat {tmp_path}/log\n")
    (tmp_path / "log").write_text(banner())
    tracemalloc.start()
    try:
        assert wait_for_container(engine, "lab", LONG).plain_token == TOKEN
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


# Real containers


def printing(token: str, port: int = 8888) -> str:
    """Shell that prints a banner."""
    return f"printf '%s' '{banner(token, port)}'"


# Counts its starts in a file of the container.
COUNTED = "n=$(($(cat /n 2>/dev/null || echo 0) + 1)); echo $n >/n; "
COUNTED_BANNER = COUNTED + f"printf '%s' '{banner('RUN')}' | sed s/RUN/run$n/; exec sleep 300"


def follows(container_id: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"logs" in words and container_id.encode() in words:
            found.append(entry.parent.name)
    return found


def docker(*args: str) -> str:
    return Docker().output(*args)


@pytest.mark.docker
@pytest.mark.parametrize("options", [(), ("--tty",), ("--log-driver", "local")])
@pytest.mark.parametrize("target", ["&1", "&2"])
def test_real_container_is_followed_until_it_tells_its_url(container, options, target):
    name = container(f"echo starting; sleep 0.5; ({printing(TOKEN)}) >{target}; exec sleep 300", *options)
    assert wait_for_container(Docker(), name, LONG).plain_token == TOKEN
    assert follows(Docker().inspect_container(name).id) == []


@pytest.mark.docker
def test_real_container_that_ends_is_told_at_once(container):
    begun = time.monotonic()
    name = container(f"echo token={TOKEN}; echo no jupyter here >&2; sleep 0.3; exit 7")
    with pytest.raises(NotThere) as caught:
        wait_for_container(Docker(), name, LONG)
    assert time.monotonic() - begun < 20
    assert name in caught.value.what
    assert "exit code 7" in caught.value.why
    assert "no jupyter here" in caught.value.why
    assert TOKEN not in str(caught.value)


@pytest.mark.docker
def test_real_image_without_jupyter_is_told_at_once(container):
    with pytest.raises(NotThere) as caught:
        wait_for_container(Docker(), container(None, may_fail=True), LONG)
    assert "exit code 127" in caught.value.why
    assert "an image that starts a Jupyter server" in caught.value.do


@pytest.mark.docker
def test_real_container_that_docker_starts_again_and_again_is_given_up(container):
    begun = time.monotonic()
    name = container("echo no jupyter here; exit 7", "--restart", "unless-stopped")
    with pytest.raises(LabError, match="again and again") as caught:
        wait_for_container(Docker(), name, LONG)
    assert time.monotonic() - begun < 20
    assert "exit code 7" in caught.value.why


@pytest.mark.docker
def test_real_container_that_starts_at_the_second_attempt_is_waited_for(container):
    script = COUNTED + f"[ $n -gt 1 ] || exit 1; {printing(TOKEN)}; exec sleep 300"
    name = container(script, "--restart", "on-failure")
    assert wait_for_container(Docker(), name, LONG).plain_token == TOKEN


@pytest.mark.docker
def test_real_container_that_was_restarted_gives_the_token_of_its_present_run(container):
    name = container(COUNTED_BANNER, "--stop-signal", "KILL")
    for run in range(1, 5):
        assert wait_for_container(Docker(), name, LONG).plain_token == f"run{run}"
        docker("restart", "--time", "0", name)


@pytest.mark.docker
def test_real_container_restarted_without_a_server_does_not_give_the_token_of_its_last_run(container):
    name = container(COUNTED + f"[ $n -gt 1 ] || {printing(TOKEN)}; exec sleep 300", "--stop-signal", "KILL")
    assert wait_for_container(Docker(), name, LONG).plain_token == TOKEN
    docker("restart", "--time", "0", name)
    with pytest.raises(LabError, match="within 1 seconds"):
        wait_for_container(Docker(), name, 1)


@pytest.mark.docker
def test_real_server_restarted_inside_its_container_gives_the_new_token(container):
    ended = f"printf '%s' '{END}'"
    name = container(f"{printing('one')}; {ended}; sleep 0.5; {printing('two', 8889)}; exec sleep 300")
    assert wait_for_container(Docker(), name, LONG).plain_token == "two"  # noqa: S105 - made up


@pytest.mark.docker
def test_real_container_whose_log_cannot_be_read_is_told(container):
    with pytest.raises(LabError, match="logging driver"):
        wait_for_container(Docker(), container("exec sleep 300", "--log-driver", "none"), LONG)


@pytest.mark.docker
def test_real_container_that_is_silent_is_told_when_time_is_up(container):
    name = container("exec sleep 300")
    with pytest.raises(LabError, match="Nothing was written to the log"):
        wait_for_container(Docker(), name, 0.5)
    assert follows(Docker().inspect_container(name).id) == []


@pytest.mark.docker
def test_real_lab_image_is_waited_for():
    """The lab image itself, where it has been built: the one server that matters most."""
    if Docker().run("image", "inspect", "desi-lab:0.1.0").returncode != 0:
        pytest.skip("the lab image desi-lab:0.1.0 has not been built here")
    name = f"desi-lab-test-token-{os.getpid()}"
    try:
        docker(
            "run",
            "--detach",
            "--name",
            name,
            "--entrypoint",
            "jupyter",
            "desi-lab:0.1.0",
            "lab",
            "--allow-root",
            "--ip=0.0.0.0",
        )
        server = wait_for_container(Docker(), name, LONG)
        assert len(server.plain_token) == 48
        assert (server.url.scheme, server.url.port, server.url.path) == ("http", 8888, "/lab")
        answer = docker(
            "exec",
            name,
            "python3",
            "-c",
            "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())",
            f"http://127.0.0.1:8888/api/status?token={server.plain_token}",
        )
        assert json.loads(answer)["kernels"] == 0
    finally:
        Docker().run("rm", "--force", "--volumes", name)
