#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jupyter_activity_info
short_description: List what would be lost with a Jupyter server
version_added: "0.1.0"
description:
  - Queries the API of a server on the same host for the kernels and terminals that would end with it.
  - Of a lab's container it also lists the packages and files that were added in it, which only a replacement or a
    removal takes away.
  - A server that does not answer is no failure. It is a row of the result, as something may run in it.
options:
  url:
    description: The URL of the server, with its token. Empty reads it from the log of O(container).
    type: str
    default: ""
  certificate:
    description: A PEM file with the server's certificate, which alone is trusted. Required for https.
    type: path
    default: ""
  container:
    description: The lab's container. The token is sent only if it publishes the port and only the engine listens there.
    type: str
    default: ""
  ending:
    description:
      - What is going to be done with the container. V(stop) and V(restart) end what runs in it, V(limit) may,
        V(replace) and V(remove) also take what was installed and written in it.
    type: str
    choices: [stop, restart, limit, replace, remove]
    default: stop
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: List what a replacement of the container would end
  desi.lab.jupyter_activity_info:
    container: desi-lab-desi
    ending: replace
  register: loss
"""

RETURN = r"""
running:
  description: A row for each kernel, terminal and command, the packages and the files, as M(desi.lab.box) takes them.
  returned: success
  type: list
  elements: dict
  contains:
    label:
      description:
        - V(kernel), V(terminal), V(notebook) of C(./lab run), V(shell) of C(./lab shell), another V(command) in the
          container, V(packages), V(files), or V(server) if it does not answer.
      type: str
    text:
      description: The notebook of a kernel, the name of a terminal, or names.
      type: str
    about:
      description: What it does.
      type: str
words:
  description: Their number in words.
  returned: success
  type: str
  sample: 2 kernels and 1 terminal
asks:
  description: Whether somebody has to agree.
  returned: success
  type: bool
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._docker.port_owner import of_container
from ..module_utils._jupyter.activity import ask
from ..module_utils._jupyter.host import inspect_ending
from ..module_utils._jupyter.loss import ENDINGS, STOP, Layer, loss


def main() -> None:
    spec: dict[str, t.Any] = {
        "url": {"type": "str", "default": "", "no_log": True},
        "certificate": {"type": "path", "default": ""},
        "container": {"type": "str", "default": ""},
        "ending": {"type": "str", "default": STOP, "choices": list(ENDINGS)},
    }
    module = AnsibleModule(argument_spec=spec, required_one_of=[("url", "container")], supports_check_mode=True)
    url, container = module.params["url"], module.params["container"]
    try:
        if url:
            activity = ask(url, module.params["certificate"], of_container(container) if container else None)
            found = loss(module.params["ending"], True, activity, Layer([], []))
        else:
            found = inspect_ending(container, module.params["ending"], module.params["certificate"])
    except LabError as error:
        module.fail_json(**error.as_result())
    module.exit_json(changed=False, running=found.rows, words=found.words or "what runs in it", asks=found.asks)


if __name__ == "__main__":
    main()
