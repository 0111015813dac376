# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import threading
import time
from pathlib import Path

import pytest
from loopback import await_that

from ansible_collections.desi.lab.plugins.module_utils._ssh import wait as ssh_waiting
from ansible_collections.desi.lab.plugins.modules import ssh_wait


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    monkeypatch.setattr(ssh_waiting, "PAUSE", 0.2)
    monkeypatch.setattr(ssh_waiting, "GRACE_PAUSE", 0.3)


@pytest.fixture
def wait(machine, call):
    given = {"config": str(machine.config), "host": machine.host, "timeout": 20}
    return lambda **arguments: call(ssh_wait, **{**given, **arguments})


def test_machine_that_is_there_lets_in_at_once(wait, machine):
    machine.start()
    code, result = wait()
    assert (code, result["changed"], result["tries"], result["address"]) == (0, False, 1, "127.0.0.1")
    assert 0 < result["elapsed"] < 10
    assert machine.known_hosts.read_text().startswith("i-0abc ")


def test_machine_that_starts_late_is_waited_for(wait, machine):
    late = threading.Timer(1, machine.start)
    late.start()
    code, result = wait()
    late.join()
    assert code == 0
    assert result["tries"] > 1
    assert result["elapsed"] >= 0.8


def test_refusal_is_told_when_the_time_is_over_and_not_long_after(wait):
    begun = time.monotonic()
    code, result = wait(timeout=1)
    assert code == 1
    assert time.monotonic() - begun < 15
    assert result["what"] == "The machine desi-test did not answer over SSH within 1 seconds."
    assert "nothing listens at that port" in result["why"]
    assert "Connection refused" in result["why"]


def test_tries_do_not_follow_each_other_at_once(wait, listener, machine, monkeypatch):
    monkeypatch.setattr(ssh_waiting, "PAUSE", 0.5)
    closing = listener(lambda connection: connection.close())
    machine.write_config(port=closing.port)
    code, result = wait(timeout=2)
    assert code == 1
    assert 2 <= len(closing.taken) <= 4
    assert "closes it before anybody can log in" in result["why"]


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-x\r\n"])
def test_server_that_never_speaks_or_hangs_in_a_login_is_not_waited_for_longer_than_told(
    wait, listener, machine, greeting
):
    machine.write_config(port=listener(lambda connection: connection.sendall(greeting)).port)
    begun = time.monotonic()
    code, result = wait(timeout=1)
    assert code == 1
    assert time.monotonic() - begun < 15
    assert "says nothing" in result["why"]


def test_refused_key_is_told_after_a_grace_and_long_before_the_time_is_over(wait, machine):
    machine.start()
    machine.authorized.write_text("")
    begun = time.monotonic()
    code, result = wait(timeout=300)
    assert code == 1
    assert time.monotonic() - begun < 15
    assert result["what"] == "The machine desi-test refuses the key."
    assert str(machine.key) in result["why"]
    log = (machine.home / "sshd.log").read_text()
    assert log.count("Connection closed by authenticating user") == 3


def test_key_that_is_written_while_the_machine_listens_already_is_taken(wait, machine, monkeypatch):
    monkeypatch.setattr(ssh_waiting, "GRACE_PAUSE", 1.0)
    machine.start()
    key, log = machine.authorized.read_text(), machine.home / "sshd.log"
    machine.authorized.write_text("")

    def write_late():
        await_that(lambda: "closed by authenticating user" in log.read_text())
        machine.authorized.write_text(key)

    late = threading.Thread(target=write_late)
    late.start()
    code, result = wait()
    late.join()
    assert (code, result["tries"]) in [(0, 2), (0, 3)]


def test_changed_host_key_is_told_at_once_and_stays_pinned(wait, machine):
    pinned = f"i-0abc {machine.key.with_suffix('.pub').read_text()}"
    machine.known_hosts.write_text(pinned)
    machine.start()
    code, result = wait(timeout=300)
    assert code == 1
    assert result["what"] == "The machine desi-test is not the one that was met before."
    assert f"pinned for i-0abc in {machine.known_hosts}" in result["why"]
    assert machine.known_hosts.read_text() == pinned


@pytest.mark.parametrize(
    ("harm", "given", "says"),
    [
        (lambda machine: machine.key.chmod(0o640), {}, "chmod 600"),
        (lambda machine: machine.config.unlink(), {}, "No such file"),
        (lambda machine: None, {"host": "-oProxyCommand=touch made"}, "is not the name of a host"),
    ],
)
def test_what_waiting_does_not_cure_is_told_at_once(wait, machine, monkeypatch, harm, given, says):
    monkeypatch.chdir(machine.home)
    machine.start()
    harm(machine)
    code, result = wait(timeout=300, **given)
    assert (code, says in f"{result['what']} {result['why']} {result['do']}") == (1, True), result
    assert not (machine.home / "made").exists()


def test_computer_without_ssh_is_told(wait, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, result = wait()
    assert (code, result["what"]) == (1, "There is no ssh on this computer.")


def test_program_that_ssh_leaves_behind_does_not_keep_anybody_waiting(wait, machine, tmp_path):
    proxy = tmp_path / "proxy"
    proxy.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    proxy.chmod(0o755)
    machine.write_config(ProxyCommand=str(proxy))
    begun = time.monotonic()
    code, _result = wait(timeout=1)
    assert code == 1
    assert time.monotonic() - begun < 15
    os.kill(int(Path(tmp_path, "pid").read_text()), 15)


def test_machine_that_lets_in_but_runs_nothing_is_told_with_what_it_says(wait, machine):
    key = machine.authorized.read_text()
    machine.authorized.write_text(f'command="echo Please login as the user ec2-user. >&2; exit 142" {key}')
    machine.start()
    code, result = wait(timeout=1)
    assert code == 1
    assert 'ended with 142 there: Please login as the user ec2-user".' in result["why"]


def test_check_mode_does_nothing(wait, listener, machine):
    server = listener()
    machine.write_config(port=server.port)
    code, result = wait(_ansible_check_mode=True)
    assert (code, result["changed"], result["tries"]) == (0, False, 0)
    machine.config.unlink()
    assert wait(_ansible_check_mode=True)[0] == 0
    assert server.taken == []
