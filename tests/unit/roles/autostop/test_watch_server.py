# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the watcher learns of a lab's server: by stand-ins here, and by a real one in a container."""

import json
import os
import socket
import time
from urllib.parse import urlsplit

import pytest
from desi_watch import engine, observation, server
from desi_watch.decision import Now
from desi_watch.settings import Settings
from web_server import web_server

# What runs on the computer that tests is none of the test's business.
DEAF = Settings(cpu_floor=1e9, network_floor=1e12)


# Kernels


def kernel(state="idle", last="2026-11-24T10:00:00Z", number="1"):
    return {"id": number, "name": "python3", "execution_state": state, "last_activity": last, "connections": 0}


@pytest.mark.parametrize(
    ("states", "use"),
    [(("idle", "dead", "starting", "restarting"), False), (("busy", "unknown", "something new"), True)],
)
def test_a_kernel_that_is_busy_or_not_understood_is_use_and_one_that_rests_is_not(states, use):
    for state in states:
        shown = server.kernels([kernel(), kernel(state, number="2")], {})[0]
        assert shown == ([f"a kernel is {state}"] if use else [])


def test_a_kernel_that_did_something_since_the_last_look_was_used_whatever_clocks_say():
    _active, marks = server.kernels([kernel(last="2026-11-24T10:00:00Z")], {})
    assert server.kernels([kernel(last="2026-11-24T10:00:00Z")], marks)[0] == []
    assert server.kernels([kernel(last="2025-01-01T00:00:00Z")], marks)[0] == ["a kernel was used"]


# Browsers

LISTED = (
    "0      0      {where}:8888 172.17.0.1:53022\n"
    "\t bbr wscale:10,10 rto:204 rtt:0.023/0.015 bytes_sent:347 lastsnd:1164 lastrcv:{silent} lastack:1164\n"
)


def test_a_browser_is_connected_of_which_something_came_lately_and_not_the_container_itself():
    def listed(where, silent):
        return LISTED.format(where=where, silent=silent)

    speaks, silent = listed("172.17.0.2", 30_000), listed("172.17.0.2", 151_000)
    itself = "".join(listed(where, 10) for where in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"))
    assert server.browsers(speaks) == ["a browser is connected"]
    assert server.browsers(silent * 2 + listed("[::ffff:172.17.0.2]", 5)) == ["a browser is connected"]
    assert [server.browsers(text) for text in ("", silent, itself)] == [[], [], []]


# What a server tells its own tools

CONTENT = {"port": 8888, "base_url": "/", "token": "6f1c", "secure": False, "pid": 1, "url": "http://h:8888/"}


def test_the_token_is_read_off_the_servers_own_file_and_nothing_off_another(tmp_path):
    file = tmp_path / "jpserver-1.json"
    for text in ("", "[]", "{}", json.dumps({**CONTENT, "port": "x"}), "x" * 70_000):
        file.write_text(text)
        assert server.server_in(file) is None
    file.write_text(json.dumps(CONTENT))
    assert server.server_in(file)[1] == server.Server(8888, "/", "6f1c", False)
    (tmp_path / "a").symlink_to(file)
    os.mkfifo(tmp_path / "b")
    (tmp_path / "c").mkdir()
    assert [server.server_in(tmp_path / name) for name in ("a", "b", "c", "none")] == [None] * 4


@pytest.fixture
def inside(tmp_path):
    """A container's first process with a home whose server tells its token; gives its root and what is outside."""
    process, root, outside = tmp_path / "proc/7", tmp_path / "root", tmp_path / "outside"
    (process / "ns").mkdir(parents=True)
    (process / "ns/pid").symlink_to("pid:[1]")
    (process / "root").symlink_to(root)
    runtime = root / "home/ann/.local/share/jupyter/runtime"
    for folder in (runtime, outside / "share/jupyter/runtime"):
        folder.mkdir(parents=True)
    (process / "environ").write_bytes(b"HOME=/home/ann\0")
    (runtime / "jpserver-1.json").write_text(json.dumps(CONTENT))
    (outside / "share/jupyter/runtime/jpserver-9.json").write_text(json.dumps({**CONTENT, "token": "outside"}))
    return root, outside, process / "environ"


def test_a_server_is_found_below_the_home_of_its_container(inside, tmp_path):
    assert server.server_of(7, 8888, tmp_path / "proc") == server.Server(8888, "/", "6f1c", False)


@pytest.mark.security("M12")
@pytest.mark.parametrize("at", ["home/ann/.local", "home/ann", "home", "home/ann/.local/share/jupyter/runtime"])
def test_no_link_leads_roots_watcher_out_of_a_container(inside, tmp_path, at):
    root, outside, _environ = inside
    (outside / "ann").mkdir()
    for name in (".local", "ann/.local"):
        (outside / name).symlink_to(outside)
    targets = {"home/ann/.local/share/jupyter/runtime": outside / "share/jupyter/runtime"}
    (root / at).rename(root / "moved")
    (root / at).symlink_to(targets.get(at, outside))
    with pytest.raises(LookupError):
        server.server_of(7, 8888, tmp_path / "proc")


@pytest.mark.security("M12")
def test_no_part_of_a_path_leads_roots_watcher_out_of_a_container(inside, tmp_path):
    _root, outside, environ = inside
    environ.write_bytes(f"JUPYTER_RUNTIME_DIR=/../{outside.name}/share/jupyter/runtime\0".encode())
    with pytest.raises(LookupError):
        server.server_of(7, 8888, tmp_path / "proc")


# A server, and Docker, that answer as they like


@pytest.fixture
def web():
    """A server on this computer; gives its port, what it answers by path, and what it was asked with which token."""
    answers, asked = {}, []

    def answer(request):
        path = request.path.partition("?")[0]
        asked.append((path, request.headers.get("Authorization", "")))
        status, body = answers.get(path, (404, "{}"))
        return status, body.encode(), {}

    with web_server(answer) as url:
        yield urlsplit(url).port, answers, asked


def test_a_server_is_asked_with_its_token_below_its_base(web):
    port, answers, asked = web
    answers["/hub/api/kernels"] = (200, "[]")
    assert server.query(server.Server(port, "/hub/", "6f1c", False), "api/kernels") == []
    assert asked == [("/hub/api/kernels", "token 6f1c")]
    for answer in ((403, "{}"), (500, ""), (200, "<html>")):
        answers["/api/kernels"] = answer
        with pytest.raises((OSError, ValueError)) as raised:
            server.query(server.Server(port, "/", "6f1c", False), "api/kernels")
        assert "6f1c" not in str(raised.value)


def test_a_dask_scheduler_with_tasks_computes_and_none_or_one_without_does_not(web):
    port, answers, _asked = web
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert server.dask(free) == server.dask(port) == []
    for counts, shown in (
        ('{"processing": 0, "waiting": 0, "tasks": 7}', []),
        ('{"processing": 2, "waiting": 0}', ["Dask computes"]),
        ('["no counts"]', []),
    ):
        answers["/json/counts.json"] = (200, counts)
        assert server.dask(port) == shown


@pytest.mark.security("L2", "L13")
def test_what_notebooks_let_their_server_say_is_told_printable_and_bounded(monkeypatch):
    said = [f"a kernel is {number}\ud800\u202e\n" + "x" * 5000 for number in range(300)]

    def labs(found, _socket):
        found.active += said
        found.doubts += said

    monkeypatch.setattr(observation.Observation, "observe_labs", labs)
    now = Now(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), 0.0)
    seen = observation.observe({}, DEAF, now, "")
    for texts in (seen["active"], seen["doubts"]):
        assert 1 < len(texts) <= 50
        assert all(each.isprintable() and len(each) <= 200 for each in texts)


@pytest.mark.security("L13")
def test_an_answer_without_an_end_is_refused(web):
    port, answers, _asked = web
    answers["/api/kernels"] = (200, json.dumps("x" * server.LARGEST))
    with pytest.raises(OSError, match="longer than"):
        server.query(server.Server(port, "/", "", False), "api/kernels")


CONTAINER = {
    "Config": {"Labels": {"desi.lab.name": "desi", "desi.lab.folder": "/home/ec2-user/synced"}},
    "HostConfig": {"PortBindings": {"8889/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8888"}]}},
    "State": {"Pid": 4711},
}


def test_a_lab_is_known_by_what_its_container_says():
    assert engine.lab_of(CONTAINER) == engine.Lab("desi", 4711, "/home/ec2-user/synced", 8889)


def test_docker_that_does_not_answer_and_a_fault_of_the_watchers_own_are_doubts(monkeypatch, tmp_path):
    now = Now(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), 0.0)
    seen = observation.observe({}, DEAF, now, str(tmp_path / "none"))
    assert [doubt.partition(" (")[0] for doubt in seen["doubts"]] == ["which labs run cannot be known"]
    assert seen["directories"] == []
    monkeypatch.setattr(observation.counters, "read_counters", lambda: 1 / 0)
    seen = observation.observe({}, DEAF, now, str(tmp_path / "none"))
    assert seen["doubts"][0].startswith("the watcher has a fault (ZeroDivisionError")
    assert len(seen["doubts"]) == 2
