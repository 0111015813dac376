#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jupyter_activity_info
short_description: List the kernels and terminals that run in a Jupyter server
version_added: "0.1.0"
description:
  - Queries the API of a server on the same host for what would end with it.
  - A server that does not answer is no failure. It is a row of the result, as something may run in it.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  url:
    description: The URL of the server, with its token.
    type: str
    required: true
  certificate:
    description: A PEM file with the server's certificate, which alone is trusted. Required for https.
    type: path
    default: ""
  container:
    description: The lab's container. The token is sent only if it publishes the port and only the engine listens there.
    type: str
    default: ""
extends_documentation_fragment:
  - desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: List what runs
  desi.lab.jupyter_activity_info:
    url: "{{ jupyter_url }}"
  register: busy
  no_log: true
"""

RETURN = r"""
running:
  description: A row for each kernel and each terminal, as M(desi.lab.box) takes them.
  returned: success
  type: list
  elements: dict
  contains:
    label:
      description: V(kernel), V(terminal), or V(server) if it does not answer.
      type: str
    text:
      description: The notebook of a kernel, or the name of a terminal.
      type: str
    about:
      description: What it does.
      type: str
words:
  description: Their number in words.
  returned: success
  type: str
  sample: 2 kernels and 1 terminal
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._docker.port_owner import of_container
from ansible_collections.desi.lab.plugins.module_utils._jupyter.activity import activity_text, ask


def main() -> None:
    spec = {
        "url": {"type": "str", "required": True, "no_log": True},
        "certificate": {"type": "path", "default": ""},
        "container": {"type": "str", "default": ""},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    container = module.params["container"]
    running = ask(module.params["url"], module.params["certificate"], of_container(container) if container else None)
    module.exit_json(changed=False, running=running, words=activity_text(running))


if __name__ == "__main__":
    main()
