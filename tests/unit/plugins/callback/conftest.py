# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PATIENCE = 120


class Terminal:
    """A run of Ansible on a terminal of its own."""

    def __init__(self, command, environment):
        self.said = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)  # noqa: S606

    def read_until(self, pattern, patience=PATIENCE):
        """Return whether the run said this within the time."""
        end = time.monotonic() + patience
        while not (found := re.search(pattern, self.said)) and (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                if not data:
                    break
                self.said += data.decode()
        return bool(found)

    def read_until_there_is(self, path):
        end = time.monotonic() + PATIENCE
        while not path.exists() and time.monotonic() < end:
            self.read_until(r"(?!)", patience=0.1)
        return path.exists()

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        self.read_until(r"(?!)")
        _pid, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def screen(self):
        """Return what stands on the screen in the end."""
        lines = []
        for line in re.sub(r"\x1b\[[0-9;]*m", "", self.said).replace("\r\n", "\n").split("\n"):
            lines.append(line.split("\r\x1b[2K")[-1])
        return "\n".join(lines)


@pytest.fixture
def ansible(tmp_path):
    """Run a playbook as a person would, with next to nothing in the environment."""
    terminals = []

    def run(playbook, *arguments, hosts=("localhost",), terminal=False, **environment):
        (tmp_path / "site.yml").write_text(playbook)
        (tmp_path / "ansible.cfg").write_text("")
        where = {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TERM": "xterm"}
        where |= {
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_STDOUT_CALLBACK": "desi.lab.steps",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        command = ["ansible-playbook", "-c", "local", "-i", ",".join(hosts) + ",", str(tmp_path / "site.yml")]
        command += ["-e", f"ansible_python_interpreter={sys.executable}", *arguments]
        if terminal:
            terminals.append(Terminal(command, where | environment))
            return terminals[-1]
        return subprocess.run(command, env=where | environment, capture_output=True, text=True, timeout=PATIENCE)

    yield run
    for each in terminals:
        each.close()
