# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_wait
short_description: Wait for SSH access to an instance
version_added: "0.1.0"
description:
  - Logs in repeatedly with C(ssh -F) and a configuration file of DESI Lab, until it works.
  - The instance may refuse, not answer, close the connection, or boot meanwhile.
  - Fails at once if waiting cannot help, as for a host key that is not the pinned one, an unusable private key, an
    invalid configuration, or an unknown host.
  - A refused key is tried three times within a few seconds, because sshd may listen before the key is installed.
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
  timeout:
    description: How many seconds to wait.
    type: float
    default: 300
requirements:
  - OpenSSH's client, 6.8 or newer, where the module runs.
extends_documentation_fragment:
  - desi.lab.attributes.info_module
attributes:
  check_mode:
    details: Does nothing in check mode, for the instance may not exist.
"""

EXAMPLES = r"""
- name: Wait for SSH access
  desi.lab.ssh_wait:
    config: ~/.config/desi-lab/us-west-2/desi/ssh_config
    host: desi-desi
    timeout: 300
  delegate_to: localhost
"""

RETURN = r"""
elapsed:
  description: The seconds until access.
  returned: success
  type: float
  sample: 12.4
tries:
  description: The number of attempts.
  returned: success
  type: int
  sample: 9
address:
  description: The address of the instance. Empty in check mode.
  returned: success
  type: str
  sample: 203.0.113.7
user:
  description: The user name. Empty in check mode.
  returned: success
  type: str
  sample: ec2-user
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import failing
from ..module_utils._ssh.wait import find_target, wait_for


def main() -> None:
    """Wait for the host that the options name."""
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "required": True},
            "host": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, elapsed=0.0, tries=0, address="", user="")
    with failing(module):
        target = find_target(module.params["config"], module.params["host"])
        met = wait_for(target, module.params["timeout"])
    module.exit_json(changed=False, address=target.address, user=target.user, **met._asdict())


if __name__ == "__main__":
    main()
