# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Container
from ansible_collections.desi.lab.plugins.module_utils._jupyter.running_servers import (
    QUERY,
    as_server,
    choose,
    parse_servers,
    token_given,
)

SERVER = {"base_url": "/", "hostname": "::", "password": False, "pid": 7, "port": 8888, "secure": False}
SERVER |= {"sock": "", "token": "abc", "url": "http://5f0c:8888/", "version": "2.21.1", "root_dir": "/"}
# As notebook 6 tells it.
OLD = {"base_url": "/", "hostname": "localhost", "notebook_dir": "/", "password": False, "pid": 7, "port": 8888}
OLD |= {"secure": False, "sock": "", "token": "abc", "url": "http://localhost:8888/"}
NOBODY = Container.from_inspect({})


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(SERVER),
        json.dumps([SERVER]),
        json.dumps(OLD),
        "Currently running servers:\n[C 2026] migrating\n" + json.dumps(SERVER) + "\n",
        json.dumps({**SERVER, "port": "8888; rm"}) + "\n" + json.dumps(SERVER),
        json.dumps([{**SERVER, "token": "\x1b]0;"}, 7, None, SERVER]),
    ],
)
def test_running_servers_are_read(answer):
    (server,) = parse_servers(answer.encode())
    assert (server.port, server.path, server.token, server.secure) == (8888, "/", "abc", False)


@pytest.mark.parametrize(
    "changed",
    [
        *({"port": each} for each in (0, 65536, True, "8888")),
        *({"token": each} for each in ("é", "a\nb", None, "x" * 513)),
        *({"base_url": each} for each in ("http://evil.example.org/", "/../x", "/?token=x", "/ /")),
        *({"secure": "no"}, {"password": 1}, {"hostname": ["x"]}, {"sock": "\0"}),
    ],
)
def test_hostile_answer_is_no_server(changed):
    assert parse_servers(json.dumps({**SERVER, **changed}).encode()) == []


@given(st.binary())
def test_arbitrary_answers_never_raise(answer):
    parse_servers(answer)


def test_server_at_the_published_port_comes_before_a_newer_one():
    newer, mine = parse_servers(json.dumps([{**SERVER, "port": 9999}, SERVER]).encode())
    assert choose([newer, mine], (8888,)) is mine
    assert choose([newer, mine], (1,)) is newer
    assert choose([], (8888,)) is None


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ("http", "/", "abc", False, False)),
        ({"token": "a b/c", "secure": True}, ("https", "/", "a%20b%2Fc", False, False)),
        ({"token": "", "base_url": "/user/ann/"}, ("http", "/user/ann/", "", True, False)),
        ({"token": "", "password": True}, ("http", "/", "", False, True)),
    ],
)
def test_running_server_tells_what_its_log_would(changed, expected):
    server = as_server(parse_servers(json.dumps({**SERVER, **changed}).encode())[0], NOBODY)
    url = (server.url.scheme, server.url.path, server.token)
    assert (*url, server.authentication_off, server.password_set) == expected


@pytest.mark.parametrize("token", ["abc\n", "abc\r\n", " abc", "\tabc ", "\n"])
def test_token_that_no_server_ever_takes_is_said_to_be_so(token):
    (found,) = parse_servers(json.dumps({**SERVER, "token": token}).encode())
    with pytest.raises(LabError) as raised:
        as_server(found, NOBODY)
    assert ("line break" if token.endswith("\n") else "space") in raised.value.why
    assert "abc" not in str(raised.value.as_result())


@pytest.mark.parametrize(
    ("command", "env", "token"),
    [
        (["jupyter", "lab", "--ServerApp.token=abc"], [], "abc"),
        (["jupyter", "lab", "--ServerApp.token='abc'"], [], "abc"),
        (["jupyter", "lab", '--NotebookApp.token="abc"'], [], "abc"),
        (["jupyter", "lab", "--IdentityProvider.token", "abc"], [], "abc"),
        (["tini", "--", "start.sh", "jupyter", "lab", "--LabApp.token=a=b&c"], [], "a=b&c"),
        (["bash", "-lc", "cd / && exec jupyter lab --ServerApp.token 'a b' --ip=0.0.0.0"], [], "a b"),
        (["sh", "-c", "jupyter lab --ServerApp.token=\"'abc'\""], [], "abc"),
        (["sh", "-c", "sh -c 'jupyter lab --ServerApp.token=abc'"], [], "abc"),
        (["sh", "-c", "jupyter lab --ServerApp.token=$MINE"], ["MINE=abc"], "abc"),
        (["sh", "-c", "jupyter lab --ServerApp.token=$(cat /token)"], [], ""),
        (["sh", "-c", "jupyter lab --ServerApp.token='"], ["JUPYTER_TOKEN=env"], "env"),
        (["jupyter", "lab", "--ServerApp.token=first", "--ServerApp.token=last"], ["JUPYTER_TOKEN=env"], "last"),
        (["jupyter", "lab", "--ServerApp.token=$MINE"], ["MINE=abc"], "$MINE"),
        (["jupyter", "lab", "--ServerApp.token="], ["JUPYTER_TOKEN=env"], ""),
        (["jupyter", "lab"], ["JUPYTER_TOKEN=env"], "env"),
        (["jupyter", "lab"], [], ""),
    ],
)
def test_token_is_read_from_how_the_container_was_started(command, env, token):
    raw = {"Path": command[0], "Args": command[1:], "Config": {"Env": env}}
    assert token_given(Container.from_inspect(raw)) == token


def test_query_reads_what_running_servers_keep_of_themselves(tmp_path):
    newest = tmp_path / f"jpserver-{os.getpid()}.json"
    (tmp_path / "nbserver-1.json").write_text(json.dumps(OLD, indent=2))
    (tmp_path / "jpserver-4194305.json").write_text(json.dumps({**SERVER, "token": "ended"}))
    newest.write_text(json.dumps(SERVER, indent=2))
    os.utime(tmp_path / "nbserver-1.json", (1, 1))
    # Its environment is in /proc, as that of the server is in a container.
    done = subprocess.run(
        QUERY, env={"PATH": "/usr/bin:/bin", "JUPYTER_RUNTIME_DIR": str(tmp_path)}, capture_output=True
    )
    mine = [server for server in parse_servers(done.stdout) if server.token in ("abc", "ended")]
    assert [server.host for server in mine] == ["::", "localhost"]
