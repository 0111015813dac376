# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from dataclasses import replace

import pytest

from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel, tunnel_keeper, tunnel_process
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel_process import MARK, Keeper, Process, Tunnel

FOLDER = "/home/ann/.config/desi-lab/us-west-2/desi"
TUNNEL = Tunnel(FOLDER, f"{FOLDER}/ssh_config", "desi-desi", 8888, 8889)
LINE = " ".join(TUNNEL.command())
SAYS = f"{MARK} {TUNNEL.place}"
ENDED = f"{SAYS} ended with 255, and is started again in 1 s"
SSH = " ".join(tunnel_keeper.ssh_command(TUNNEL.config, TUNNEL.place, "127.0.0.1:8889", "desi-desi"))

# The keeper, what it forked, its ssh, a nap, and what has nothing to do with it.
LINUX = f"""\
      1       0       1     0 /sbin/init
    700       1     700  1000 {LINE}
    701     700     700  1000 {LINE}
    702     700     700  1000 {SSH}
    703     701     700  1000 sleep 5
    704       1     704  1000 sleep 5
    705     600     600  1000 grep {MARK} {TUNNEL.place}
    706     600     600  1000 vim {FOLDER}/tunnel.sh {MARK} {TUNNEL.place} {TUNNEL.digest} a b c
    707     600     600  1000 ssh -F {FOLDER}/ssh_config desi-desi
    708     700     700  1000 [ssh] <defunct>
"""
# macOS: columns as wide as their heading, and letters that are not ASCII are written as M-x.
MACOS = f"""\
    1     0     1     0 /sbin/launchd
  700     1   700   501 {LINE.replace("/home/ann", "/Users/M-CM-$nn M-bM-^CM-,")}
  702   700   700   501 {SSH.replace("ssh -F /home/ann", "/usr/bin/ssh -F /Users/M-CM-$nn", 1)}
  709   700   700   501 (ssh)
"""
OTHER = tunnel_process.place_of("/home/ann/other")


@pytest.mark.parametrize(
    ("text", "place", "user", "mine", "keeper"),
    [
        (LINUX, TUNNEL.place, 1000, [700, 701, 702, 703, 708], 700),
        (MACOS, TUNNEL.place, 501, [700, 702, 709], 700),
        (LINUX, OTHER, 1000, [], None),
        (LINUX, TUNNEL.place, 1001, [], None),
        # What a keeper that was killed leaves, a number that another program has got, and a line that is cut.
        ("".join(LINUX.splitlines(keepends=True)[2:5]), TUNNEL.place, 1000, [701, 702, 703], None),
        ("700 1 700 1000 /usr/lib/firefox\n", TUNNEL.place, 1000, [], None),
        ("rubbish\n1 2 3\n  PID  PPID  PGID   UID COMMAND\n1 2 3 4 \n", TUNNEL.place, 3, [], None),
    ],
)
def test_processes_of_a_tunnel_are_known_by_their_command_line(text, place, user, mine, keeper):
    processes = tunnel_process.parse_processes(text)
    assert [found.pid for found in tunnel_process.tunnel_processes(processes, place, user)] == mine
    found = keeper and Keeper(TUNNEL.digest, TUNNEL.forward, "desi-desi", keeper)
    assert tunnel_process.running_keeper(processes, place, user) == found


@pytest.mark.parametrize("sh", ["/bin/sh", "sh", "/bin/bash", "/bin/dash"])
def test_loop_of_the_first_version_is_known_whatever_shell_is_behind_sh(sh):
    line = f"{sh} {FOLDER}/tunnel.sh {LINE[LINE.index(MARK) :]}"
    assert tunnel_process.running_keeper([Process(7, 1, 7, 0, line)], TUNNEL.place, 0) is not None


def test_ports_of_tunnels_are_read_off_what_runs(monkeypatch):
    there = [("/c/open", 8889, 7), ("/c/other", 9, 7), ("/c/theirs", 8889, 8)]
    lines = [
        Process(7, 1, 7, user, " ".join(replace(TUNNEL, directory=folder, local_port=port).command()))
        for folder, port, user in there
    ]
    monkeypatch.setattr(tunnel, "_processes", lambda: lines)
    monkeypatch.setattr(tunnel.os, "geteuid", lambda: 7)
    assert tunnel.open_ports(["/c/open", "/c/closed", "/c/theirs"]) == {"/c/open": 8889}


@pytest.mark.parametrize(
    "change", [{"local_port": 1}, {"remote_port": 1}, {"host": "x"}, {"config": "/x"}, {"directory": "/x"}]
)
def test_tunnel_with_other_parameters_or_another_keeper_is_another_one(monkeypatch, change):
    other, digest = replace(TUNNEL, **change), TUNNEL.digest
    assert other.digest != digest == replace(TUNNEL).digest
    assert (other.place == TUNNEL.place) is ("directory" not in change)
    monkeypatch.setattr(tunnel_process, "KEEPER", "true")
    assert TUNNEL.digest != digest


def test_forwarding_is_written_as_ssh_reads_it():
    assert TUNNEL.forward == "127.0.0.1:8888:127.0.0.1:8889"


@pytest.mark.parametrize(
    ("log", "connected"),
    [
        ("", False),
        (f"{SAYS} connected\nchannel 2: open failed: connect failed: Connection refused\n", True),
        (f"{SAYS} connected\n{ENDED}\n", False),
        (f"{ENDED}\n{SAYS} connected\n", True),
        (f"{MARK} {OTHER} connected\n", False),
    ],
)
def test_log_tells_whether_the_forwarding_stands(log, connected):
    assert tunnel_process.is_connected(log, TUNNEL.place) is connected


def test_what_ssh_said_is_told_apart_from_what_the_keeper_said():
    assert tunnel_process.what_ssh_said(f"a\n{ENDED}\nb\n") == "a\nb"


def test_keeper_tries_again_after_pauses_that_grow_to_half_a_minute():
    pause, waited = 1, []
    for _ in range(7):
        now, pause = tunnel_keeper.pauses(pause, lasted=0)
        waited.append(now)
    assert waited == [1, 2, 4, 8, 16, 30, 30]
    assert tunnel_keeper.pauses(30, lasted=60) == (1, 2)
