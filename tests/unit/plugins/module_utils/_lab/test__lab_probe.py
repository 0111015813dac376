# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import ast
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.names import BadAnswer
from ansible_collections.desi.lab.plugins.module_utils._common.text import one_line
from ansible_collections.desi.lab.plugins.module_utils._lab import probe
from ansible_collections.desi.lab.plugins.module_utils._status import probe_answer
from ansible_collections.desi.lab.plugins.module_utils._status import remote_probe as ssh


def test_images_are_known_by_every_name_that_leads_to_them():
    listing = "sha256:1 desi-lab:0.1.0\nsha256:1 desi-lab:latest\nsha256:2 <none>:<none>\n\nwhat is this\n"
    assert probe.image_ids(listing) == {"desi-lab:0.1.0": "sha256:1", "desi-lab:latest": "sha256:1"}


def test_it_needs_nothing_that_is_not_in_every_python():
    tree = ast.parse(ssh.source())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in named} <= sys.stdlib_module_names


def test_it_runs_by_itself_from_standard_input_and_prints_one_document(tmp_path):
    # Without a Docker and with nothing listening, there is nothing to tell but how long the computer has been up.
    command, alone = [sys.executable, "-I", "-S", "-", "9"], {"PATH": str(tmp_path)}
    done = subprocess.run(command, input=ssh.source(), env=alone, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert (told["containers"], told["images"], told["server"]) == ([], {}, False)
    assert told["uptime"] > 0


@pytest.fixture
def docker(tmp_path, monkeypatch):
    program = tmp_path / "docker"
    document = [{"Id": "1", "Image": "sha256:1", "State": {}, "HostConfig": {}, "Config": {"Env": ["TOKEN=secret"]}}]
    lines = ["#!/bin/sh", 'case "$1" in exec) echo "$3" ;; ps) echo 1 ;; container)']
    lines += [f"cat <<'END'\n{json.dumps(document)}\nEND\n;; esac"]
    program.write_text("\n".join(lines))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_environment_of_a_container_which_may_hold_secrets_stays_where_it_is(docker):
    [container] = probe.containers()
    assert container["Image"] == "sha256:1"
    assert "secret" not in json.dumps(container)


def test_a_scheduler_is_asked_in_its_container_and_only_where_somebody_says_so(docker, monkeypatch):
    monkeypatch.setattr(probe, "MOST_CHARACTERS", 3)
    assert [probe.inspect(9, scheduler)["dask"] for scheduler in ([], ["one", "long"])] == ["", "lon"]


@pytest.mark.parametrize("text", ["", "{", "[1, 2]x"])
def test_watcher_that_wrote_nonsense_is_none(tmp_path, monkeypatch, text):
    monkeypatch.setattr(probe, "WATCH", str(tmp_path / "state.json"))
    assert probe.watch_state() is None
    Path(probe.WATCH).write_text(text)
    assert probe.watch_state() is None
    Path(probe.WATCH).write_text('{"version": 1}')
    assert probe.watch_state() == {"version": 1}


# Over SSH

SCHEDULER = "desi-lab-desi-scheduler"


@pytest.fixture
def fake_ssh(tmp_path, monkeypatch):
    def install(script):
        (tmp_path / "ssh").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return lambda: ssh.ask(tmp_path / "config", "desi-desi", "203.0.113.7", 8888, SCHEDULER, "program")

    return install


def test_machine_is_asked_at_the_address_that_aws_says_and_known_by_its_own_key(fake_ssh, tmp_path):
    fake_ssh(f"printf '%s\\n' \"$@\" >{tmp_path}/words; cat >{tmp_path}/program; echo '{{}}'")()
    words = (tmp_path / "words").read_text().splitlines()
    assert words[:2] == ["-F", str(tmp_path / "config")]
    assert {"HostName=203.0.113.7", "BatchMode=yes", "StrictHostKeyChecking=yes"} <= set(words)
    assert words[-2] == "desi-desi"
    assert shlex.split(words[-1])[:6] == ["/usr/bin/python3", "-I", "-S", "-", "8888", SCHEDULER]
    assert (tmp_path / "program").read_text() == "program"


@pytest.mark.parametrize("script", ["exit 255", "exec sleep 30", "sleep 30 & wait"])
def test_machine_that_does_not_answer_sensibly_in_time_is_not_waited_for(fake_ssh, script, monkeypatch):
    monkeypatch.setattr(ssh, "WHOLE_SECONDS", 0.3)
    began = time.monotonic()
    assert fake_ssh(script)() is None
    assert time.monotonic() - began < 10


# What a machine answers

TOLD = {
    "watch": {"version": 1, "idle_since": 1.7e9, "active": ["A kernel is busy."], "last_stop": None},
    "uptime": 12.5,
    "mounts": {"/var/lib/desi-lab/mounts/a": True},
    "containers": [
        {
            "Image": "sha256:0a",
            "State": {"Running": True, "Status": "running", "StartedAt": "2026-11-24T11:00:00Z", "Pid": 7},
            "Config": {
                "Labels": {"desi.lab.name": "desi", "desi.lab.mount": "/m", "of.others": "a\nb"},
                "Image": "desi-lab",
            },
            "HostConfig": {"PortBindings": {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8888"}]}},
        }
    ],
    "images": {"desi-lab:0.1.0": "sha256:0a"},
    "server": True,
    "dask": '{"workers": 2, "processing": 3, "waiting": 4, "memory": 5, "bytes": 6}',
}


def changed(path, value):
    """Return an answer in which one thing is another."""
    told = json.loads(json.dumps(TOLD))
    *above, last = path
    inner = told
    for key in above:
        inner = inner[key]
    inner[last] = value
    return told


def test_an_answer_is_read_as_what_it_is():
    told = probe_answer.parse(json.dumps(TOLD).encode())
    assert told["containers"][0]["Config"]["Labels"] == {"desi.lab.name": "desi", "desi.lab.mount": "/m"}
    assert (told["uptime"], told["server"], told["watch"]["active"]) == (12.5, True, ["A kernel is busy."])
    assert told["dask"] == {"workers": 2, "processing": 3, "waiting": 4, "memory": 5}


@pytest.mark.parametrize("said", ["", "no", "[]", '{"workers": -1}', '{"workers": "2"}'])
def test_a_scheduler_that_says_nothing_sensible_is_as_good_as_silent(said):
    assert probe_answer.parse(json.dumps(changed(("dask",), said)).encode())["dask"] is None


@pytest.mark.security("L2", "L13")
@pytest.mark.parametrize(
    "name", ["\x1b]0;owned\x07", "a\tb", "\u202egpj", "\ud800", "\r\n", "x" * 5000, "\u00e9\u0301", "nb\u200b"]
)
def test_what_notebooks_are_called_hides_neither_the_idle_stop_nor_the_deadline(name):
    watch = {"idle_stop_at": 1.8e9, "deadline": 1.9e9, "active": [f"a kernel is {name}", f"{name} runs"] * 200}
    watch["last_stop"] = {"at": 1.7e9, "why": f"It was over. At that time: {name}."}
    found = probe_answer.parse(json.dumps(changed(("watch",), watch)).encode())["watch"]
    assert (found["idle_stop_at"], found["deadline"]) == (1.8e9, 1.9e9)
    said = [*found["active"], found["last_stop"]["why"]]
    assert len(said) == 201
    assert all(len(each) <= 1000 and each == one_line(each) and each.encode() for each in said)
    assert said[0].startswith("a kernel is")


HOSTILE_LABELS = (("mount", "-x"), ("folder", "/a/../../etc"), ("text", "a\rb"), ("name", 3))


@pytest.mark.security("C2", "L13")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("uptime",), "long"),
        (("uptime",), -1),
        (("server",), "yes"),
        (("dask",), {"workers": 1}),
        *((("mounts",), each) for each in ({"../../x": True}, {"/m": "True"})),
        *((("images",), {"a": "--help"}), (("containers",), {}), (("extra",), 1)),
        *((("watch", "active"), each) for each in ("a kernel is busy", ["a kernel is busy", 3])),
        (("watch", "idle_since"), 1e300),
        (("watch", "last_stop"), {"at": 1, "why": ["x"]}),
        (("containers", 0, "Image"), "sha256:zz"),
        (("containers", 0, "State"), {"Running": "no"}),
        *((("containers", 0, "Config", "Labels"), {f"desi.lab.{name}": each}) for name, each in HOSTILE_LABELS),
        (("containers", 0, "HostConfig"), {"PortBindings": {"8888/tcp": [{"HostIp": "x", "HostPort": "99999"}]}}),
        (("containers", 0, "HostConfig"), {"PortBindings": {"8888/tcp": [{"HostIp": "x", "HostPort": "-1"}]}}),
    ],
)
def test_an_answer_of_another_shape_is_refused_as_a_whole(path, value):
    with pytest.raises(BadAnswer):
        probe_answer.parse(json.dumps(changed(path, value)).encode())


@pytest.mark.security("C2", "L13")
@pytest.mark.parametrize("script", ["echo nonsense", "echo '[]'", "yes"])
def test_what_is_refused_is_said_to_be_and_none_of_it_is_kept(fake_ssh, script):
    assert list(fake_ssh(script)()) == ["refused"]
