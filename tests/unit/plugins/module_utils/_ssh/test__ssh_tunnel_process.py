# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel_keeper as keeper
from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel_process as texts
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel_process import Loop, Process, Tunnel

FOLDER = "/home/ann/.config/desi-lab/us-west-2/desi"
TUNNEL = Tunnel(FOLDER, f"{FOLDER}/ssh_config", "desi-desi", "127.0.0.1", 8888, "127.0.0.1", 8889)
LOOP = " ".join(TUNNEL.command())
SAYS = f"{texts.MARK} {TUNNEL.place}"
SSH = " ".join(keeper.ssh_command(TUNNEL.config, TUNNEL.place, "127.0.0.1:8889", "desi-desi"))

# The loop, the watcher that it forked, its ssh, a nap, and what has nothing to do with it.
LINUX = f"""\
      1       0       1     0 /sbin/init
    700       1     700  1000 {LOOP}
    701     700     700  1000 {LOOP}
    702     700     700  1000 {SSH}
    703     701     700  1000 sleep 5
    704       1     704  1000 sleep 5
    705     600     600  1000 grep {texts.MARK} {TUNNEL.place}
    706     600     600  1000 vim {FOLDER}/tunnel.sh {texts.MARK} {TUNNEL.place} {TUNNEL.digest} a b c
    707     600     600  1000 ssh -F {FOLDER}/ssh_config desi-desi
    708     700     700  1000 [ssh] <defunct>
"""
# macOS: columns as wide as their heading, and letters that are not ASCII are written as M-x.
MACOS = f"""\
    1     0     1     0 /sbin/launchd
  700     1   700   501 {LOOP.replace("/home/ann", "/Users/M-CM-$nn M-bM-^CM-,")}
  702   700   700   501 {SSH.replace("ssh -F /home/ann", "/usr/bin/ssh -F /Users/M-CM-$nn", 1)}
  709   700   700   501 (ssh)
"""


@pytest.mark.parametrize(
    ("text", "user", "mine"), [(LINUX, 1000, [700, 701, 702, 703, 708]), (MACOS, 501, [700, 702, 709])]
)
def test_processes_of_a_tunnel_are_known_by_their_command_line(text, user, mine):
    processes = texts.parse_processes(text)
    assert len(processes) == len(text.splitlines())
    assert [found.pid for found in texts.tunnel_processes(processes, TUNNEL.place, user)] == mine
    assert texts.running_loop(processes, TUNNEL.place, user) == Loop(TUNNEL.digest, TUNNEL.forward, "desi-desi", 700)


@pytest.mark.parametrize(("place", "user"), [(texts.place_of("/home/ann/other"), 1000), (TUNNEL.place, 1001)])
def test_tunnel_of_another_folder_or_user_is_none_of_ours(place, user):
    processes = texts.parse_processes(LINUX)
    assert texts.tunnel_processes(processes, place, user) == []
    assert texts.running_loop(processes, place, user) is None


def test_what_is_left_of_a_loop_that_was_killed_is_found_but_is_no_loop():
    left = [process for process in texts.parse_processes(LINUX) if process.pid in (701, 702, 703)]
    assert texts.running_loop(left, TUNNEL.place, 1000) is None
    assert [found.pid for found in texts.tunnel_processes(left, TUNNEL.place, 1000)] == [701, 702, 703]


def test_process_that_got_the_number_of_an_ended_loop_is_none_of_ours():
    after_reboot = [Process(700, 1, 700, 1000, "/usr/lib/firefox")]
    assert texts.tunnel_processes(after_reboot, TUNNEL.place, 1000) == []


@pytest.mark.parametrize("text", ["", "rubbish\n", "1 2 3\n", "  PID  PPID  PGID   UID COMMAND\n", "1 2 3 4 \n"])
def test_line_that_is_no_process_is_passed_over(text):
    assert texts.parse_processes(text) == []


@pytest.mark.parametrize("sh", ["/bin/sh", "sh", "/bin/bash", "/bin/dash"])
def test_loop_of_the_first_version_is_known_whatever_shell_is_behind_sh(sh):
    line = f"{sh} {FOLDER}/tunnel.sh {LOOP[LOOP.index(texts.MARK) :]}"
    assert texts.running_loop([Process(7, 1, 7, 0, line)], TUNNEL.place, 0) is not None


@pytest.mark.parametrize(
    "change", [{"local_port": 1}, {"remote_port": 1}, {"host": "x"}, {"config": "/x"}, {"folder": "/x"}]
)
def test_tunnel_with_other_parameters_is_another_one(change):
    assert dataclasses.replace(TUNNEL, **change).digest != TUNNEL.digest
    assert dataclasses.replace(TUNNEL).digest == TUNNEL.digest


def test_tunnel_kept_by_another_loop_is_another_one(monkeypatch):
    digest = TUNNEL.digest
    monkeypatch.setattr(texts, "KEEPER", "true")
    assert TUNNEL.digest != digest


def test_place_is_the_same_for_a_folder_whatever_the_tunnel():
    assert dataclasses.replace(TUNNEL, local_port=1, host="x").place == TUNNEL.place
    assert dataclasses.replace(TUNNEL, folder="/x").place != TUNNEL.place


@pytest.mark.parametrize(
    ("local", "remote", "forward"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:8888:127.0.0.1:8889"),
        ("::1", "fe80::1", "[::1]:8888:[fe80::1]:8889"),
        ("127.0.0.1", "web.internal", "127.0.0.1:8888:web.internal:8889"),
    ],
)
def test_addresses_are_written_as_ssh_reads_them(local, remote, forward):
    assert dataclasses.replace(TUNNEL, local_address=local, remote_address=remote).forward == forward


@pytest.mark.parametrize(
    ("log", "connected"),
    [
        ("", False),
        ("Warning: Permanently added\n", False),
        (f"{SAYS} connected\n", True),
        (f"{SAYS} connected\nchannel 2: open failed: connect failed: Connection refused\n", True),
        (f"{SAYS} connected\n{SAYS} ended with 255, and is started again in 1 s\n", False),
        (f"{SAYS} ended with 255, and is started again in 1 s\n{SAYS} connected\n", True),
        (f"{texts.MARK} {texts.place_of('/x')} connected\n", False),
    ],
)
def test_log_tells_whether_the_forwarding_stands(log, connected):
    assert texts.is_connected(log, TUNNEL.place) is connected


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("bind [127.0.0.1]:8888: Address already in use", True),
        ("bind: Address already in use", True),
        ("channel_setup_fwd_listener_tcpip: cannot listen to port: 8888", True),
        ("Could not request local forwarding.", True),
        ("ssh: connect to host 127.0.0.1 port 22: Connection refused", False),
        ("", False),
    ],
)
def test_log_tells_whether_the_port_could_be_had(line, taken):
    assert texts.cannot_listen(f"Warning\n{line}\n") is taken


def test_what_ssh_said_is_told_apart_from_what_the_loop_said():
    assert texts.what_ssh_said(f"a\n{SAYS} ended with 1, and is started again in 1 s\nb\n") == "a\nb"


def test_keeper_tries_again_after_pauses_that_grow_to_half_a_minute():
    pause, waited = 1, []
    for _ in range(7):
        now, pause = keeper.pauses(pause, lasted=0)
        waited.append(now)
    assert waited == [1, 2, 4, 8, 16, 30, 30]


def test_pause_is_short_again_after_a_connection_that_lasted():
    assert keeper.pauses(30, lasted=60) == (1, 2)


@pytest.mark.parametrize(
    ("forward", "parts"),
    [
        ("127.0.0.1:8888:127.0.0.1:8889", (("127.0.0.1", 8888), "127.0.0.1:8889")),
        ("[::1]:8888:[fe80::1]:8889", (("::1", 8888), "[fe80::1]:8889")),
        ("127.0.0.1:8888:web.internal:8889", (("127.0.0.1", 8888), "web.internal:8889")),
    ],
)
def test_keeper_reads_where_a_tunnel_begins_and_where_it_leads(forward, parts):
    assert keeper.split_forward(forward) == parts
