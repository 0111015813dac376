# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from test__jupyter_server_log import END, MARK, OTHER, TOKEN, banner
from web_server import web_server

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
    wait_for_published,
)

DATA = Path(__file__).parent / "data"
LONG = 60
NEVER = "0001-01-01T00:00:00Z"
ALONE = f"http://127.0.0.1:8888/lab?token={TOKEN}\n"
ALONE_OTHER = f"http://127.0.0.1:8888/lab?token={OTHER}\n"


def later(action) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def test_timeout_that_makes_no_sense_is_refused():
    for timeout in (0, 0.5, 86400):
        check_timeout(timeout)
    for timeout in (-1, 86401, float("inf"), float("nan")):
        with pytest.raises(LabError, match="is not a time to wait"):
            check_timeout(timeout)


# Text


@pytest.mark.parametrize("text", [banner(), ALONE.strip(), f"\ud800\n{banner()}", f"{banner()}{ALONE_OTHER}"])
def test_text_is_read_at_once(text):
    assert read_text(text).plain_token == TOKEN


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "No server has written one."),
        ("my diary, pin 4711", "No server has written one."),
        ("http://127.0.0.1:8888/lab", "No server has written one."),
        (f"{banner()}{END}{ALONE_OTHER}", "A Jupyter server was there, but it has been shut down."),
    ],
)
def test_text_without_a_running_server_is_told_and_not_repeated(text, why):
    with pytest.raises(LabError) as caught:
        read_text(text)
    assert caught.value.why == why
    assert not [word for word in ("4711", "diary", OTHER) if word in str(caught.value)]


# File


@pytest.mark.parametrize(
    ("text", "timeout", "token"),
    [
        (banner(), 0, TOKEN),
        (f"{banner()}{'x' * 99}\n" * 5000 + END + banner(OTHER), 0, OTHER),  # read to its end before it is believed
        (banner().rstrip("\n"), 0.3, TOKEN),  # an unfinished line counts when time is up
        (ALONE, 0.3, TOKEN),  # so does a URL that stands alone
    ],
)
def test_file_is_read_to_its_end(log, text, timeout, token):
    log.write_text(text)
    begun = time.monotonic()
    assert wait_for_file(log, timeout).plain_token == token
    assert time.monotonic() - begun >= timeout


def test_file_that_does_not_grow_is_not_waited_for_once_it_has_the_url(log, monkeypatch):
    monkeypatch.setattr(jupyter_wait, "_BANNER", LONG)
    log.write_text(banner())
    begun = time.monotonic()
    wait_for_file(log, LONG)
    assert time.monotonic() - begun < LONG / 2


def test_file_that_comes_later_and_grows_in_pieces_is_waited_for_until_its_banner_is_over(log):
    text = f"{banner()}{MARK}    http://localhost:8888/lab?token={TOKEN}\n"

    def write():
        with log.open("a") as target:
            for start in range(0, len(text), 7):
                time.sleep(0.01)
                target.write(text[start : start + 7])
                target.flush()

    writer = later(write)
    server = wait_for_file(log, LONG)
    writer.join()
    assert (server.plain_token, len(server.urls)) == (TOKEN, 2)


def test_file_that_never_stops_growing_is_answered(log, monkeypatch):
    monkeypatch.setattr(jupyter_wait, "_BANNER", 0.2)
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


def empty(path: Path) -> None:
    path.write_text(banner())


def replace(path: Path) -> None:
    with path.open("a") as target:
        target.write(f"{MARK}All authentication is disabled.\nhalf a line")
    path.rename(path.with_suffix(".1"))
    path.write_text(f"{MARK}Jupyter Server is running at:\n{MARK}http://127.0.0.1:8888/lab\n")


@pytest.mark.parametrize(("change", "open_to_all"), [(empty, False), (replace, True)])
def test_file_that_is_emptied_or_replaced_is_read_from_its_new_start(log, monkeypatch, change, open_to_all):
    read_on, times = jupyter_wait._GrowingFile.read_on, []

    def read_and_change(self, server_log):
        times.append(read_on(self, server_log))
        if len(times) == 1:
            change(log)
        return times[-1]

    monkeypatch.setattr(jupyter_wait._GrowingFile, "read_on", read_and_change)
    log.write_text("x" * 9999)
    assert wait_for_file(log, LONG).authentication_off is open_to_all


def test_file_without_a_url_is_told_with_its_last_lines_and_no_secret(log):
    secrets = f"GET /?token={TOKEN} it is {TOKEN}, or blue%2Dmoon or blue-moon\n"
    log.write_text(f"old\n{banner()}{END}{banner('blue%2Dmoon')}{END}" + "line\n" * 19 + secrets)
    with pytest.raises(LabError, match=r"within 0\.2 seconds") as caught:
        wait_for_file(log, 0.2)
    assert "GET /?token=<hidden> it is <hidden>, or <hidden> or <hidden>" in caught.value.why
    assert "has been shut down" in caught.value.why
    assert caught.value.why.count("\n") == 20
    assert not isinstance(caught.value, NotThere)


def test_file_that_never_comes_is_told(log):
    with pytest.raises(NotThere, match="There is no file"):
        wait_for_file(log, 0.2)


@pytest.mark.parametrize(
    ("make", "below", "said"),
    [
        (Path.mkdir, "", "is not a log file"),
        (os.mkfifo, "", "is not a log file"),
        (Path.touch, "log", "Not a directory"),
    ],
)
def test_path_that_is_no_file_is_refused_at_once(log, make, below, said):
    make(log)
    with pytest.raises(LabError, match=said):
        wait_for_file(log / below, LONG)


# From when on a log counts


def container_of(started: str, finished: str) -> Container:
    return Container.from_inspect({"State": {"StartedAt": started, "FinishedAt": finished}})


@pytest.mark.parametrize(
    ("started", "finished", "since"),
    [
        ("2026-11-22T13:00:10.5Z", NEVER, ""),
        ("2026-11-22T13:00:10.000000000Z", "2026-11-22T13:00:09.500000000Z", "2026-11-22T13:00:09.750000Z"),
        ("2026-11-22T14:00:10.123456789+01:00", "2026-11-21T10:00:00Z", "2026-11-22T13:00:08.123456Z"),
        ("2026-11-22T13:00:10Z", "2026-11-22T13:00:11Z", ""),
        ("", "", ""),
        ("yesterday", "2026-11-22T13:00:10Z", ""),
        ("2026-13-22T13:00:10Z", "2026-11-22T13:00:10Z", ""),
    ],
)
def test_log_counts_from_the_present_run_on(started, finished, since):
    assert began(container_of(started, finished)) == since


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
        self.inside = b""

    def output_in_container(self, name: str, argv, limit: int, seconds: float) -> bytes:
        return self.inside

    def inspect_container(self, name: str) -> Container | None:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state is None:
            return None
        outer = {key.lstrip("_"): value for key, value in state.items() if key.startswith("_")}
        times = {"StartedAt": "2026-11-22T13:00:10Z", "FinishedAt": NEVER}
        return Container.from_inspect({"Name": f"/{name}", "Id": "5f0c4d1e2a3b", **outer, "State": {**times, **state}})


RUNNING = {"Status": "running"}
UNREADABLE = "Error response from daemon: configured logging driver does not support reading\n"
EXITED = {"Status": "exited", "ExitCode": 1}


def restarting(number: int, code: int = 1) -> dict:
    return {"Status": "restarting", "ExitCode": code, "StartedAt": f"2026-11-22T13:00:{number:02}Z"}


@pytest.mark.parametrize(
    ("state", "said", "do"),
    [
        ({"ExitCode": 127}, "exit code 127 (its command is not in the image)", "give an image that starts"),
        ({"ExitCode": 0}, "exit code 0 (as a program does", "give an image that starts"),
        ({"ExitCode": 1}, "exit code 1. The last lines", "docker logs lab"),
        ({"ExitCode": 143}, "exit code 143 (it was told to stop)", "docker start lab"),
        ({"ExitCode": 137}, "exit code 137 (it was killed)", "docker start lab"),
        ({"ExitCode": 137, "OOMKilled": True}, "(the memory was used up)", "more memory"),
        ({"ExitCode": 127, "Error": "exec: no jupyter --x.token=s3cr3t."}, "jupyter --x.token=<hidden>. The", "image"),
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


SECRET = {"_Config": {"Env": ["JUPYTER_TOKEN=blue-moon"]}}
CREATED = {"Status": "created", "StartedAt": NEVER}
UNSTARTABLE = {**CREATED, "ExitCode": 127, "Error": "exec: jupyter: not found in $PATH"}
CRASHES = [restarting(1, 3), RUNNING, restarting(2, 3), RUNNING, restarting(3, 3)]


@pytest.mark.parametrize(
    ("log", "states", "error", "what", "why"),
    [
        ("", [None], NotThere, "There is no container lab", ""),
        ("", [RUNNING, None], NotThere, "There is no container lab", ""),
        ("bye\n", [RUNNING, EXITED], NotThere, "has ended", "bye"),
        ("", [UNSTARTABLE], NotThere, "could not be started", "Nothing was written to the log."),
        ("oops\n", CRASHES, LabError, "stays up", "oops"),
        ("", [{**restarting(1, 3), "_RestartCount": 3}], LabError, "stays up", "code 3, and Docker starts it again"),
        (UNREADABLE, [RUNNING], LabError, "log cannot be read", "logging driver"),
    ],
)
def test_container_in_which_no_server_will_come_is_told_at_once(tmp_path, log, states, error, what, why):
    begun = time.monotonic()
    with pytest.raises(LabError) as caught:
        wait_for_container(Engine(tmp_path, log, *states, logs_exit=int(log == UNREADABLE)), "lab", LONG)
    assert type(caught.value) is error
    assert what in caught.value.what
    assert why in caught.value.why
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("states", "timeout"),
    [
        ([RUNNING], 0),
        ([restarting(1), restarting(1), RUNNING], LONG),
        ([{**RUNNING, "_RestartCount": 100}], LONG),
        ([CREATED, CREATED, RUNNING], LONG),
        # A token that is printed is not replaced by one that was given.
        ([{**RUNNING, "_Config": {"Env": ["JUPYTER_TOKEN=other"]}}], 0),
    ],
)
def test_container_is_waited_for_as_long_as_its_server_may_come(tmp_path, states, timeout):
    assert wait_for_container(Engine(tmp_path, banner(), *states), "lab", timeout).plain_token == TOKEN


INSIDE = {"base_url": "/", "hostname": "::", "port": 8888, "secure": False, "token": OTHER, "password": False}


@pytest.mark.parametrize(
    ("log", "inside", "token"),
    [
        ("", INSIDE, OTHER),
        (ALONE, INSIDE, OTHER),  # believed last
        (banner(), INSIDE, TOKEN),
        (ALONE, {**INSIDE, "port": "8888"}, TOKEN),
        (f"{banner()}{END}", INSIDE, OTHER),
        (banner("..."), {**INSIDE, "token": "a b"}, "a b"),
        (banner("..."), {**INSIDE, "token": ["a"]}, ""),
    ],
)
@pytest.mark.parametrize("timeout", [0, LONG])
def test_container_is_queried_where_its_log_has_no_url_or_no_token(tmp_path, monkeypatch, log, inside, token, timeout):
    monkeypatch.setattr(jupyter_wait, "_QUERY_AFTER", 0.01)
    engine = Engine(tmp_path, log, RUNNING)
    engine.inside = json.dumps(inside).encode()
    (tmp_path / "docker").write_text(f'#!/bin/sh\ncat {tmp_path}/log\n[ "$2" = --follow ] && exec sleep 60\n')
    if timeout and log == ALONE and token == TOKEN:
        timeout = 0.2
    server = wait_for_container(engine, "lab", timeout)
    assert (server.plain_token, server.doubt) == (token, None)


@pytest.mark.parametrize(
    ("log", "inside", "answers", "expected"),
    [
        ("", "", "http", "hidden"),
        ("", "", "", "No URL"),
        ("", {**INSIDE, "port": 49494}, "", "-e lab_container_port=49494"),
        ("", {**INSIDE, "port": 49494}, "http", OTHER),
        ("", {**INSIDE, "hostname": "localhost"}, "", "--ip=0.0.0.0"),
        ("", {**INSIDE, "sock": "/run/x", "port": 0}, "", "Unix socket"),
        (banner(port=8889), "", "", "-e lab_container_port=8889"),
        (banner(port=8889), "", "http", TOKEN),
        (banner(), {**INSIDE, "hostname": "127.0.0.1"}, "", "--ip=0.0.0.0"),
        (banner(), INSIDE, "", TOKEN),
        (banner().replace("127.0.0.1", "5f0c4d1e2a3b"), {**INSIDE, "hostname": "localhost"}, "", TOKEN),
        (banner("..."), "", "", "nothing answers"),
        (banner("..."), "", "http", "hidden"),
    ],
)
def test_server_that_nothing_reaches_is_told_with_the_setting_that_mends_it(
    tmp_path, monkeypatch, log, inside, answers, expected
):
    monkeypatch.setattr(jupyter_wait, "answering_scheme", lambda *_place: answers)
    engine = Engine(tmp_path, log, {**RUNNING, "_HostConfig": {"PortBindings": {"8888/tcp": [{}]}}})
    engine.inside = json.dumps(inside).encode() if inside else b""
    try:
        server = wait_for_published(engine, "lab", 0, "127.0.0.1", 9999, kept=False)
        said = "hidden" if server.token_hidden else server.plain_token
    except LabError as error:
        said = str(error)
    assert expected in said


@pytest.mark.parametrize("state", [RUNNING, {**EXITED, "ExitCode": 137}, EXITED, restarting(1, 3)])
def test_advice_for_a_container_that_is_rolled_back_does_not_need_it(tmp_path, state):
    engine = Engine(tmp_path, "oops\n", {**state, "_RestartCount": 3})
    for kept in (True, False):
        with pytest.raises(LabError, match="oops") as caught:
            wait_for_container(engine, "lab", 0, kept)
        assert bool(re.search("docker [a-z]+ lab", caught.value.do)) is kept


def test_whatever_answers_is_an_answer():
    with web_server(lambda _asked: (501, b"", {})) as url:
        assert jupyter_wait.answering_scheme("127.0.0.1", urlsplit(url).port) == "http"
    assert not jupyter_wait.answering_scheme("127.0.0.1", 1)


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
        wait_for_container(Engine(tmp_path, "starting blue-moon\n", {**SECRET, **state}), "lab", 0.2)
    assert why in caught.value.why
    assert do in caught.value.do
    assert "blue-moon" not in caught.value.why
    assert ("starting" in caught.value.why) is (state["Status"] != "created")
    assert not isinstance(caught.value, NotThere)


def test_only_the_log_of_the_present_run_is_asked_for(tmp_path):
    state = {**RUNNING, "FinishedAt": "2026-11-22T13:00:09Z"}
    wait_for_container(Engine(tmp_path, banner(), state), "lab", 0)
    assert "--since 2026-11-22T13:00:09.500000Z" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    ("state", "token"), [({"_Config": {"Env": ["JUPYTER_TOKEN=a b/c+d%41"]}}, "a b/c+d%41"), ({}, "")]
)
def test_token_given_to_the_container_is_known_though_it_is_not_printed(tmp_path, state, token):
    log = (DATA / "server2_lab_env_token.txt").read_text().partition("[C")[0]
    server = wait_for_container(Engine(tmp_path, log, {**RUNNING, **state}), "lab", 0)
    assert server.plain_token == token
    assert server.token_hidden is not bool(token)


def test_what_is_in_the_log_is_read_to_its_end_before_it_is_believed(tmp_path):
    engine = Engine(tmp_path, banner(), RUNNING)
    (tmp_path / "rest").write_text(END + banner(OTHER))
    follow = '[ "$2" = --follow ] && sleep 60'
    (tmp_path / "docker").write_text(f"#!/bin/sh\ncat {tmp_path}/log\n{follow}\ncat {tmp_path}/rest\n")
    assert wait_for_container(engine, "lab", LONG).plain_token == OTHER


def test_reading_that_is_cut_short_by_the_time_does_not_lose_what_was_seen(tmp_path):
    engine = Engine(tmp_path, ALONE, RUNNING)
    (tmp_path / "docker").write_text(f'#!/bin/sh\n[ "$2" = --follow ] && sleep 60\ncat {tmp_path}/log\n')
    assert wait_for_container(engine, "lab", 0.5).plain_token == TOKEN


def test_log_that_has_no_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(jupyter_wait, "_READING", 0.2)
    engine = Engine(tmp_path, "", RUNNING)
    (tmp_path / "docker").write_text("#!/bin/sh\nexec yes line\n")
    with pytest.raises(LabError, match="could not be read to its end"):
        wait_for_container(engine, "lab", 0.1)


# Real containers


def printing(token: str, port: int = 8888) -> str:
    """Shell that prints a banner."""
    return f"printf '%s' '{banner(token, port)}'"


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


@pytest.mark.docker
@pytest.mark.parametrize("options", [(), ("--tty",), ("--log-driver", "local")])
def test_real_container_is_followed_until_it_tells_its_url(container, options):
    name = container(f"echo starting; sleep 0.5; ({printing(TOKEN)}) >&2; exec sleep 300", *options)
    assert wait_for_container(Docker(), name, LONG).plain_token == TOKEN
    assert follows(Docker().inspect_container(name).id) == []
