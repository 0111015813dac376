# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A computer, a cloud and two containers, each a network namespace: the rules of this computer are not touched."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker import link_local as rule
from ansible_collections.desi.lab.plugins.modules import link_local as module

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("iptables", path=module.SYSTEM_FOLDERS)),
    reason="only root may make networks, by the commands ip and iptables",
)

METADATA, ON_HOST, FAR, NEAR_SIX = "169.254.169.254", "169.254.7.7", "10.98.0.2", "fe80::1%eth0"
LISTEN = """
import socket, sys, threading
for place in sys.argv[1:]:
    host, port = place.rsplit(",", 1)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.create_server((host, int(port)), family=family)
    def serve(server=server):
        while True:
            server.accept()[0].sendall(b"keys")
    threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as line:
        print(line.recv(4).decode())
except OSError:
    print("nothing")
"""


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


class Networks:
    """Namespaces by short names, as they are called on this computer."""

    def __init__(self):
        self.key, self.made, self.processes = secrets.token_hex(3), [], []

    def name(self, short):
        return f"dl{self.key}{short}"

    def make(self, *shorts):
        for short in shorts:
            ip("netns", "add", self.name(short))
            self.made.append(short)
            ip("-n", self.name(short), "link", "set", "lo", "up")

    def inside(self, short, *words, **options):
        return subprocess.run(
            ["ip", "netns", "exec", self.name(short), *words], check=False, capture_output=True, text=True, **options
        )

    def join(self, host_interface, host_address, short, address, interface="eth0"):
        ip("link", "add", f"p{self.key}", "type", "veth", "peer", "name", f"q{self.key}")
        for given, where, called, has in (
            (f"p{self.key}", "host", host_interface, host_address),
            (f"q{self.key}", short, interface, address),
        ):
            ip("link", "set", given, "netns", self.name(where), "name", called)
            ip("-n", self.name(where), "address", "add", f"{has}/24", "dev", called)
            six = "fe80::1/64" if where == "host" else "fe80::2/64"
            ip("-n", self.name(where), "address", "add", six, "dev", called, "nodad", check=False)
            ip("-n", self.name(where), "link", "set", called, "up")
        ip("-n", self.name(short), "route", "add", "default", "via", host_address)

    def listen(self, short, *places):
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name(short), sys.executable, "-c", LISTEN, *places],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        assert process.stdout.readline() == "ready\n"

    def ask(self, short, address, port=80, seconds=5):
        return self.inside(short, sys.executable, "-c", ASK, address, str(port), str(seconds)).stdout.strip()

    def close(self):
        for process in self.processes:
            process.kill()
            process.communicate()
        for short in self.made:
            ip("netns", "delete", self.name(short), check=False)


@pytest.fixture
def networks():
    """A lab and another container on a computer that forwards to a cloud, which has its keys for whoever asks."""
    made = Networks()
    try:
        made.make("host", "lab", "other", "cloud")
        made.join("dlab-0123456789", "10.99.1.1", "lab", "10.99.1.2")
        made.join("docker0", "10.99.2.1", "other", "10.99.2.2")
        made.join("up0", "10.98.0.1", "cloud", FAR)
        ip("-n", made.name("cloud"), "address", "add", f"{METADATA}/32", "dev", "eth0")
        ip("-n", made.name("host"), "route", "add", f"{METADATA}/32", "via", FAR)
        ip("-n", made.name("host"), "address", "add", f"{ON_HOST}/32", "dev", "lo")
        assert made.inside("host", "sysctl", "-w", "net.ipv4.ip_forward=1").returncode == 0
        made.listen("cloud", f"{METADATA},80", f"{METADATA},53", f"{FAR},80")
        made.listen("host", f"{ON_HOST},80", "::,8080")
        yield made
    finally:
        made.close()


@pytest.fixture
def host(networks, tmp_path, monkeypatch):
    """The rule, for the computer of the test."""
    program = rule.PROGRAM.replace(rule.MARK, str(tmp_path / "mark"))
    monkeypatch.setattr(rule, "PROGRAM", program)
    monkeypatch.setattr(rule, "SHELL", ("ip", "netns", "exec", networks.name("host"), "/bin/sh"))
    return rule.LinkLocal(str(tmp_path / "programs"), str(tmp_path / "units"), str(tmp_path / "none"))


@pytest.mark.security("M12")
def test_a_lab_does_not_get_the_keys_of_its_machine(networks, host, tmp_path):
    places = [(METADATA, 80), (METADATA, 53), (ON_HOST, 80), (NEAR_SIX, 8080)]
    assert [networks.ask("lab", *place) for place in places] == ["keys"] * 4
    assert not host.holds()
    host.ensure()
    assert host.holds()
    assert [networks.ask("lab", *place, seconds=1) for place in places] == ["nothing"] * 4
    # What is no lab goes on as it did, and so does a lab with the rest of the world.
    assert [networks.ask("other", *place) for place in places] == ["keys"] * 4
    assert (networks.ask("lab", FAR), (tmp_path / "mark").exists()) == ("keys", True)
    host.remove()
    assert (host.is_absent(), (tmp_path / "mark").exists()) == (True, False)
    assert [networks.ask("lab", *place) for place in places] == ["keys"] * 4
    for tool in ("iptables", "ip6tables"):
        assert "DESI-LAB" not in networks.inside("host", tool, "-t", "raw", "-S").stdout


@pytest.mark.security("M12")
def test_a_rule_that_was_changed_does_not_hold_and_is_made_anew_once(networks, host):
    host.ensure()
    host.ensure()
    shown = networks.inside("host", "iptables", "-t", "raw", "-S").stdout
    assert (shown.count("-j DESI-LAB"), shown.count("-j DROP")) == (1, 1)
    for words in (["-D", "PREROUTING", "-i", "dlab-+", "-j", "DESI-LAB"], ["-F", "DESI-LAB"]):
        networks.inside("host", "iptables", "-t", "raw", *words)
        assert not host.holds()
        host.ensure()
        assert host.holds()
    networks.inside("host", "iptables", "-t", "raw", "-I", "DESI-LAB", "-j", "RETURN")
    assert not host.holds()
    host.ensure()
    assert networks.ask("lab", METADATA, seconds=1) == "nothing"


def test_a_name_server_that_is_link_local_answers_labs_at_its_port_alone(networks, host):
    folder = Path("/etc/netns") / networks.name("host")
    folder.mkdir(parents=True)
    try:
        (folder / "resolv.conf").write_text(f"# a cloud\nnameserver {METADATA}\nnameserver 10.0.0.2\n")
        host.ensure()
        assert host.holds()
        assert networks.ask("lab", METADATA, 53) == "keys"
        assert networks.ask("lab", METADATA, 80, 1) == "nothing"
    finally:
        shutil.rmtree(folder)
    assert not host.holds()


@pytest.mark.security("M12", "C1")
def test_what_root_runs_is_roots_and_a_link_in_its_place_is_not_followed(host, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / rule.NAME).symlink_to(victim)
    # Nothing is put where somebody else could change it.
    (tmp_path / "programs").chmod(0o777)
    with pytest.raises(rule.LabError):
        host.ensure()
    assert (tmp_path / "programs" / rule.NAME).is_symlink()
    (tmp_path / "programs").chmod(0o755)
    host.ensure()
    program = tmp_path / "programs" / rule.NAME
    assert (program.is_symlink(), program.stat().st_uid, program.stat().st_mode & 0o7777) == (False, 0, 0o755)
    assert victim.read_text() == "mine"


def test_with_systemd_a_unit_makes_the_rule_before_docker_starts(host, tmp_path, monkeypatch):
    (tmp_path / "systemd").mkdir()
    said = []
    monkeypatch.setattr(rule.LinkLocal, "_systemctl", lambda _self, *words: said.append(words))
    booted = rule.LinkLocal(host.folder, host.units, str(tmp_path / "systemd"))
    booted.ensure()
    unit = (tmp_path / "units" / rule.UNIT).read_text()
    assert f"ExecStart={host.folder}/{rule.NAME} add\n" in unit
    assert "Before=docker.service\n" in unit
    assert said == [("daemon-reload",), ("enable", rule.UNIT)]
    booted.remove()
    assert booted.is_absent()
    assert said[2:] == [("disable", "--now", rule.UNIT), ("daemon-reload",)]


def test_the_unit_grants_what_the_program_needs(networks, host, monkeypatch):
    line = next(line for line in rule.UNIT_TEXT.splitlines() if line.startswith("CapabilityBoundingSet="))
    granted = [name.lower().replace("cap_", "+") for name in line.partition("=")[2].split()]
    words = ("setpriv", f"--bounding-set=-all,{','.join(granted)}", "--inh-caps=-all", "--no-new-privs")
    monkeypatch.setattr(rule, "SHELL", ("ip", "netns", "exec", networks.name("host"), *words, "/bin/sh"))
    host.ensure()
    assert host.holds()
    assert networks.ask("lab", METADATA, seconds=1) == "nothing"


@pytest.mark.parametrize("used", [True, False])
def test_the_module_ensures_removes_and_leaves_alone_what_is_of_use(host, call, monkeypatch, tmp_path, used):
    monkeypatch.setattr(module, "LinkLocal", lambda: host)
    in_use = host.is_in_use
    (tmp_path / "net" / ("dlab-0123456789" if used else "docker0")).mkdir(parents=True)
    monkeypatch.setattr(host, "is_in_use", lambda: in_use(str(tmp_path / "net")))

    def run(**arguments):
        return call(module, **arguments)[1]["changed"]

    assert run(_ansible_check_mode=True)
    assert host.is_absent()
    assert run(_ansible_diff=True)
    assert host.holds()
    assert not run()
    assert run(state="absent") is not used
    assert host.is_absent() is not used


def test_host_without_root_or_iptables_is_told(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(module.os, "geteuid", lambda: 1000)
        with pytest.raises(rule.LabError, match="become"):
            module.check_host()
    monkeypatch.setattr(module, "SYSTEM_FOLDERS", "/nowhere")
    with pytest.raises(rule.LabError, match="iptables"):
        module.check_host()
