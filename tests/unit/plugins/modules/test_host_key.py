# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine is met for the first time, and somebody else would like to be taken for it."""

import json
import subprocess
import tempfile

import pytest
import yaml
from loopback import Machine, make_key

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import user_data
from ansible_collections.desi.lab.plugins.module_utils._ssh import first_contact as ssh_first_contact
from ansible_collections.desi.lab.plugins.module_utils._ssh import host_key as ssh_host_key
from ansible_collections.desi.lab.plugins.modules import host_key

# What a machine is to whoever logs in: sudo, /etc/ssh and systemctl, in a folder of the test.
SHIM = """#!/bin/sh
PATH={bin}:$PATH; export PATH
printf '%s\\n' "$SSH_ORIGINAL_COMMAND" >>{log}
moved="s#/etc/ssh#{etc}#g; s#/var/lib/cloud#{home}/cloud#; s#/dev/console#{home}/console#"
exec /bin/sh -c "$(printf '%s' "$SSH_ORIGINAL_COMMAND" | sed "$moved")"
"""


class NewMachine(Machine):
    """A machine that has just been made with the key that it was handed."""

    def boot(self, private=None):
        self.etc = self.home / "etc"
        for folder in (self.etc, self.home / "bin"):
            folder.mkdir(exist_ok=True)
        self.host_key = self.etc / "ssh_host_ed25519_key"
        self.host_key.write_text(private or (self.folder / "host_key").read_text())
        self.host_key.chmod(0o600)
        self.log = self.home / "commands"
        programs = {
            "shim": SHIM.format(bin=self.home / "bin", etc=self.etc, log=self.log, home=self.home),
            "sudo": '#!/bin/sh\nshift\nexec "$@"\n',
            "systemctl": f"#!/bin/sh\n[ $2 = ssh.service ] && kill -HUP $(cat {self.home}/pid)\n",
        }
        for name, text in programs.items():
            (self.home / "bin" / name).write_text(text)
            (self.home / "bin" / name).chmod(0o755)
        public = self.key.with_suffix(".pub").read_text()
        self.authorized.write_text(f'command="{self.home}/bin/shim" {public}')
        self.start()
        (self.home / "pid").write_text(str(self.server.pid))

    def shows(self):
        return ssh_first_contact.public_half(self.host_key)

    def pins(self):
        text = self.known_hosts.read_text() if self.known_hosts.exists() else ""
        return ssh_host_key.pins(text, "i-0abc")


@pytest.fixture
def made(tmp_path):
    machine = NewMachine(tmp_path)
    machine.known_hosts.unlink()
    yield machine
    machine.stop()


@pytest.fixture
def run(made, call):
    def run_module(state="known", **more):
        given = {"folder": str(made.folder), "state": state}
        if state == "known":
            given |= {"config": str(made.config), "host": made.host, "machine": "i-0abc", "timeout": 20}
        code, result = call(host_key, **{**given, **more})
        assert "PRIVATE KEY" not in json.dumps(result)
        return code, result

    return run_module


@pytest.fixture
def ready(made, run):
    assert run("made")[1]["how"] == "made"
    return made


@pytest.mark.security("H8")
def test_machine_is_met_by_the_key_that_it_was_given_and_has_another_one_from_then_on(ready, run):
    handed = ssh_first_contact.public_half(ready.folder / "host_key")
    assert (ready.folder / "host_key").stat().st_mode & 0o777 == 0o600
    ready.boot()
    code, result = run()
    assert (code, result["how"], result["changed"]) == (0, "met", True), result
    assert ready.pins() == [ready.shows()] != [handed]
    assert sorted(path.name for path in ready.folder.glob("host_key*")) == []
    assert sorted(path.name for path in ready.etc.iterdir()) == ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]
    assert ready.host_key.stat().st_mode & 0o777 == 0o600
    # Whoever loses what is pinned finds it in the system log, and at each start anew.
    console = ready.home / "console"
    assert ssh_host_key.fingerprint(ready.shows()) in console.read_text()
    console.unlink()
    subprocess.run([ready.home / "cloud/scripts/per-boot/desi-lab-host-key"], check=True)
    assert ssh_host_key.fingerprint(ready.shows()) in console.read_text()
    again = run()[1]
    assert (again["how"], again["changed"]) == ("known", False)


def test_machine_is_met_whatever_the_temporary_directory_is_called(ready, run, tmp_path, monkeypatch):
    (tmp_path / "100%n").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "100%n"))
    ready.boot()
    code, result = run()
    assert (code, result.get("how")) == (0, "met"), result
    shown = ssh_host_key.fingerprint(ready.shows())
    ready.known_hosts.unlink()
    code, result = run(fingerprint=shown)
    assert (code, result.get("how")) == (0, "compared"), result


@pytest.mark.security("H8")
def test_key_of_the_user_data_is_worthless_afterwards(ready, run):
    handed = (ready.folder / "host_key").read_text()
    ready.boot()
    assert run()[0] == 0
    ready.stop()
    # Whoever has read the user data answers in its place.
    ready.boot(private=handed)
    found = subprocess.run(
        ["ssh", "-F", ready.config, "-o", "BatchMode=yes", ready.host, "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in found.stderr


@pytest.mark.security("H8")
def test_another_host_key_at_first_contact_is_refused_before_anybody_logs_in(ready, run, tmp_path):
    ready.boot(private=make_key(tmp_path / "middle").read_text())
    code, result = run()
    assert code == 1
    assert "is not the machine that AWS started" in result["what"]
    assert not ready.log.exists()
    assert (ready.folder / "host_key").exists()


@pytest.mark.security("H8")
def test_machine_of_which_nothing_is_known_is_refused_until_its_key_was_compared(made, run, tmp_path):
    made.boot(private=make_key(tmp_path / "lost").read_text())
    code, result = run()
    assert (code, "lab_host_key" in result["do"]) == (1, True)
    code, result = run(fingerprint="SHA256:" + "A" * 43)
    assert (code, made.pins()) == (1, [])
    assert "does not have the host key that you gave" in result["what"]
    assert not made.log.exists()
    code, result = run(fingerprint=ssh_host_key.fingerprint(made.shows()))
    assert (code, result.get("how"), made.pins()) == (0, "compared", [made.shows()]), result


@pytest.mark.security("H8")
def test_machine_that_was_pinned_before_is_known_and_is_not_asked(made, run, tmp_path):
    public = make_key(tmp_path / "old").with_suffix(".pub").read_text()
    made.known_hosts.write_text(f"i-0abc {public}")
    # It does not even run.
    assert run()[1]["how"] == "known"


@pytest.mark.security("H8")
@pytest.mark.security("H8")
@pytest.mark.parametrize("harm", ["keygen", "restart"])
def test_machine_without_a_key_of_its_own_is_not_worked_with_and_the_next_run_goes_on(ready, run, harm, monkeypatch):
    monkeypatch.setattr(ssh_first_contact, "PROOF_SECONDS", 1)
    monkeypatch.setattr(ssh_first_contact, "ROTATE_SECONDS", 3.0)
    ready.boot()
    program = ready.home / "bin" / {"keygen": "ssh-keygen", "restart": "systemctl"}[harm]
    before = program.read_text() if program.exists() else ""
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    code, result = run()
    assert (code, "no host key of its own" in result["what"]) == (1, True), result
    assert (ready.folder / "host_key").exists()
    if before:
        program.write_text(before)
    else:
        program.unlink()
    monkeypatch.undo()
    code, result = run()
    assert (code, result["how"], ready.pins()) == (0, "met", [ready.shows()])


@pytest.mark.parametrize(("times", "seconds"), [(2, 60.0), (9, 1.0)])
def test_line_that_the_starting_machine_lets_go_is_taken_up_again(ready, run, times, seconds, monkeypatch):
    monkeypatch.setattr(ssh_first_contact, "ROTATE_SECONDS", seconds)
    monkeypatch.setattr(ssh_first_contact, "ROTATE_PAUSE", 0.1)
    ready.boot()
    sudo = ready.home / "bin/sudo"
    left = ready.home / "left"
    left.write_text("x" * times)
    # The session of sshd is the parent of the shell that runs this.
    sudo.write_text(
        f"#!/bin/sh\nif [ -s {left} ]; then truncate -s -1 {left}; kill -9 $(ps -o ppid= -p $PPID); sleep 1; fi\n"
        'shift\nexec "$@"\n'
    )
    code, result = run()
    if seconds > times:
        assert (code, result["how"], ready.pins()) == (0, "met", [ready.shows()]), result
    else:
        assert (code, "no host key of its own" in result["what"]) == (1, True), result


@pytest.mark.security("H8")
def test_machine_that_answers_anything_else_than_a_key_is_refused(ready, run, monkeypatch):
    monkeypatch.setattr(ssh_first_contact, "ROTATE_SECONDS", 3.0)
    ready.boot()
    for answer in ("", "* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFhYWFhYWFhYWFh"):
        (ready.home / "bin" / "sudo").write_text(f"#!/bin/sh\necho '{answer}'\n")
        assert run()[0] == 1
        assert len(ready.pins()) == 1


def test_key_is_kept_for_the_next_run_until_a_machine_has_had_it(made, run):
    assert run("made", _ansible_check_mode=True)[1]["changed"] is True
    assert not (made.folder / "host_key").exists()
    assert run("made")[1]["how"] == "made"
    first = (made.folder / "host_key").read_text()
    assert run("made")[1]["how"] == "kept"
    assert (made.folder / "host_key").read_text() == first
    # The machine that had it is gone, and another one is to be made.
    made.known_hosts.write_text(f"i-0old {ssh_first_contact.public_half(made.folder / 'host_key')}\n")
    assert run("made")[1]["how"] == "made"
    assert (made.folder / "host_key").read_text() != first


def test_user_data_are_what_cloud_init_reads(made, run):
    assert run("made")[0] == 0
    text = user_data(ssh_first_contact.handed_keys_of(str(made.folder / "host_key")), 12)
    assert text.startswith("#cloud-config\n")
    keys = yaml.safe_load(text)["ssh_keys"]
    assert keys["ed25519_private"] == (made.folder / "host_key").read_text()
    assert keys["ed25519_public"].rstrip() == ssh_first_contact.public_half(made.folder / "host_key")
    assert len(text) < 2000


@pytest.mark.parametrize("machine", ["", "*", "i-0abc,other", "i-0abc\n*"])
def test_what_is_no_id_is_not_written_among_the_known_hosts(ready, run, machine):
    assert run(machine=machine)[0] == 1
    assert not ready.known_hosts.exists()


def test_other_lines_of_the_known_hosts_stay():
    text = "# mine\ni-1 ssh-ed25519 AAAA\ni-0abc ssh-rsa BBBB\n"
    kept = "# mine\ni-1 ssh-ed25519 AAAA\ni-0abc k 1\ni-0abc k 2\n"
    assert ssh_host_key.with_pins(text, "i-0abc", ["k 1", "k 2"]) == kept


def test_line_that_is_no_key_is_none():
    short = "AAAAC3NzaC1lZDI1NTE5AAAAIA"
    for line in ("", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 !!!", f"command=x ssh-ed25519 {short}"):
        assert ssh_host_key.key_in(line) is None


def test_fingerprint_is_that_of_ssh_keygen(tmp_path):
    path = make_key(tmp_path / "key")
    told = subprocess.run(["ssh-keygen", "-l", "-f", path], capture_output=True, text=True, check=True).stdout.split()[
        1
    ]
    assert ssh_host_key.fingerprint(ssh_first_contact.public_half(path)) == told == ssh_host_key.check_fingerprint(told)


@pytest.mark.parametrize("damage", ["mode", "passphrase", "text"])
def test_a_private_key_that_is_there_and_of_no_use_is_not_taken_for_one_that_is_missing(tmp_path, damage):
    key = tmp_path / "id_ed25519"
    assert ssh_first_contact.usable_half(key) == ""
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret" if damage == "passphrase" else "", "-f", str(key)]
    subprocess.run(make, check=True)
    if damage != "passphrase":
        assert ssh_first_contact.usable_half(key).startswith("ssh-ed25519 ")
    if damage == "mode":
        key.chmod(0o644)
    elif damage == "text":
        key.write_text("no key")
    with pytest.raises(LabError) as caught:
        ssh_first_contact.usable_half(key)
    assert (str(key) in caught.value.what, "chmod 600" in caught.value.do) == (True, True)
