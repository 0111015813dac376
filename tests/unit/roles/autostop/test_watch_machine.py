# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the watcher sees of processes, terminals, processors and lines: of real ones where this computer has them."""

import contextlib
import os
import pty
import signal
import time
from pathlib import Path

import pytest
from desi_watch import counters, processes
from desi_watch.processes import Process, commands, parsed, people
from hypothesis import given
from hypothesis import strategies as st

PTS = os.makedev(136, 3)


def process(pid, name="bash", parent=1, group=None, session=None, terminal=PTS, foreground=None, began=0.0):
    """Return a process that leads a terminal of its own, unless something else is said."""
    group = pid if group is None else group
    return Process(pid, name, parent, group, pid if session is None else session, terminal, foreground or group, began)


@contextlib.contextmanager
def terminal(*command):
    """Run a command in a terminal of its own; gives its process id and the other end of the terminal."""
    pid, end = pty.fork()
    if not pid:
        # Who began the tests in the background had them ignore it, and a shell hands that on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    try:
        yield pid, end
    finally:
        os.close(end)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        os.waitpid(pid, 0)


def seen_of(pid):
    """Return the processes in the terminal of a process."""
    return [each for each in processes.processes() if each.session == pid]


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# Terminals


def test_a_shell_at_its_prompt_is_no_command_nor_what_runs_in_its_background_but_what_runs_in_front():
    with terminal("bash", "--norc", "-i") as (pid, end):
        wait_for(lambda: [each.name for each in seen_of(pid)] == ["bash"])
        assert commands(seen_of(pid)) == []
        os.write(end, b"sleep 99 &\n")
        wait_for(lambda: len(seen_of(pid)) == 2)
        wait_for(lambda: commands(seen_of(pid)) == [])
        os.write(end, b"sleep 100\n")
        wait_for(lambda: commands(seen_of(pid)) == ["sleep runs in a terminal"])
        os.write(end, b"\x03")
        wait_for(lambda: commands(seen_of(pid)) == [])


def test_a_command_that_a_terminal_was_opened_with_runs_and_a_console_is_no_terminal_of_a_person():
    with terminal("sleep", "100") as (pid, _end):
        wait_for(lambda: commands(seen_of(pid)) == ["sleep runs in a terminal"])
    assert commands([process(10, "agetty", terminal=os.makedev(4, 64))]) == []


# People


def test_a_login_over_ssh_counts_at_once_and_its_tunnel_alone_does_not():
    server = process(5, "sshd", terminal=0)
    tunnel = [server, process(6, "sshd", parent=5, terminal=0), process(7, "sshd", parent=6, terminal=0)]
    assert people(tunnel, 1000.0) == []
    assert people([*tunnel, process(8, parent=7, began=999.9)], 1000.0) == ["somebody is logged in over SSH"]


def test_a_command_over_ssh_counts_once_it_takes_longer_than_a_look_and_a_shell_of_nobody_does_not():
    for name in ("sshd", "sshd-session"):
        server = process(7, name, terminal=0)
        assert people([server, process(8, "cat", parent=7, terminal=0, began=995.0)], 1000.0) == []
        found = people([server, process(8, "rsync", parent=7, terminal=0, began=980.0)], 1000.0)
        assert found == ["rsync runs over SSH"]
    assert people([process(1, "systemd", parent=0, terminal=0), process(8)], 1000.0) == []


# Lines of /proc


def test_a_process_of_this_computer_is_read_as_it_is():
    found = parsed(Path("/proc/self/stat").read_text())
    assert (found.pid, found.parent, found.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert 0 < found.began <= time.clock_gettime(time.CLOCK_BOOTTIME)


@given(st.text(st.characters(blacklist_characters="\n\0"), max_size=15))
def test_a_name_may_be_anything(name):
    line = f"7 ({name}) S 1 7 7 {PTS} 8 0 0 0 0 0 0 0 0 0 20 0 1 0 4200 0 0"
    assert parsed(line) == Process(7, name, 1, 7, 7, PTS, 8, 4200 / os.sysconf("SC_CLK_TCK"))


def test_processors_of_this_computer_have_worked_and_work_on():
    before = counters.read_counters()
    end = time.monotonic() + 5
    while counters.read_counters()["cpu"] == before["cpu"]:
        assert time.monotonic() < end
    assert counters.read_counters()["network"] >= before["network"]


# User, nice, system, idle, waiting for a disk, interrupts (two), and what the host took away, each in seconds.
@pytest.mark.parametrize(
    ("spent", "seconds"),
    [
        ((1, 1, 1, 99, 99, 1, 1, 0), 5),
        # A minute of one program on a t2.micro that has used up its credits.
        ((6, 0, 0, 0, 0, 0, 0, 54), 60),
    ],
)
def test_waiting_for_a_disk_is_no_work_and_a_processor_that_was_taken_away_is(spent, seconds):
    ticks = os.sysconf("SC_CLK_TCK")
    assert counters.cpu(f"cpu  {' '.join(str(each * ticks) for each in spent)} 0 0\ncpu0 1") == seconds


def test_lines_to_containers_and_to_itself_do_not_count():
    text = "Inter-|\n face |\n"
    for name, size in (("lo", 1), ("eth0", 100), ("docker0", 2), ("veth1a", 4), ("br-77", 8), ("ens5", 1000)):
        text += f"{name:>6}: {size} 0 0 0 0 0 0 0 {size * 10} 0 0 0 0 0 0 0\n"
    assert counters.network(text) == 100 + 1000 + 1000 + 10000


BEFORE = {"cpu": 10.0, "network": 0.0}


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"cpu": 24.0, "network": 2_900_000.0}, []),
        ({"cpu": 70.0, "network": 0.0}, ["processors work (1.0 of them)"]),
        ({"cpu": 10.0, "network": 6_000_000.0}, ["the network is used (100 kB a second)"]),
        # Counters that ran over, or of a machine that has booted since.
        ({"cpu": 0.0, "network": -5.0}, []),
    ],
)
def test_what_is_above_its_floor_is_told(after, words):
    assert counters.above_floors(BEFORE, after, 60.0, 0.25, 50_000.0) == words


def test_without_something_to_compare_with_nothing_is_above():
    lots = {"cpu": 1e9, "network": 1e9}
    for before, seconds in (({}, 60.0), ({"cpu": "x", "network": 1.0}, 60.0), ({"cpu": 1.0}, 60.0), (BEFORE, 0.0)):
        assert counters.above_floors(before, lots, seconds, 0.25, 50_000.0) == []
