# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_tunnel
short_description: Keep an SSH tunnel open after the run
version_added: "0.1.0"
description:
  - Forwards a port of this computer to a port as a machine sees it, with C(ssh -L), and keeps it so.
  - The port is held for as long as the tunnel is open, also while the connection is down, so that no other account of
    this computer can listen there in its place. Whoever connects then is sent away.
  - A port at which anybody else listens is refused.
  - The tunnel is detached from the run and from the terminal. It comes back by itself when the connection breaks, when
    the computer has slept, and when the machine has got another address in the SSH configuration.
  - There is one tunnel for a folder, also if version 0.1.0 opened it. It is known from the process list alone, by its
    command line, and it ends by itself when the SSH configuration is gone.
  - When the tunnel cannot be opened, nothing of it is left.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  config:
    description: The SSH configuration file.
    type: path
    required: true
  host:
    description: The host's name in it.
    type: str
    required: true
  folder:
    description:
      - The lab's folder. While the tunnel is open it has the files C(tunnel.py) and C(tunnel.log), and a directory
        C(tunnel) that nobody else may enter.
    type: path
    required: true
  local_port:
    description: The port of 127.0.0.1 at which the tunnel begins on this computer. Needed unless O(state=closed).
    type: int
  remote_port:
    description: The port of 127.0.0.1 on the machine to which it leads. If it is not given, it is O(local_port).
    type: int
  state:
    description:
      - V(open) reuses a tunnel with the same parameters that is proven to lead to the machine. Another one is replaced,
        and so is one that leads nowhere any more.
      - V(closed) ends the tunnel of the folder and removes its files. What is no tunnel's stays, whatever its name.
    type: str
    choices: [open, closed]
    default: open
  timeout:
    description: How many seconds to wait until the tunnel is open.
    type: float
    default: 30
requirements:
  - OpenSSH's client and C(ps) where the module runs.
extends_documentation_fragment:
  - desi.lab.attributes
attributes:
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Open the tunnel to the lab
  desi.lab.ssh_tunnel:
    config: ~/.config/desi-lab/us-west-2/desi/ssh_config
    host: desi-desi
    folder: ~/.config/desi-lab/us-west-2/desi
    local_port: 8888
  delegate_to: localhost

- name: Close it
  desi.lab.ssh_tunnel:
    config: ~/.config/desi-lab/us-west-2/desi/ssh_config
    host: desi-desi
    folder: ~/.config/desi-lab/us-west-2/desi
    state: closed
  delegate_to: localhost
"""

RETURN = r"""
state:
  description: Whether the tunnel is V(open) or V(closed) now; in check mode, whether it would be.
  returned: success
  type: str
  sample: open
how:
  description:
    - What was done. An open tunnel was V(reused), V(opened), V(replaced) because its parameters are others, or
      V(revived) because it led nowhere any more.
    - A closed one was V(closed), V(cleaned) because there were only files left, or V(absent).
  returned: success
  type: str
  sample: opened
answers:
  description: Whether a server answers at the far end. If not, the tunnel leads to the machine, but no server is there.
  returned: success
  type: bool
  sample: true
elapsed:
  description: How many seconds it took.
  returned: success
  type: float
  sample: 0.9
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import failing
from ..module_utils._ssh.tunnel import close_tunnel, open_tunnel
from ..module_utils._ssh.tunnel_process import Tunnel


def _resolved(folder: str) -> str:
    # An empty one is none, and not the current one.
    return str(Path(folder).resolve()) if folder else ""


def main() -> None:
    """Open or close the tunnel that the options describe."""
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "required": True},
            "host": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "local_port": {"type": "int"},
            "remote_port": {"type": "int"},
            "state": {"type": "str", "choices": ["open", "closed"], "default": "open"},
            "timeout": {"type": "float", "default": 30},
        },
        required_if=[("state", "open", ["local_port"])],
        supports_check_mode=True,
    )
    given = dict(module.params)
    state, timeout = given.pop("state"), given.pop("timeout")
    local_port = given.pop("local_port") or 0
    remote_port = given.pop("remote_port") or local_port
    # The loop runs elsewhere, and a folder has one tunnel by whatever path it is named.
    given.update(config=str(Path(given["config"]).absolute()), directory=_resolved(given.pop("folder")))
    begun = time.monotonic()
    with failing(module):
        tunnel = Tunnel(**given, local_port=local_port, remote_port=remote_port)
        if state == "open":
            result = open_tunnel(tunnel, timeout, module.check_mode)
        else:
            result = close_tunnel(tunnel, module.check_mode)
    module.exit_json(elapsed=round(time.monotonic() - begun, 2), **result)


if __name__ == "__main__":
    main()
