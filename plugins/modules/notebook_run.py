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
  - The notebook stays as it is. With its outputs it is written beside itself as C(NAME.run.ipynb), which is verified to
    be possible before it runs. One of that name that was changed since the last run stays, and the new one is
    C(NAME.run-2.ipynb).
  - If it cannot be written there any more when it has run, it is written to C(~/.local/state/desi-lab/runs), and the
    task fails and says so.
  - A notebook in the folder that the lab shows as C(synced) runs in place and finds the files beside it. Any other one
    runs in a folder C(runs) of the lab, and can be opened there afterwards.
requirements:
  - the command C(docker) on the host of the lab
  - C(python3) with C(nbclient) in the lab's image
options:
  path:
    description: The notebook, on the computer where Ansible runs.
    type: str
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
        C(PROGRESS.wanted) for as long as it waits.
    type: path
    default: ""
  quiet:
    description:
      - How long that file may stay untouched before the run ends, in seconds. The action plugin sets it, longer for a
        lab on EC2, because a laptop may sleep for a while.
    type: float
    default: 30
extends_documentation_fragment: desi.lab.attributes
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
  description: The notebook with its outputs. Empty if it could be written nowhere.
  returned: when the notebook ran, even if a cell raised
  type: str
kept:
  description: The one of an earlier run that was changed since, and stays. Empty if there is none.
  returned: when the notebook ran, even if a cell raised
  type: str
  version_added: "0.2.0"
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

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._jupyter.notebook import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "path": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "folder": {"type": "str", "default": ""},
            "uid": {"type": "int"},
            "gid": {"type": "int"},
            "order": {"type": "path", "default": ""},
            "size": {"type": "int", "default": 0},
            "progress": {"type": "path", "default": ""},
            "quiet": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode:
        module.exit_json(changed=True)
    try:
        order, name = Path(given["order"]).read_bytes(), Path(given["path"]).name
        result = run(given["container"], order, given["size"], given["progress"], given["quiet"], name)
    except FileNotFoundError as error:
        module.fail_json(msg=f"There is no {error.filename} on this computer.")
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
