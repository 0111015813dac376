# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action import run_lock
from ansible_collections.desi.lab.plugins.module_utils._common.run_lock import started

ROOT = Path(__file__).parents[4]
PATIENCE = 120

# Two tasks take the hold, each in a worker of its own, and in between the run waits for a word to go on.
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - desi.lab.run_lock: {path: "{{ playbook_dir }}/lab/hold", what: lab desi}
    - ansible.builtin.file: {path: "{{ playbook_dir }}/busy-{{ run }}", state: touch, mode: "0600"}
      changed_when: false
      check_mode: false
    - ansible.builtin.wait_for: {path: "{{ playbook_dir }}/go-{{ run }}", timeout: 100, sleep: 1}
    - desi.lab.run_lock: {path: "{{ playbook_dir }}/lab/hold", what: lab desi}
      register: held
    - ansible.builtin.debug: {msg: "held={{ held.held }} other={{ held.other }}."}
"""


@pytest.fixture
def begin(tmp_path):
    """Begin a run of the playbook in the background."""
    (tmp_path / "site.yml").write_text(PLAYBOOK)
    (tmp_path / "ansible.cfg").write_text("")
    begun = []

    def run(name, *arguments, hosts="localhost,"):
        environment = {
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        command = ["ansible-playbook", "-c", "local", "-i", hosts, str(tmp_path / "site.yml"), "-e", f"run={name}"]
        command += ["-e", f"ansible_python_interpreter={sys.executable}", *arguments]
        begun.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return begun[-1]

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def await_file(path):
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def end_of(process):
    """Return how a run ended and what it said, its lines joined."""
    said = process.communicate(timeout=PATIENCE)[0]
    return process.returncode, re.sub(r"\s+", " ", said)


def test_main_process_holds_the_run_lock_until_it_ends(begin, tmp_path):
    first = begin("one", hosts="one,two,")
    await_file(tmp_path / "busy-one")
    written = json.loads((tmp_path / "lab" / "hold").read_text())
    assert (written["pid"], written["started"]) == (first.pid, started(first.pid))

    code, said = end_of(begin("two"))
    assert code != 0
    assert re.search(rf"Lab desi is being worked on by another run \(process {first.pid}, since \d\d:\d\d\)", said)
    assert not (tmp_path / "busy-two").exists()

    looking = begin("three", "--check")
    await_file(tmp_path / "busy-three")
    (tmp_path / "go-three").touch()
    code, said = end_of(looking)
    assert code == 0, said
    assert f"held=False other=process {first.pid}, since " in said
    assert re.search(r"WARNING\]: lab desi is being worked on by another run", said)

    (tmp_path / "go-one").touch()
    code, said = end_of(first)
    assert code == 0, said
    assert "held=True other=." in said
    assert json.loads((tmp_path / "lab" / "hold").read_text())["pid"] == first.pid


def test_run_outside_a_worker_holds_the_lock_itself(act, tmp_path):
    assert run_lock.run_process() == os.getpid()
    # Tasks of the fixture are in check mode.
    assert act(run_lock.ActionModule, path=str(tmp_path / "hold"), what="lab desi") == {
        "changed": False,
        "held": False,
        "other": "",
    }
    assert not (tmp_path / "hold").exists()


@pytest.mark.security("G1")
@pytest.mark.parametrize(
    "path",
    [
        "/hold",
        "~/us-west-2/desi/hold",
        "us-west-2/desi/hold",
        "/a/us-west-2/other/hold",
        "/a/us-west-2/desi/../../hold",
    ],
)
def test_directory_that_is_not_the_labs_is_refused(act, path):
    result = act(run_lock.ActionModule, path=path, what="lab desi", directory="us-west-2/desi")
    assert result["failed"]
    assert "absolute and end in us-west-2/desi" in result["why"]
    assert not act(run_lock.ActionModule, path="/a/us-west-2//desi/hold", what="x", directory="us-west-2/desi").get(
        "failed"
    )


@pytest.mark.parametrize("arguments", [{"path": "/x"}, {"path": "/x", "what": "x", "more": 1}])
def test_arguments_other_than_path_and_what_are_refused(act, arguments):
    with pytest.raises(AnsibleActionFail):
        act(run_lock.ActionModule, **arguments)
