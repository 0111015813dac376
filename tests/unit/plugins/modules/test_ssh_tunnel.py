# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from loopback import await_that, free_port

from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel as tunnels
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel_process import (
    KEEPER,
    Tunnel,
    place_of,
    tunnel_processes,
)
from ansible_collections.desi.lab.plugins.modules import ssh_tunnel


def answer(connection):
    """Answer as a web server does, once there is a request."""

    def serve():
        if connection.recv(1000):
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
        connection.close()

    threading.Thread(target=serve, daemon=True).start()


class Desk:
    """A computer with a lab's folder, from which a tunnel leads to a machine and a server on it."""

    def __init__(self, machine, server, call):
        self.machine, self.server, self.call = machine, server, call
        self.port = free_port()
        self.log = machine.folder / "tunnel.log"

    def run(self, **arguments):
        given = {"config": str(self.machine.config), "host": self.machine.host, "folder": str(self.machine.folder)}
        if arguments.get("state") != "closed":
            given |= {"local_port": self.port, "remote_port": self.server.port, "timeout": 20}
        return self.call(ssh_tunnel, **{**given, **arguments})

    def tunnel(self):
        there = (str(self.machine.folder), str(self.machine.config), self.machine.host)
        return Tunnel(*there, self.port, self.server.port)

    def open(self, **arguments):
        code, result = self.run(**arguments)
        assert code == 0, result
        return result

    def close(self, **arguments):
        code, result = self.run(state="closed", **arguments)
        assert code == 0, result
        return result

    def processes(self):
        return tunnel_processes(tunnels._processes(), place_of(str(self.machine.folder)), os.geteuid())

    def loop(self):
        return next(process.pid for process in self.processes() if process.pid == process.group)

    def files(self):
        return sorted(path.name for path in self.machine.folder.glob("tunnel*"))

    def probe(self, port=None):
        return tunnels.probe(Tunnel("", "", "", port or self.port, 0), 2)

    def answers(self):
        return self.probe() == tunnels.ANSWERS

    def fails(self, **arguments):
        """Return what is told of a tunnel that cannot be opened, of which nothing is left."""
        code, result = self.run(**arguments)
        assert (code, self.processes(), self.files()) == (1, [], [])
        return result


@pytest.fixture
def desk(machine, listener, call):
    made = Desk(machine, listener(answer), call)
    machine.start()
    yield made
    for process in made.processes():
        os.kill(process.pid, signal.SIGKILL)


def test_tunnel_is_opened_reused_and_closed_with_all_that_belongs_to_it(desk):
    result = desk.open()
    assert (result["changed"], result["state"], result["how"], result["answers"]) == (True, "open", "opened", True)
    assert result["diff"]["before"] == {"state": "closed"}
    assert result["diff"]["after"]["forward"] == f"127.0.0.1:{desk.port}:127.0.0.1:{desk.server.port}"
    loop = desk.loop()
    again = desk.open()
    assert (again["changed"], again["how"], again["answers"]) == (False, "reused", True)
    assert "diff" not in again
    assert desk.loop() == loop
    desk.machine.config.unlink()
    result = desk.close()
    assert (result["changed"], result["how"], result["diff"]["after"]) == (True, "closed", {"state": "closed"})
    assert (desk.processes(), desk.files(), desk.probe()) == ([], [], tunnels.DOWN)
    again = desk.close()
    assert (again["changed"], again["how"]) == (False, "absent")


def test_connection_that_broke_comes_back_by_itself_also_to_a_new_address(desk):
    desk.open()
    loop = desk.loop()
    desk.machine.cut()
    await_that(desk.answers)
    assert "ended with 255" in desk.log.read_text()
    assert desk.open()["changed"] is False
    desk.machine.stop()
    desk.machine.start(free_port())
    desk.machine.write_config()
    await_that(desk.answers)
    assert desk.loop() == loop


def test_connection_that_died_in_a_sleep_comes_back_by_itself(desk, monkeypatch):
    monkeypatch.setattr(tunnels, "KEEPER", KEEPER.replace("ServerAliveInterval=15", "ServerAliveInterval=1"))
    desk.open()
    loop = desk.loop()
    for session in desk.machine.sessions():
        os.kill(session, signal.SIGSTOP)
    await_that(lambda: "not responding" in desk.log.read_text())
    await_that(desk.answers)
    assert desk.loop() == loop


def test_tunnel_that_waits_for_its_next_try_is_revived_at_once(desk):
    desk.open()
    loop = desk.loop()
    desk.machine.stop()
    await_that(lambda: "started again in 4 s" in desk.log.read_text())
    desk.machine.start(free_port())
    desk.machine.write_config()
    result = desk.open()
    assert (result["changed"], result["how"], result["answers"]) == (True, "revived", True)
    assert desk.loop() == loop


def test_connection_that_is_dead_without_a_word_is_made_anew(desk, monkeypatch):
    monkeypatch.setattr(tunnels, "PROBE_SECONDS", 0.5)
    desk.open()
    for session in desk.machine.sessions():
        os.kill(session, signal.SIGSTOP)
    result = desk.open()
    assert (result["changed"], result["how"], result["answers"]) == (True, "revived", True)


@pytest.mark.parametrize("change", ["local_port", "remote_port"])
def test_tunnel_with_other_parameters_takes_the_place_of_the_one_before(desk, listener, change):
    desk.open()
    before, loop = desk.port, desk.loop()
    if change == "local_port":
        desk.port = free_port()
    else:
        desk.server = listener(answer)
    result = desk.open()
    assert (result["changed"], result["how"], result["answers"]) == (True, "replaced", True)
    assert result["diff"]["before"]["forward"] != result["diff"]["after"]["forward"]
    assert [process.pid for process in desk.processes() if process.pid == process.group] == [desk.loop()] != [loop]
    if change == "local_port":
        assert desk.probe(before) == tunnels.DOWN


def test_tunnel_to_a_machine_without_a_server_is_open_and_says_so(desk):
    desk.server.close()
    result = desk.open()
    assert (result["changed"], result["answers"]) == (True, False)
    again = desk.open()
    assert (again["changed"], again["how"], again["answers"]) == (False, "reused", False)


def test_server_that_hangs_is_told_and_nothing_is_left(desk, listener):
    desk.server = listener()
    why = desk.fails(timeout=3)["why"]
    assert f"nothing answered there at 127.0.0.1 port {desk.server.port}" in why


def test_port_that_is_taken_is_told_with_one_that_is_free(desk, listener, monkeypatch):
    desk.port = listener(answer).port
    result = desk.fails(_ansible_check_mode=True)
    assert result["what"] == f"Port {desk.port} on 127.0.0.1 is taken."
    assert desk.fails()["do"] == result["do"]
    # It may be taken between look and use.
    asked, real = [], tunnels.ports.is_free
    monkeypatch.setattr(tunnels.ports, "is_free", lambda *at: asked.append(at) or len(asked) == 1 or real(*at))
    assert desk.fails()["what"] == result["what"]
    desk.port = int(result["do"].rpartition("=")[2])
    assert desk.open()["answers"]


def test_what_waiting_does_not_cure_is_told_at_once_and_nothing_is_left(desk):
    desk.machine.authorized.write_text("")
    begun = time.monotonic()
    assert desk.fails(timeout=60)["what"] == "The machine desi-test refuses the key."
    assert time.monotonic() - begun < 20


def test_machine_that_is_not_there_is_waited_for_as_long_as_told(desk, listener):
    desk.machine.stop()
    result = desk.fails(timeout=1)
    assert result["what"] == "The tunnel to desi-test could not be opened within 1 seconds."
    assert "Connection refused" in result["why"]
    # One that takes the connection, and never speaks.
    desk.machine.write_config(port=listener().port)
    begun = time.monotonic()
    desk.fails(timeout=1)
    assert time.monotonic() - begun < 15


def test_tunnel_ends_by_itself_when_the_configuration_is_gone(desk):
    desk.open()
    desk.machine.config.unlink()
    await_that(lambda: not desk.processes())
    assert not desk.answers()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_keeper_that_is_ended_by_hand_is_replaced_and_nothing_of_it_stays(desk, number):
    desk.open()
    loop = desk.loop()
    os.kill(loop, number)
    await_that(lambda: loop not in [process.pid for process in desk.processes()])
    left = [process.pid for process in desk.processes() if "LocalCommand" in process.line]
    assert len(left) == (number == signal.SIGKILL)
    assert not desk.answers()
    result = desk.open()
    assert (result["changed"], result["answers"]) == (True, True)
    assert sum("LocalCommand" in process.line for process in desk.processes()) == 1
    desk.close()
    assert desk.processes() == []


def test_files_that_a_reboot_left_are_cleared_and_nobody_is_ended(desk):
    desk.machine.stop()
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    (desk.machine.folder / "tunnel.sh").write_text(f"echo desi-lab-tunnel {bystander.pid}")
    (desk.machine.folder / "tunnel.log").write_text(f"{bystander.pid}")
    result = desk.close()
    assert (result["changed"], result["how"], desk.files()) == (True, "cleaned", [])
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


@pytest.mark.security("G1")
def test_files_of_others_by_the_names_of_a_tunnels_stay(desk, monkeypatch):
    folder = desk.machine.folder
    (folder / "tunnel").mkdir()
    theirs = [folder / name for name in ("tunnel.py", "tunnel.log", "tunnel.sh", "tunnel/thesis.txt")]
    for path in theirs:
        path.write_text("mine")
    result = desk.close()
    assert (result["changed"], result["how"]) == (False, "absent")
    code, result = desk.run()
    assert (code, desk.processes()) == (1, [])
    assert f"{theirs[0]} is in the place" in result["why"]
    assert [path.read_text() for path in theirs] == ["mine"] * 4
    # Of a tunnel that was ended by force all goes but what others put beside it.
    theirs[0].write_text(KEEPER)
    assert desk.close()["how"] == "cleaned"
    assert desk.files() == ["tunnel", "tunnel.sh"]
    assert theirs[3].read_text() == "mine"
    monkeypatch.chdir(folder)
    theirs[0].write_text(KEEPER)
    assert desk.run(state="closed", folder="")[1]["what"] == "The tunnel has no folder."
    assert theirs[0].exists()


@pytest.mark.security("H7")
def test_files_are_their_owners_alone_and_not_written_through_links_and_no_keys_go_along(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-real-secret")
    other = tmp_path / "other"
    other.write_text("theirs")
    desk.log.symlink_to(other)
    (desk.machine.folder / "tunnel.py").symlink_to(other)
    (desk.machine.folder / "tunnel").symlink_to(tmp_path)
    desk.open()
    assert other.read_text() == "theirs"
    modes = {path.name: path.lstat().st_mode & 0o7777 for path in desk.machine.folder.glob("tunnel*")}
    assert modes == {"tunnel": 0o700, "tunnel.py": 0o600, "tunnel.log": 0o600}
    assert (desk.machine.folder / "tunnel" / "socket").lstat().st_mode & 0o7777 == 0o600
    for process in desk.processes():
        assert b"not-a-real-secret" not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_tunnel_outlives_the_terminal_and_holds_no_stream_of_it(desk):
    program = (
        "import json, sys\n"
        "from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel import Tunnel, open_tunnel\n"
        "print(open_tunnel(Tunnel(**json.loads(sys.argv[1])), 20)['how'])\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(vars(desk.tunnel()))],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    # It is read to its end: whoever held the stream would keep this waiting.
    assert run.communicate(timeout=60)[0] == b"opened\n"
    group = os.getpgid(desk.loop())
    assert group != run.pid
    os.killpg(group, signal.SIGHUP)
    assert desk.answers()


def test_many_at_once_open_one_tunnel(desk):
    opened, tunnel = [], desk.tunnel()
    threads = [threading.Thread(target=lambda: opened.append(tunnels.open_tunnel(tunnel, 20)["how"])) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(opened) == ["opened", "reused", "reused", "reused", "reused"]


def test_check_mode_tells_what_would_be_done_and_does_nothing(desk, listener):
    would = desk.open(_ansible_check_mode=True)
    assert (would["changed"], would["how"]) == (True, "opened")
    assert (desk.processes(), desk.files()) == ([], [])
    desk.open()
    loop = desk.loop()
    assert desk.open(_ansible_check_mode=True)["changed"] is False
    desk.server = listener(answer)
    would = desk.open(_ansible_check_mode=True)
    assert (would["changed"], would["how"]) == (True, "replaced")
    would = desk.close(_ansible_check_mode=True)
    assert (would["changed"], would["how"]) == (True, "closed")
    assert desk.loop() == loop


def test_check_mode_needs_nothing_that_has_not_been_made(desk, tmp_path):
    missing = {"folder": str(tmp_path / "none"), "config": str(tmp_path / "none/ssh_config")}
    assert desk.open(_ansible_check_mode=True, **missing)["changed"] is True
    assert desk.close(_ansible_check_mode=True, **missing)["changed"] is False
    assert desk.close(**missing)["changed"] is False
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"remote_port": 70000}, "70000 is not a port"),
        ({"host": "-oProxyCommand=x"}, "is not the name of a host"),
        ({"local_port": None}, "0 is not a port"),
    ],
)
def test_what_cannot_work_is_refused(desk, arguments, says):
    assert says in desk.fails(**arguments)["msg"]


def test_computer_without_ps_is_told(desk, monkeypatch):
    monkeypatch.setattr(tunnels, "_PS", ["no-such-command"])
    code, result = desk.run()
    assert (code, result["what"]) == (1, "The tunnels that are open cannot be found.")
