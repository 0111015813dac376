# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_key
short_description: Know a machine by its host key before it is met
version_added: "0.2.0"
description:
  - A new machine begins with a host key that was made here. It is handed over by user data and pinned before the first
    log-in, so that nobody in between can be taken for the machine.
  - User data can be read by others. So at the first log-in, which that key proves, the machine makes a key of its own.
    It is read over that connection and pinned in place of the first, which is worthless from then on.
  - Where anything of that fails, the module fails. Run again, it goes on from there.
  - A machine of which no key is pinned is refused, unless O(fingerprint) is given and it has that key.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  folder:
    description:
      - The lab's folder. It has the file C(known_hosts), and from O(state=made) until the first log-in the private key
        C(host_key), which is its owner's alone.
    type: path
    required: true
  state:
    description:
      - V(made) sees to it that there is a key for a new machine, which no machine has had.
      - V(known) sees to it that a machine is known by a key of its own.
    type: str
    choices: [made, known]
    default: known
  config:
    description: The SSH configuration file. Needed if O(state=known).
    type: path
  host:
    description: The host's name in it. Needed if O(state=known).
    type: str
  machine:
    description: The id of the machine, which is C(HostKeyAlias) in the configuration. Needed if O(state=known).
    type: str
  fingerprint:
    description:
      - The SHA-256 fingerprint of the machine's host key, as C(ssh-keygen -l) shows it, if somebody has compared it.
      - A machine that has that key is pinned by it, whatever was pinned before.
    type: str
    default: ""
  timeout:
    description: How many seconds to wait until the machine lets us in for the first time.
    type: float
    default: 300
requirements:
  - OpenSSH's client, 7.6 or newer, where the module runs.
extends_documentation_fragment:
  - desi.lab.attributes
"""

EXAMPLES = r"""
- name: Make the host key that the machine is to begin with
  desi.lab.host_key:
    folder: ~/.config/desi-lab/us-west-2/desi
    state: made

- name: Meet the machine
  desi.lab.host_key:
    folder: ~/.config/desi-lab/us-west-2/desi
    config: ~/.config/desi-lab/us-west-2/desi/ssh_config
    host: desi-desi
    machine: i-0123456789abcdef0
"""

RETURN = r"""
how:
  description:
    - V(made) or V(kept), for a key that a new machine is to have.
    - V(known) for a machine that was known, V(met) for one that was met for the first time, V(compared) for one that
      has the key of which the fingerprint was given.
  returned: success
  type: str
  sample: met
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ssh.first_contact import KNOWN, Meeting, make_key


def main() -> None:
    """Make a key, or meet a machine."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["made", "known"], "default": "known"},
            "config": {"type": "path"},
            "host": {"type": "str"},
            "machine": {"type": "str"},
            "fingerprint": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 300},
        },
        required_if=[("state", "known", ["config", "host", "machine"])],
        supports_check_mode=True,
    )
    given = module.params
    folder = str(Path(given["folder"]).absolute())
    try:
        if given["state"] == "made":
            changed = make_key(folder, module.check_mode)
            module.exit_json(changed=changed, how="made" if changed else "kept")
        meeting = Meeting(folder, given["config"], given["host"], given["machine"], given["fingerprint"])
        how = meeting.how() if module.check_mode else meeting.meet(given["timeout"])
    except LabError as error:
        module.fail_json(**error.as_result())
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        words = LabError(
            "The files of the lab on this computer cannot be used.",
            f"{folder}: {said}.",
            "Look whose the folder is and whether the disk is full, then run the same command again.",
        )
        module.fail_json(**words.as_result())
    module.exit_json(changed=how != KNOWN, how=how)


if __name__ == "__main__":
    main()
