# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notebook_run
short_description: Run a notebook in a lab, from its first cell to its last
version_added: "0.1.0"
description:
  - Runs the cells of a notebook of this computer in a new kernel of a Jupyter server, through the API that
    JupyterLab's own pages use, and tells of each cell as it ends. The first cell that raises ends the run, unless it
    has the tag C(raises-exception); a cell with the tag C(skip-execution) is left out.
  - The notebook stays as it is. With its outputs it is written beside itself as C(NAME.run.ipynb).
  - A notebook in the folder that the lab shows as C(synced) runs in place and finds the files beside it. Any other one
    runs in a folder C(runs) of the lab, and can be opened there afterwards.
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - nbformat, requests, websocket-client
options:
  path:
    description: The notebook.
    type: path
    required: true
  url:
    description: The URL of the server, with its token.
    type: str
    required: true
  folder:
    description: The folder of this computer that the lab shows as C(synced). Empty if there is none.
    type: str
    default: ""
  certificate:
    description: The certificate that a server of HTTPS has to show, where no authority vouches for it.
    type: path
    default: ""
  tunnel:
    description: The folder of the tunnel through which the server is reached. See M(desi.lab.jupyter_probe).
    type: path
    default: ""
  container:
    description: The lab's container, if it is on the same computer. See M(desi.lab.jupyter_probe).
    type: str
    default: ""
  uid:
    description: The number of the user to whom the notebook with its outputs is to belong, where root runs this.
    type: int
  gid:
    description: The number of that user's group.
    type: int
extends_documentation_fragment:
  - desi.lab.attributes
attributes:
  check_mode:
    details: Runs nothing in check mode.
  idempotent:
    support: none
    details: Runs the notebook each time.
"""

EXAMPLES = r"""
- name: Run a notebook
  desi.lab.notebook_run:
    path: /home/ann/desi/spectra.ipynb
    url: "{{ jupyter_url }}"
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
