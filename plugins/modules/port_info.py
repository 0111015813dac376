# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: port_info
short_description: Check whether a TCP port is free, who listens there, and which port is free instead
version_added: "0.1.0"
description:
  - Tries to listen on a TCP port of this host, as servers do. Closed connections (TIME_WAIT) do not count, and a
    listener on all addresses does.
  - The port may be taken again by the time it is used.
extends_documentation_fragment: desi.lab.attributes.info_module
options:
  address:
    description: The IP address to listen on, or V(localhost).
    type: str
    default: 127.0.0.1
  port:
    description: The TCP port, from V(1) to V(65535).
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Check whether the lab's port is free
  desi.lab.port_info:
    port: 8888
  register: lab_port

- name: Stop when the port is taken
  ansible.builtin.assert:
    that: lab_port.free
    fail_msg: "Port 8888 is taken by {{ lab_port.listener }}; {{ lab_port.next_free }} is free."
"""

RETURN = r"""
address:
  description: The IP address that was tried.
  returned: always
  type: str
  sample: 127.0.0.1
port:
  description: The port that was tried.
  returned: always
  type: int
  sample: 8888
free:
  description: Whether a server could listen there now.
  returned: always
  type: bool
  sample: false
listener:
  description: Who listens there; empty if the port is free.
  returned: always
  type: str
  sample: the Docker container desi-lab-desi
next_free:
  description: The first free port from O(port) on, of the next 100; null if none is.
  returned: always
  type: int
  sample: 8889
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._docker.ports import query_port


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        result = query_port(**module.params)
    except LabError as error:
        module.fail_json(**error.as_result())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
