# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json

import pytest
from fake_engine import BANNER, TOKEN, container, fake_engine

from ansible_collections.desi.lab.plugins.module_utils._docker.api import (
    DEFAULT_ENDPOINT,
    Api,
    NotListening,
    direct_endpoint,
)
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import EngineUnavailable

DESKTOP = "unix:///home/ann/.docker/desktop/docker.sock"


@pytest.fixture
def home(tmp_path):
    for name, host in (("desktop", DESKTOP), ("far", "ssh://ann@192.0.2.7"), ("odd", ["unix:///x"])):
        folder = tmp_path / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    return tmp_path


@pytest.mark.parametrize(
    ("environment", "config", "endpoint"),
    [
        ({}, None, DEFAULT_ENDPOINT),
        ({}, "", DEFAULT_ENDPOINT),
        ({}, "{", DEFAULT_ENDPOINT),
        ({}, '{"currentContext": "default"}', DEFAULT_ENDPOINT),
        ({}, '{"currentContext": "desktop"}', DESKTOP),
        ({}, '{"currentContext": "far"}', ""),
        ({}, '{"currentContext": "odd"}', ""),
        ({}, '{"currentContext": "../unknown"}', ""),
        ({"DOCKER_CONTEXT": "desktop"}, '{"currentContext": "far"}', DESKTOP),
        ({"DOCKER_CONTEXT": "desktop", "DOCKER_HOST": "unix:///run/x.sock"}, None, "unix:///run/x.sock"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:2375"}, None, "tcp://127.0.0.1:2375"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY": "1"}, None, ""),
        ({"DOCKER_HOST": "tcp://192.0.2.7:2375"}, None, ""),
        ({"DOCKER_HOST": "ssh://ann@127.0.0.1"}, None, ""),
    ],
)
def test_endpoint_is_the_docker_commands_own(home, environment, config, endpoint):
    if config is not None:
        (home / ".docker/config.json").write_text(config)
    assert direct_endpoint(environment, str(home)) == endpoint


@pytest.fixture
def engine():
    with fake_engine() as made:
        yield made


def test_log_of_a_terminal_has_no_frames(engine):
    engine.containers = [container("desi"), container("two", "b2")]
    engine.containers[0]["Config"]["Tty"] = True
    engine.answers[f"/containers/{'a1' * 32}/logs"] = BANNER.encode()
    for name in ("a1" * 32, "b2" * 32):
        with Api(engine.endpoint, 5).logs(name, since="2026-11-28T10:00:00.5Z", tail=3) as log:
            text = b"".join(iter(lambda log=log: log.read(1), b""))
            assert (text.decode(), log.exit_code()) == (BANNER, 0)
    assert TOKEN in BANNER


def test_log_that_the_engine_does_not_show_is_told_as_the_command_tells_it(engine):
    def refuse(handler):
        handler.send_response(501)
        handler.end_headers()
        handler.wfile.write(b'{"message":"configured logging driver does not support reading"}')

    engine.containers = [container("desi")]
    engine.answers[f"/containers/{'a1' * 32}/logs"] = refuse
    with Api(engine.endpoint, 5).logs("a1" * 32) as log:
        assert (b"does not support reading" in log.read(1), log.exit_code()) == (True, 1)


def test_question_that_is_refused_carries_the_engines_words_escaped(engine):
    def refuse(handler):
        handler.send_response(500)
        handler.end_headers()
        handler.wfile.write(b'{"message":"no\\u001b[2J way"}')

    engine.answers["/info"] = refuse
    with pytest.raises(EngineUnavailable, match=r"It says: no\\x1b\[2J way"):
        Api(engine.endpoint, 5).get("/info")
    with pytest.raises(NotListening):
        Api("unix:///nowhere.sock", 5).get("/info")
