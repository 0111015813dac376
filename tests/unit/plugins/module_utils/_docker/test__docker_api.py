# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import fnmatch
import hashlib
import json

import pytest
from fake_engine import BANNER, TOKEN, container, fake_engine

from ansible_collections.desi.lab.plugins.module_utils._docker.api import (
    DEFAULT_ENDPOINT,
    Api,
    endpoint_of,
    is_address_here,
)
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import EngineUnavailable, NotListening

DESKTOP = "unix:///home/ann/.docker/desktop/docker.sock"
TLS = "tcp://127.0.0.1:2376"
FAR = "It is on another computer"
GONE = "there is no such context"


@pytest.fixture
def home(tmp_path):
    contexts = {
        "desktop": {"Host": DESKTOP},
        "far": {"Host": "ssh://ann@192.0.2.7"},
        "odd": {"Host": ["unix:///x"]},
        "pipe": {"Host": "npipe:////./pipe/docker_engine"},
        "tls": {"Host": "tcp://localhost:2376", "SkipTLSVerify": False},
        "any": {"Host": "tcp://localhost:2376", "SkipTLSVerify": True},
    }
    for name, about in contexts.items():
        number = hashlib.sha256(name.encode()).hexdigest()
        folder = tmp_path / ".docker/contexts/meta" / number
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": about}}))
        if name in ("tls", "any"):
            (tmp_path / ".docker/contexts/tls" / number / "docker").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("environment", "config", "host", "direct", "problem"),
    [
        ({}, None, DEFAULT_ENDPOINT, True, ""),
        ({}, "{", DEFAULT_ENDPOINT, True, ""),
        ({}, '{"currentContext": "default"}', DEFAULT_ENDPOINT, True, ""),
        ({}, '{"currentContext": "desktop"}', DESKTOP, True, ""),
        ({}, '{"currentContext": "far"}', "ssh://ann@192.0.2.7", False, FAR),
        ({}, '{"currentContext": "odd"}', "context odd", False, GONE),
        ({}, '{"currentContext": "pipe"}', "npipe:////./pipe/docker_engine", False, "at no socket"),
        ({}, '{"currentContext": "tls"}', "tcp://localhost:2376", False, ""),
        ({}, '{"currentContext": "../unknown"}', "context ../unknown", False, "config.json names it"),
        ({"DOCKER_CONTEXT": "desktop"}, '{"currentContext": "far"}', DESKTOP, True, ""),
        ({"DOCKER_CONTEXT": "gone"}, None, "context gone", False, "The variable DOCKER_CONTEXT names it"),
        ({"DOCKER_CONTEXT": "desktop", "DOCKER_HOST": "unix:///run/x.sock"}, None, "unix:///run/x.sock", True, ""),
        ({"DOCKER_HOST": "localhost:2375"}, None, "tcp://localhost:2375", True, ""),
        ({"DOCKER_HOST": TLS, "DOCKER_TLS_VERIFY": "1"}, None, TLS, False, ""),
        ({"DOCKER_HOST": TLS, "DOCKER_TLS": "1"}, None, TLS, False, ""),
        ({"DOCKER_HOST": "tcp://192.0.2.7:2375"}, None, "tcp://192.0.2.7:2375", False, FAR),
        ({"DOCKER_HOST": "tcp://192.0.2.9:2375"}, None, "tcp://192.0.2.9:2375", True, ""),
        ({"DOCKER_HOST": "tcp://[:x"}, None, "tcp://[:x", False, "at no socket"),
        ({"DOCKER_HOST": "ssh://ann@127.0.0.1"}, None, "ssh://ann@127.0.0.1", False, FAR),
    ],
)
def test_endpoint_is_the_docker_commands_own(home, environment, config, host, direct, problem):
    if config is not None:
        (home / ".docker/config.json").write_text(config)
    found = endpoint_of(environment, str(home), lambda name: name in ("127.0.0.1", "localhost", "192.0.2.9"))
    assert (found.host, found.direct) == (host, direct)
    assert problem in found.problem
    assert bool(found.problem) == bool(problem)
    assert found.environment.get("DOCKER_HOST", "") == ("" if problem else host)


@pytest.mark.parametrize(
    ("environment", "verify", "folder"),
    [
        ({"DOCKER_CONTEXT": "tls"}, "DOCKER_TLS_VERIFY", ".docker/contexts/tls/*/docker"),
        ({"DOCKER_CONTEXT": "any"}, "DOCKER_TLS", ".docker/contexts/tls/*/docker"),
        ({"DOCKER_HOST": TLS, "DOCKER_TLS_VERIFY": "yes"}, "DOCKER_TLS_VERIFY", ".docker"),
        ({"DOCKER_HOST": TLS, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"}, "DOCKER_TLS_VERIFY", "/c"),
    ],
)
def test_every_client_is_given_the_keys_of_an_engine_with_tls(home, environment, verify, folder):
    found = endpoint_of(environment, str(home)).environment
    assert set(found) == {"DOCKER_HOST", verify, "DOCKER_CERT_PATH"}
    assert found[verify] == "1"
    assert fnmatch.fnmatchcase(found["DOCKER_CERT_PATH"], str(home / folder))
    others = endpoint_of({**environment, "CURL_CA_BUNDLE": "/c"}, str(home)).environment
    engines = f"{found['DOCKER_CERT_PATH']}/ca.pem" if verify == "DOCKER_TLS_VERIFY" else None
    assert others.get("REQUESTS_CA_BUNDLE") == engines


def test_address_of_this_computer_is_known():
    assert [is_address_here(name) for name in ("localhost", "127.8.8.8", "192.0.2.7", "")] == [True, True, False, False]


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
