# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_key
short_description: Pin the SSH host key of a new instance
version_added: "0.2.0"
description:
  - A new instance starts with a host key that was created here, passed in user data, and pinned before the first
    log-in, so that nobody in between can impersonate the instance.
  - Since others may read user data, the instance creates another key at the first log-in. It is read over that
    connection and pinned in place of the first, which is worthless from then on.
  - If any of this fails, the module fails. Run again, it continues from there.
  - An instance without a pinned key is refused, unless it has the key with the given O(fingerprint).
author:
  - The DESI Lab contributors (@desi-lab)
options:
  folder:
    description:
      - The lab's config directory, with C(known_hosts), and from O(state=made) until the first log-in the private key
        C(host_key) with mode 0600.
    type: path
    required: true
  state:
    description:
      - V(made) ensures an unused key for a new instance.
      - V(known) ensures that a host key of the instance's own is pinned.
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
    description: The id of the instance, which is C(HostKeyAlias) in the configuration. Needed if O(state=known).
    type: str
  fingerprint:
    description:
      - The verified SHA-256 fingerprint of the instance's host key, as C(ssh-keygen -l) shows it.
      - The key with it is pinned, whatever was pinned before.
    type: str
    default: ""
  timeout:
    description: How many seconds to wait for the first SSH access.
    type: float
    default: 300
requirements:
  - OpenSSH's client, 7.6 or newer, where the module runs.
extends_documentation_fragment:
  - desi.lab.attributes
"""

EXAMPLES = r"""
- name: Create the first host key of an instance
  desi.lab.host_key:
    folder: ~/.config/desi-lab/us-west-2/desi
    state: made

- name: Pin the host key of the instance
  desi.lab.host_key:
    folder: ~/.config/desi-lab/us-west-2/desi
    config: ~/.config/desi-lab/us-west-2/desi/ssh_config
    host: desi-desi
    machine: i-0123456789abcdef0
"""

RETURN = r"""
how:
  description:
    - V(made) or V(kept), for the key of a new instance.
    - V(known) for an instance with a pinned key, V(met) after the first contact, V(compared) for a key with the given
      fingerprint.
  returned: success
  type: str
  sample: met
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._ssh.first_contact import KNOWN, Meeting, make_key


def main() -> None:
    """Run the module."""
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
    directory = str(Path(given["folder"]).absolute())
    try:
        if given["state"] == "made":
            changed = make_key(directory, module.check_mode)
            module.exit_json(changed=changed, how="made" if changed else "kept")
        meeting = Meeting(directory, given["config"], given["host"], given["machine"], given["fingerprint"])
        how = meeting.how() if module.check_mode else meeting.meet(given["timeout"])
    except LabError as error:
        module.fail_json(**error.as_result())
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        words = LabError(
            "The files of the lab on this computer cannot be used.",
            f"{directory}: {said}.",
            "Check who owns the folder and whether the disk is full, then run the same command again.",
        )
        module.fail_json(**words.as_result())
    module.exit_json(changed=how != KNOWN, how=how)


if __name__ == "__main__":
    main()
