# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entering a lab, and its log without its secrets."""

import base64
import json
import os
import shlex
import subprocess
import sys
import urllib.parse

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common import redact as redaction
from ansible_collections.desi.lab.plugins.module_utils._common.redact import all_spellings, redact
from ansible_collections.desi.lab.plugins.module_utils._common.text import clean
from ansible_collections.desi.lab.plugins.plugin_utils._front_door import _load
from ansible_collections.desi.lab.plugins.plugin_utils._session import (
    LONGEST_LINE,
    Order,
    Place,
    logs_command,
    masked,
    read_place,
    secrets_in,
    session,
    settings_command,
    shell_command,
)

GIVEN = "6f4e1c0d2b3a49586776859493a2b1c0d9e8f7061524334f"
CHOSEN = "a+b/c=d&e f"
HERE = {"container": "desi-lab-a", "folder": "/home/synced", "docker": ["docker"], "ssh": {}, "environment": {"A": "b"}}
NOWHERE = {**HERE, "environment": {}}
THERE = {**HERE, "ssh": {"config": "/c/ssh_config", "host": "desi-a"}, "environment": {}}


def hidden(pieces, secrets=()):
    return list(masked(pieces, lambda text, forms: redact(clean(text), forms), all_spellings, secrets))


LOG = f"""[I 2026-11-29 08:00:00.000 ServerApp] http://127.0.0.1:8888/lab?token={GIVEN}
\x1b[32m[I 08:00:01 ServerApp]\x1b[m 302 GET /?to\x1b[1mken={GIVEN} (@127.0.0.1)
{{"message": "http://h:1/lab?token={GIVEN}", "headers": {{"Authorization": "token {GIVEN}"}}}}
[D ServerApp] argv --ServerApp.token='{CHOSEN}' --IdentityProvider.token={urllib.parse.quote(CHOSEN, safe="")}
next=%2Flab%3Ftoken%3D{GIVEN} {json.dumps(CHOSEN)} {base64.b64encode(CHOSEN.encode()).decode()}
Cookie: username-localhost-8888="2|1:0|10:1|23:username|{GIVEN}"; _xsrf=2|abc
saved file untitled.ipynb é
"""


@pytest.mark.security("L7")
@pytest.mark.parametrize("size", [1, 7, 48, 64, 100_000])
def test_no_form_of_a_token_gets_through_however_the_log_is_cut(size):
    raw = LOG.encode()
    text = "\n".join(hidden((raw[at : at + size] for at in range(0, len(raw), size)), {CHOSEN}))
    for secret in (GIVEN, *all_spellings({CHOSEN})):
        assert secret not in text
    assert "saved file untitled.ipynb é" in text
    assert "http://127.0.0.1:8888/lab?token=<hidden>" in text
    assert "\x1b" not in text


@pytest.mark.security("L7")
def test_a_token_that_the_log_has_told_is_hidden_from_then_on():
    told = [b"http://127.0.0.1:8888/lab?token=short-one\n", b"GET /files/short-one/x\nbye short", b"-one\n"]
    assert hidden(told)[1:] == ["GET /files/<hidden>/x", "bye <hidden>"]


@pytest.mark.security("L7")
def test_a_line_without_an_end_is_bounded_and_cut_at_no_secret():
    words = (f"x token={GIVEN} " * (LONGEST_LINE // 20)).encode()
    text = "".join(hidden([words[at : at + 1000] for at in range(0, len(words), 1000)]))
    assert GIVEN[:8] not in text
    assert "left out" in "".join(hidden([b"y" * 1000] * (LONGEST_LINE // 500)))


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        (["JUPYTER_TOKEN=abcde", "PATH=/bin", "NB_UID=1000"], {"abcde"}),
        (["jupyter", "lab", "--ServerApp.token=fghij"], {"fghij"}),
        (["sh", "-c", "jupyter lab --IdentityProvider.token='klmno' --port 8888"], {"klmno"}),
        (["jupyter", "lab", "--IdentityProvider.token", "pqrst"], {"pqrst"}),
        (["--ServerApp.token=", "lab"], set()),
        (["DB_PASS=two words", "MYSQL_PWD=uvwxy", "PWD=/srv/x"], {"two words", "uvwxy"}),
        (["serve", "--db-passphrase", "zabcd"], {"zabcd"}),
        (None, set()),
    ],
)
@pytest.mark.security("L7")
def test_secrets_are_those_that_the_server_was_started_with(settings, secrets):
    assert secrets_in(f"not json\n{json.dumps(settings)}\n", redaction.secrets_in) == secrets


@pytest.mark.security("H1")
def test_words_reach_a_machine_as_they_are():
    place = read_place(json.dumps(THERE))
    words = ["sh", "-c", "echo '$HOME' `id`; exit 3", "a b", "--", ""]
    command = shell_command(place, "import os\n", words, terminal=False)
    assert command[:6] == ["ssh", "-F", "/c/ssh_config", "-T", "desi-a", "--"]
    (remote,) = command[6:]
    inside = ["python3", "-I", "-c", "import os\n", "session", "/home/synced", *words]
    assert shlex.split(remote) == ["docker", "exec", "--interactive", "desi-lab-a", *inside]


@pytest.mark.parametrize(
    ("terminal", "term", "options"),
    [
        (False, "xterm", ["--interactive"]),
        (True, "xterm-256color", ["--interactive", "--tty", "--env", "TERM=xterm-256color"]),
        (True, "x;id", ["--interactive", "--tty"]),
    ],
)
def test_a_terminal_is_one_in_the_lab_too(terminal, term, options):
    place = read_place(json.dumps(HERE))
    assert shell_command(place, "p", [], terminal, term)[:-6] == ["docker", "exec", *options, "desi-lab-a"]
    there = shell_command(read_place(json.dumps(THERE)), "p", [], terminal, term)
    assert there[3] == ("-tt" if terminal else "-T")


def test_the_log_is_that_of_the_labs_container():
    place = read_place(json.dumps({**HERE, "docker": ["sudo", "-u", "ann", "--", "docker"]}))
    assert logs_command(place, "10", follow=True)[5:] == ["logs", "--tail", "10", "--follow", "desi-lab-a"]
    there = [logs_command(read_place(json.dumps(THERE)), "all", follow) for follow in (False, True)]
    assert [(each[3], each[-1]) for each in there] == [
        ("-T", "docker logs --tail all desi-lab-a"),
        ("-tt", "docker logs --tail all --follow desi-lab-a"),
    ]
    assert settings_command(place)[:4] == ["sudo", "-u", "ann", "--"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "x", json.dumps({**HERE, "ssh": "x"})])
def test_what_no_playbook_of_ours_printed_is_no_place(text):
    assert read_place(text) is None
    assert read_place(json.dumps(HERE)) == Place("desi-lab-a", "/home/synced", ("docker",), ("", ""), {"A": "b"})


@pytest.mark.parametrize(
    ("printed", "ended", "option", "code", "out"),
    [
        ("", 2, "-v", 2, ""),
        ("playbook: x", 0, "--list-tasks", 0, "playbook: x"),
        (json.dumps({**NOWHERE, "docker": []}), 0, "-C", 0, "Check only"),
        # Whoever runs a command in a lab must not take that for its success.
        (f"Using x as config file\n{json.dumps(NOWHERE)}", 0, "-v", 1, ""),
    ],
)
def test_a_session_begins_only_where_a_lab_was_located(capfd, printed, ended, option, code, out):
    words = [sys.executable, "-c", f"import sys; print({printed!r}, end=''); sys.exit({ended})"]
    assert session(Order("shell"), [*words, option], {}, (), _load) == code
    found = capfd.readouterr()
    assert found.out.startswith(out) if out else (found.out, found.err) == ("", printed)


@pytest.fixture
def of_logs(tmp_path):
    """Return the command of a playbook that locates a lab, whose docker prints a log with a token."""
    (tmp_path / "docker").write_text(
        """#!/bin/sh
case "$1" in
container) echo '["JUPYTER_TOKEN=abcde"]';;
logs) echo "$*" 'abcde http://h:1/?token=fghij'; exit 5;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    place = {**NOWHERE, "docker": [str(tmp_path / "docker")]}
    return [sys.executable, "-c", f"print({json.dumps(place)!r})"]


def test_a_log_is_printed_without_its_token(capfd, of_logs):
    assert session(Order("logs", tail="3"), of_logs, os.environ, (), _load) == 5
    assert capfd.readouterr().out == "logs --tail 3 desi-lab-a <hidden> http://h:1/?token=<hidden>\n"


def test_a_log_for_which_there_is_no_room_is_told(capfd, monkeypatch, of_logs):
    monkeypatch.setattr(sys, "stdout", os.fdopen(os.open("/dev/full", os.O_WRONLY), "w"))
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit, match="1"):
        session(Order("logs"), of_logs, os.environ, (), _load)
    assert "Why   No space left on device." in capfd.readouterr().err


def test_input_output_and_exit_code_are_those_of_the_command_on_the_machine(tmp_path):
    # As sshd does, it has a shell run what it is given; and docker runs it here.
    for name, text in (("ssh", 'exec sh -c "$6"'), ("docker", 'shift 3; python="$1"; shift; exec "$python" "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    program = "import os, sys\nos.execvp(sys.argv[3], sys.argv[3:])"
    command = shell_command(
        read_place(json.dumps(THERE)), program, ["sh", "-c", "cat; echo '$1'; exit 7"], terminal=False
    )
    known = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=known, input="a `b` 'c'\n", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "a `b` 'c'\n$1\n", "")
