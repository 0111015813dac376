# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import socket
from functools import partial

import pytest

from ansible_collections.desi.lab.plugins.modules import port_info

QUIET = "127.83.21.7"


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind((QUIET, 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def run(call):
    return partial(call, port_info)


def test_free_port_is_its_own_next_free(run):
    with socket.socket() as probe:
        probe.bind((QUIET, 0))
        port = probe.getsockname()[1]
    code, result = run(address=QUIET, port=port)
    assert code == 0
    assert (result["changed"], result["free"], result["listener"]) == (False, True, "")
    assert (result["address"], result["port"], result["next_free"]) == (QUIET, port, port)


@pytest.mark.parametrize("check_mode", [False, True])
def test_taken_port_names_the_listener_and_a_free_port(run, taken, check_mode):
    code, result = run(address=QUIET, port=taken, _ansible_check_mode=check_mode)
    assert code == 0
    assert result["changed"] is False
    assert result["free"] is False
    assert f"(process {os.getpid()})" in result["listener"]
    assert taken < result["next_free"] <= taken + 100


def test_bad_input_fails_in_three_sentences(run):
    code, result = run(port=8888, address="192.0.2.7")
    assert (code, result["what"]) == (1, "Nothing can listen on 192.0.2.7.")
    assert result["why"] and result["do"]
