#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notebook_run
short_description: Run a notebook in a lab, from its first cell to its last
version_added: "0.1.0"
description:
  - Runs the cells of a notebook of the computer where Ansible runs in a new kernel of a lab, with the C(nbclient) that
    is in every image with Jupyter, and reports each cell as it ends. The first cell that raises ends the run, unless it
    has the tag C(raises-exception); a cell with the tag C(skip-execution) is left out.
  - The kernel has the user and the environment of the lab's Jupyter server. It ends when the run ends, whichever way.
  - The notebook stays as it is. With its outputs it is written beside itself as C(NAME.run.ipynb).
  - A notebook in the folder that the lab shows as C(synced) runs in place and finds the files beside it. Any other one
    runs in a folder C(runs) of the lab, and can be opened there afterwards.
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - the command C(docker) on the host of the lab
  - C(python3) with C(nbclient) in the lab's image
options:
  path:
    description: The notebook, on the computer where Ansible runs.
    type: path
    required: true
  container:
    description: The name of the lab's container.
    type: str
    required: true
  folder:
    description: The folder of the computer where Ansible runs that the lab shows as C(synced). Empty if there is none.
    type: str
    default: ""
  uid:
    description: The UID of the owner of the notebook with its outputs, where root runs this.
    type: int
  gid:
    description: The GID of that owner.
    type: int
  order:
    description: The program and the notebook, as a file on the host. The action plugin sets it.
    type: path
    default: ""
  size:
    description: How many bytes of O(order) are the program. The action plugin sets it.
    type: int
    default: 0
  progress:
    description:
      - A file to which a line is added as each cell begins and ends. The action plugin sets it, and touches
        C(PROGRESS.wanted) for as long as it waits. When it has not for a while, the run ends.
    type: path
    default: ""
extends_documentation_fragment:
  - desi.lab.attributes
attributes:
  idempotent:
    support: none
    details: Runs the notebook again each time.
"""

EXAMPLES = r"""
- name: Run a notebook
  desi.lab.notebook_run:
    path: /home/ann/desi/spectra.ipynb
    container: desi-lab-desi
    folder: /home/ann/desi
"""

RETURN = r"""
output:
  description: The notebook with its outputs.
  returned: when the notebook ran, even if a cell raised
  type: str
cells:
  description: How many cells ran.
  returned: when the notebook ran, even if a cell raised
  type: int
of:
  description: How many cells there are to run.
  returned: when the notebook ran, even if a cell raised
  type: int
seconds:
  description: How long that took.
  returned: when the notebook ran, even if a cell raised
  type: float
error:
  description: The error of the cell that raised, in one line. Empty if none did.
  returned: when the notebook ran, even if a cell raised
  type: str
traceback:
  description: Where that error came from, as the kernel tells it.
  returned: when the notebook ran, even if a cell raised
  type: str
"""

import contextlib
import os
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._docker.progress import ProgressFile

# Its standard input stays open behind the program: when that ends, so does the program.
START = "import sys; exec(compile(sys.stdin.buffer.read(int(sys.argv[1])), 'notebook_run', 'exec'))"
# The way over the network may be slow, and a computer may be busy.
QUIET_SECONDS = 30.0
MAX_OUTPUT = 512 * 2**20
MAX_LINE = 4096
MAX_ERRORS = 65_536


def end_unwanted(process: subprocess.Popen[bytes], wanted: str, quiet: float = QUIET_SECONDS) -> None:
    """End a process when nobody has touched a file for a while. The clock stands still while a computer sleeps."""
    known, since = -1, time.monotonic()
    with contextlib.suppress(FileNotFoundError):
        while process.poll() is None:
            time.sleep(0.2)
            touched = Path(wanted).stat().st_mtime_ns
            if touched != known:
                known, since = touched, time.monotonic()
            elif time.monotonic() - since > quiet:
                process.kill()


def run(container: str, order: bytes, size: int, progress: str) -> dict[str, t.Any]:
    """Run the program in the lab; return its exit code, and what it said."""
    command = ["docker", "exec", "--interactive", container, "python3", "-c", START, str(size)]
    wanted = f"{progress}.wanted" if progress else ""
    said: list[bytes] = []
    left = MAX_OUTPUT
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile())
        for path in (progress, wanted):
            stack.enter_context(ProgressFile(path))
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        )
        stdin, stdout = t.cast("t.BinaryIO", process.stdin), t.cast("t.BinaryIO", process.stdout)
        if wanted:
            # Whoever waits may be another user. Its name cannot be guessed, and there is nothing in it.
            Path(wanted).chmod(0o666)
            threading.Thread(target=end_unwanted, args=(process, wanted), daemon=True).start()
        with contextlib.suppress(BrokenPipeError):
            stdin.write(order)
            stdin.flush()
        while line := stdout.readline(left + 1):
            left -= len(line)
            if left < 0:
                process.kill()
                break
            said.append(line)
            if progress and len(line) <= MAX_LINE:
                with Path(progress).open("ab") as file:
                    file.write(line)
        code = process.wait()
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - MAX_ERRORS))
        return {
            "rc": code,
            "output": b"".join(said).decode(errors="replace"),
            "errors": errors.read().decode(errors="replace"),
        }


def main() -> None:
    """Run what the action plugin prepared."""
    module = AnsibleModule(
        {
            "path": {"type": "path", "required": True},
            "container": {"type": "str", "required": True},
            "folder": {"type": "str", "default": ""},
            "uid": {"type": "int"},
            "gid": {"type": "int"},
            "order": {"type": "path", "default": ""},
            "size": {"type": "int", "default": 0},
            "progress": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode:
        module.exit_json(changed=True)
    try:
        result = run(given["container"], Path(given["order"]).read_bytes(), given["size"], given["progress"])
    except FileNotFoundError as error:
        module.fail_json(msg=f"There is no {error.filename} on this computer.")
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
