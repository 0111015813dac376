# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a module runs: Ansible itself, by `ansible localhost`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from ansible_collections.desi.lab.plugins.action.in_process import ActionModule
from ansible_collections.desi.lab.plugins.plugin_utils import _in_process

ROOT = Path(__file__).parents[4]


@pytest.fixture
def ask(tmp_path):
    """Run a module on this computer; return its exit code, its result, and whether a program was started for it."""

    def run(module, arguments, *options, **about):
        inventory = tmp_path / "hosts.json"
        host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", **about}
        inventory.write_text(json.dumps({"all": {"hosts": {"here": host}}}))
        known = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            "ANSIBLE_NOCOLOR": "1",
        }
        ansible = Path(sys.executable).with_name("ansible")
        given = ["-a", json.dumps(arguments)] if arguments else []
        command = [ansible, "-i", inventory, "-m", module, *given, "-vvv", *options, "here"]
        done = subprocess.run(command, env=known, capture_output=True, text=True, timeout=120)
        _before, arrow, answer = done.stdout.rpartition(" => ")
        assert arrow, done.stdout + done.stderr
        return done.returncode, json.loads(answer), " EXEC " in done.stdout

    return run


def stand_in(**environment):
    """Return the action of a task, as far as it is asked here."""
    task = SimpleNamespace(async_val=0, delegate_to=None, environment=[environment], check_mode=False)
    connection = SimpleNamespace(transport="local", become=None, _shell=SimpleNamespace(env_prefix=lambda **_: ""))
    templar = SimpleNamespace(template=lambda value: value)
    action = ActionModule(task, connection, play_context=None, loader=None, templar=templar)
    action._update_module_args = lambda *_, **__: None
    return action


@pytest.fixture
def in_process(monkeypatch):
    """Run the main function of a module."""

    def run(main, **environment):
        module = ModuleType("stand_in.here")
        module.main = main
        monkeypatch.setitem(sys.modules, "stand_in", ModuleType("stand_in"))
        monkeypatch.setitem(sys.modules, "stand_in.here", module)
        return _in_process.run(stand_in(**environment), "desi.lab.here", {}, {}, package="stand_in")

    return run


def test_a_module_here_is_no_program_and_its_result_is_the_same(ask, tmp_path):
    arguments = {"files": {str(tmp_path / "a/b"): "x\n"}, "mode": "0600"}
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    inside = ask("desi.lab.text_files", arguments, "--diff")
    assert (tmp_path / "a/b").read_text() == "x\n"
    (tmp_path / "a/b").unlink()
    program = ask("desi.lab.text_files", arguments, "--diff", ansible_python_interpreter=str(link))
    assert inside == (*program[:2], False)
    assert program[2]
    assert inside[1]["changed"]
    assert inside[1]["written"] == [str(tmp_path / "a/b")]


def test_check_mode_reaches_it(ask, tmp_path):
    code, result, program = ask("desi.lab.text_files", {"files": {str(tmp_path / "b"): "x"}}, "--check")
    assert (code, result["changed"], program) == (0, True, False)
    assert not (tmp_path / "b").exists()


def test_its_error_is_that_of_the_module(ask, tmp_path):
    (tmp_path / "file").touch()
    code, result, program = ask("desi.lab.text_files", {"files": {str(tmp_path / "file/b"): "x"}})
    assert (code, program) == (2, False)
    assert "Not a directory" in result["why"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"ansible_python_interpreter": "/usr/bin/python3"},
        {"ansible_become": True, "ansible_become_method": "ansible.builtin.su"},
    ],
)
def test_another_python_or_user_is_another_process(ask, tmp_path, elsewhere):
    if "ansible_become" in elsewhere and os.geteuid():
        pytest.skip("only root becomes somebody without a password")
    assert ask("desi.lab.text_files", {"files": {}}, **elsewhere)[2]


def test_a_job_that_is_waited_for_later_is_another_process(ask):
    assert ask("desi.lab.text_files", {"files": {}}, "-B", "30", "-P", "1")[2]


def test_a_name_of_an_earlier_release_still_leads_to_it(ask):
    code, result, program = ask("desi.lab.person_info", {})
    assert (code, result["uid"], program) == (0, os.getuid(), False)


def test_what_it_writes_beside_its_result_is_not_shown(in_process, capsys):
    def main():
        print("a warning", file=sys.stderr)
        print(json.dumps({"changed": False, "stdout": "a\nb"}))

    assert in_process(main)["stdout_lines"] == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_the_environment_of_a_task_is_not_that_of_the_next(in_process, monkeypatch):
    monkeypatch.setenv("KEPT", "1")

    def main():
        os.environ["KEPT"] = "2"
        print(json.dumps({"seen": os.environ["GIVEN"]}))

    assert in_process(main, GIVEN="x")["seen"] == "x"
    assert ("GIVEN" in os.environ, os.environ["KEPT"]) == (False, "1")


@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_macos_ends_what_asks_for_proxies_after_a_fork(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    assert _in_process.is_possible(stand_in(), {"ansible_python_interpreter": sys.executable}) is (platform == "linux")


def test_ctrl_c_ends_its_programs_and_lets_it_tidy_up(tmp_path):
    marker, begun = tmp_path / "marker", tmp_path / "begun"

    def main():
        marker.touch()
        with subprocess.Popen(["sleep", "60"]) as program:
            begun.write_text(str(program.pid))
            try:
                program.wait()
            finally:
                marker.unlink()
                program.wait()

    child = os.fork()
    if not child:
        # As in a worker, which leads its own session.
        os.setsid()
        with _in_process.interruptible():
            main()
        os._exit(0)
    deadline = time.monotonic() + 30
    while not (begun.exists() and begun.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(child, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert not marker.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(begun.read_text()), 0)
