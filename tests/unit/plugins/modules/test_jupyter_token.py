# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from functools import partial

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._docker.port_owner import NotPublished
from ansible_collections.desi.lab.plugins.modules import jupyter_token

TOKEN = "c0de" * 12
MARK = "[I 2026-11-22 13:57:12.790 ServerApp] "
BANNER = f"{MARK}Jupyter Server 2.21.1 is running at:\n{MARK}http://127.0.0.1:8888/user/x/lab?token={TOKEN}\n"
NO_TOKEN = f"{MARK}Jupyter Server 2.21.1 is running at:\n{MARK}https://127.0.0.1:8888/lab\n"
HIDDEN = f"{MARK}Jupyter Server 2.21.1 is running at:\n{MARK}http://127.0.0.1:8888/lab?token=...\n"
URL = f"http://127.0.0.1:8888/lab?token={TOKEN}"


@pytest.fixture
def logged(monkeypatch):
    """What the module has written to the system log."""
    lines = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, msg, log_args=None: lines.append(f"{msg} {log_args}"))
    return lines


@pytest.fixture
def run(call, logged):
    return partial(call, jupyter_token)


@pytest.fixture
def docker(program):
    return partial(program, "docker")


def inspected(status: str, **state) -> str:
    raw = [
        {"Id": "5f0c", "Name": "/lab", "State": {"Status": status, **state}, "Config": {"Env": ["JUPYTER_TOKEN=given"]}}
    ]
    return f"[ $1 = container ] && exec echo '{json.dumps(raw)}'"


@pytest.mark.parametrize("source", ["text", "path"])
def test_server_is_returned_with_all_that_is_known_of_it(run, tmp_path, source):
    (tmp_path / "log").write_text(BANNER)
    code, result = run(**{source: BANNER if source == "text" else str(tmp_path / "log")})
    assert code == 0
    assert result.pop("elapsed") < 5
    result.pop("invocation", None)
    url = f"http://127.0.0.1:8888/user/x/lab?token={TOKEN}"
    assert result == {
        "changed": False,
        "found": True,
        "token": TOKEN,
        "token_hidden": False,
        "password_set": False,
        "authentication_off": False,
        "scheme": "http",
        "port": 8888,
        "url_path": "/user/x/lab",
        "url": url,
        "urls": [url],
    }


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 9999), ("203.0.113.7", 8888)])
def test_url_has_the_host_and_port_that_the_caller_names(run, host, port):
    given = {"url_host": host} if port == 8888 else {"url_port": port}
    _, result = run(text=BANNER, **given)
    assert result["url"] == f"http://{host}:{port}/user/x/lab?token={TOKEN}"
    assert result["port"] == 8888
    assert result["urls"] == [f"http://127.0.0.1:8888/user/x/lab?token={TOKEN}"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (NO_TOKEN, "password_set"),
        (f"{MARK}All authentication is disabled.\n{NO_TOKEN}", "authentication_off"),
        (HIDDEN, "token_hidden"),
    ],
)
def test_server_without_a_token_to_know_says_how_it_lets_people_in(run, text, says):
    _, result = run(text=text)
    assert result["token"] == ""
    assert [name for name in ("token_hidden", "password_set", "authentication_off") if result[name]] == [says]


def test_container_is_read_by_the_docker_command(run, docker):
    docker(f"{inspected('running')}\nprintf '%s' '{HIDDEN}' >&2")
    code, result = run(container="lab", timeout=0, _ansible_check_mode=True)
    assert (code, result["token"], result["token_hidden"]) == (0, "given", False)
    assert result["url"] == "http://127.0.0.1:8888/lab?token=given"


@pytest.mark.parametrize("token", [TOKEN, "f00d" * 12])
def test_token_is_verified_at_a_server_that_is_proven_to_be_the_containers(run, docker, jupyter, monkeypatch, token):
    server, proven = jupyter(token=TOKEN), []
    docker(f"{inspected('running')}\nprintf '%s' '{BANNER.replace(TOKEN, token).replace('/user/x/', '/')}' >&2")
    monkeypatch.setattr(jupyter_token, "of_container", lambda name: lambda *place: proven.append((name, *place)) or 1)
    code, result = run(container="lab", url_port=server.port, verify=True)
    assert (code, result["found"]) == ((0, True) if token == TOKEN else (1, False))
    assert proven[0] == ("lab", "127.0.0.1", server.port)
    assert token not in result.get("msg", "")


@pytest.mark.parametrize(("ends", "code"), [(1, 0), (2, 1)])
def test_container_that_ends_once_and_is_restarted_is_waited_for(run, docker, jupyter, monkeypatch, ends, code):
    server, left = jupyter(token=TOKEN), [ends]
    docker(f"{inspected('running')}\nprintf '%s' '{BANNER.replace('/user/x/', '/')}' >&2")

    def prove(*_place):
        left[0] -= 1
        if left[0] >= 0:
            raise NotPublished("The port is not the lab's.", "The container does not run.", "Run it again.")
        return 1

    monkeypatch.setattr(jupyter_token, "of_container", lambda _name: prove)
    assert run(container="lab", url_port=server.port, verify=True)[0] == code


ABSENT = {
    "no container": "echo 'Error: No such container: lab' >&2; exit 1",
    "no engine": "echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2; exit 1",
    "ended": f"{inspected('exited', ExitCode=1)}\necho oops",
    "no file": "",
}


@pytest.mark.parametrize("script", ABSENT.values(), ids=ABSENT)
def test_what_is_not_there_is_not_found_in_check_mode_and_an_error_else(run, docker, tmp_path, script):
    docker(script)
    source = {"container": "lab"} if script else {"path": str(tmp_path / "log"), "timeout": 0}
    code, result = run(**source, _ansible_check_mode=True)
    assert (code, result["found"], result["changed"], result["elapsed"] < 10) == (0, False, False, True)
    assert not {"token", "url", "msg"} & set(result)
    code, result = run(**source)
    assert (code, result["found"], result["changed"], result["elapsed"] < 10) == (1, False, False, True)
    assert all(result[part] for part in ("what", "why", "do"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"container": "-rf"},
        {"text": BANNER, "timeout": -1},
        {"text": BANNER, "url_port": 0},
    ],
)
def test_bad_input_fails_in_three_sentences_also_in_check_mode(run, arguments):
    code, result = run(**arguments, _ansible_check_mode=True)
    assert code == 1
    assert result["found"] is False
    assert result["msg"] == f"What  {result['what']}\nWhy   {result['why']}\nDo    {result['do']}"
    assert all(result[part] for part in ("what", "why", "do"))


def test_exactly_one_source_is_needed(run):
    sources = {"text": BANNER, "container": "lab", "path": "/log"}
    for names, says in (((), "one of the following is required"), (sources, "mutually exclusive")):
        code, result = run(**{name: sources[name] for name in names})
        assert (code, says in result["msg"], TOKEN in json.dumps(result)) == (1, True, False)


# Secrets

KEPT_BACK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


@pytest.mark.parametrize(("text", "url_host"), [(URL, "127.0.0.1"), (TOKEN, "127.0.0.1"), (BANNER, "not a host")])
def test_text_is_never_logged_nor_returned_as_an_argument(run, logged, text, url_host):
    _, result = run(text=text, url_host=url_host)
    # From 2.21 on Ansible does not tell the arguments at all.
    told = result.get("invocation", {"module_args": {"text": KEPT_BACK}})
    assert told["module_args"]["text"] == KEPT_BACK
    assert logged
    assert TOKEN not in "".join(logged)
    if text == URL:
        assert (result["url"], result["token"], result["urls"]) == (URL, TOKEN, [URL])


@pytest.mark.parametrize("end", [f"{MARK}received signal 15, stopping\n", f"{MARK}Shutting down...\nit was {TOKEN}\n"])
def test_token_is_in_no_error(run, logged, docker, tmp_path, end):
    docker(f"{inspected('running')}\nprintf '%s' '{BANNER}{end}'")
    (tmp_path / "log").write_text(BANNER + end)
    for source in ({"container": "lab"}, {"path": str(tmp_path / "log")}, {"text": BANNER + end}):
        code, result = run(**source, timeout=0.1)
        assert code == 1
        assert TOKEN not in json.dumps(result)
    assert TOKEN not in "".join(logged)
