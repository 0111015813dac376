# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the caller's environment counts, row by row of docs/surroundings.md."""

import re
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._surroundings import (
    DROPPED,
    KEPT,
    NEVER_BY_PROXY,
    agreed,
    surroundings,
)

PAGE = Path(__file__).parents[4] / "docs/surroundings.md"
LOCAL = ",".join(NEVER_BY_PROXY)


def rows():
    """Return each variable that the page names, with whether it counts; a family is one of its members."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and cells[1] in ("yes", "no"):
            for name in re.findall(r"`([A-Za-z_]+)\*?`", cells[0]):
                yield (f"{name}SOMETHING" if name.endswith("_") else name), cells[1] == "yes"


def found_in(environ):
    return surroundings({"HOME": "/home/ann", "PATH": "/bin", **environ}, "/home/ann", True, lambda _path: True)


# These the shell script drops, and test_lab_command.py holds it.
SHELL = ("ANSIBLE_", "PYTHON", "PIP_")


@pytest.mark.parametrize(("name", "counts"), [row for row in rows() if not row[0].startswith(SHELL)])
def test_each_row_of_the_page(name, counts):
    value = "/absolute" if name.isupper() else "http://proxy:1"
    value = "80" if name == "COLUMNS" else value
    assert (value in str(found_in({name: value}).get(name))) == counts


def test_the_page_names_each_variable_that_is_dropped_or_kept():
    assert not [name for name in {*DROPPED, *KEPT} if f"`{name}`" not in PAGE.read_text()]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "p:1"}, {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://p:1", "NO_PROXY": LOCAL}),
        (
            {"https_proxy": "http://a:b@p:1", "HTTPS_PROXY": "http://q:2", "no_proxy": "x,y"},
            {"HTTPS_PROXY": "http://a:b@p:1", "NO_PROXY": f"x,y,{LOCAL}", "no_proxy": f"x,y,{LOCAL}"},
        ),
        ({"http_proxy": "", "HTTP_PROXY": "http://q:2"}, {"http_proxy": "", "HTTP_PROXY": "", "NO_PROXY": None}),
        ({"ALL_PROXY": "socks5h://p:1", "NO_PROXY": "*"}, {"all_proxy": "socks5h://p:1", "no_proxy": "*"}),
        ({"all_proxy": "p:1"}, {"http_proxy": "http://p:1", "HTTPS_PROXY": "http://p:1"}),
        ({"all_proxy": "https://p:1"}, {"http_proxy": "https://p:1", "HTTPS_PROXY": "https://p:1"}),
        ({"all_proxy": "socks5://p:1"}, {"http_proxy": None, "HTTPS_PROXY": None}),
        ({"ALL_PROXY": "p:1", "https_proxy": ""}, {"http_proxy": "http://p:1", "HTTPS_PROXY": ""}),
        ({"NO_PROXY": "x"}, {"NO_PROXY": "x", "no_proxy": None}),
        ({"CURL_CA_BUNDLE": "/c"}, {"SSL_CERT_FILE": "/c", "AWS_CA_BUNDLE": "/c", "REQUESTS_CA_BUNDLE": "/c"}),
        ({"SSL_CERT_FILE": "/a", "AWS_CA_BUNDLE": "/b"}, {"AWS_CA_BUNDLE": "/b", "REQUESTS_CA_BUNDLE": "/a"}),
        ({"XDG_CONFIG_HOME": "relative", "XDG_STATE_HOME": "/s"}, {"XDG_CONFIG_HOME": None, "XDG_STATE_HOME": "/s"}),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_HOST": "tcp://127.0.0.1:2"}, {"DOCKER_TLS_VERIFY": "1"}),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_HOST": "127.0.0.1:2376"}, {"DOCKER_TLS_VERIFY": "1"}),
        ({"DOCKER_TLS": "1", "DOCKER_HOST": "unix:///run/docker.sock"}, {"DOCKER_TLS": None}),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_HOST": ""}, {"DOCKER_TLS_VERIFY": None}),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"}, {"DOCKER_TLS_VERIFY": None, "DOCKER_CERT_PATH": None}),
        ({"COLUMNS": "7"}, {"COLUMNS": None}),
        ({"ANSIBLE_VERBOSITY": "abc"}, {"ANSIBLE_VERBOSITY": None}),
        ({"ANSIBLE_VERBOSITY": "3"}, {"ANSIBLE_VERBOSITY": "3"}),
        ({"COLUMNS": "x"}, {"COLUMNS": None}),
        ({"GIT_DIR": "/x", "GIT_SSH_COMMAND": "ssh -v"}, {"GIT_DIR": None, "GIT_SSH_COMMAND": "ssh -v"}),
    ],
)
def test_every_part_reads_the_same(given, found):
    result = agreed(given)
    assert {name: result.get(name) for name in found} == found
    assert agreed(result) == result


@pytest.mark.parametrize(
    ("given", "speaks", "writable", "found"),
    [
        ({"LANG": "de_DE.UTF-8"}, False, True, {"LC_ALL": "C.UTF-8"}),
        ({"LANG": "de_DE.UTF-8"}, True, True, {"LC_ALL": None, "LANG": "de_DE.UTF-8"}),
        ({"HOME": ""}, True, True, {"HOME": "/home/ann"}),
        ({"HOME": "here"}, True, True, {"HOME": "/home/ann"}),
        ({"PATH": ".:/bin::bin"}, True, True, {"PATH": "/bin"}),
        ({"PATH": ""}, True, True, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}),
        ({"TMPDIR": "/gone"}, True, False, {"TMPDIR": None}),
        ({"TMPDIR": "tmp"}, True, True, {"TMPDIR": None}),
        ({"TMPDIR": "/mine"}, True, True, {"TMPDIR": "/mine"}),
    ],
)
def test_what_the_front_door_puts_right(given, speaks, writable, found):
    result = surroundings({"HOME": "/h", "PATH": "/bin", **given}, "/home/ann", speaks, lambda _path: writable)
    assert {name: result.get(name) for name in found} == found
