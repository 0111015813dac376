# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jupyter_probe
short_description: Ask a Jupyter server with its token, and only the right one
version_added: "0.1.0"
description:
  - Asks the API of a Jupyter server with the token in its URL, until it answers.
  - Over TLS the server has to prove who it is before the token is sent. It is known by the very certificate that
    O(certificate) holds, or else by a certificate for its host name from an authority that is trusted.
  - No redirect is followed, and no proxy is used.
  - A server that proves to be another one, refuses the token, or is not Jupyter, is not waited for.
  - The token is in no message and in no result.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  url:
    description: The URL of the server's page, with the token. Without one the server is asked for a sign of life.
    type: str
    required: true
  certificate:
    description:
      - A file with the server's certificate in PEM form. It alone is trusted, at any address. Of several in the file,
        it is the first one.
      - If it is empty, the certificate is validated as a browser does.
    type: path
    default: ""
  address:
    description: The address to connect to. If it is empty, the host of the URL.
    type: str
    default: ""
  ca:
    description:
      - A file with the certificate authorities that are trusted, in PEM form. If it is empty, those of this computer.
      - Not to be given with O(certificate).
    type: path
    default: ""
  tunnel:
    description:
      - The folder of a tunnel of M(desi.lab.ssh_tunnel). If it is given, the program that keeps that tunnel has to be
        who listens at the address, before and after the connection is made. The token is not sent to anybody else.
    type: path
    default: ""
  container:
    description:
      - The container of a lab on the same computer. If it is given, it has to run and to publish the port, and where
        the system tells who listens there, nobody but the engine may.
    type: str
    default: ""
  timeout:
    description: For how many seconds to go on asking.
    type: float
    default: 60
extends_documentation_fragment:
  - desi.lab.attributes.info_module
attributes:
  check_mode:
    details: Queries nothing in check mode, for the server may not have been started.
"""

EXAMPLES = r"""
- name: Prove that the lab answers, and that it is the lab
  desi.lab.jupyter_probe:
    url: "{{ reach_url }}"
    certificate: ~/.config/desi-lab/us-west-2/desi/tls/cert.pem
  no_log: true

- name: Prove it before the name leads there
  desi.lab.jupyter_probe:
    url: https://lab.example.org/lab?token=not-a-real-token
    address: 203.0.113.7
  no_log: true
"""

RETURN = r"""
answered:
  description: Whether the server was asked and answered. It is V(false) in check mode only, or else the module fails.
  returned: success
  type: bool
  sample: true
fingerprint:
  description: The SHA-256 fingerprint of the certificate that the server showed. Empty without TLS.
  returned: success
  type: str
  sample: "6F:1C:…"
version:
  description: The version of Jupyter Server.
  returned: success
  type: str
  sample: 2.17.0
elapsed:
  description: How many seconds it took.
  returned: success
  type: float
  sample: 0.4
"""

import time
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._jupyter.probe import ask_until, prepare
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel import proof_of


def main() -> None:
    """Ask the server that the options name."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True, "no_log": True},
            "certificate": {"type": "path", "default": ""},
            "address": {"type": "str", "default": ""},
            "ca": {"type": "path", "default": ""},
            "tunnel": {"type": "path", "default": ""},
            "container": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 60},
        },
        mutually_exclusive=[("tunnel", "container")],
        supports_check_mode=True,
    )
    given = dict(module.params)
    timeout, begun = given.pop("timeout"), time.monotonic()
    proof = proof_of(given.pop("tunnel"), given.pop("container"))
    try:
        if given["certificate"] and given["ca"]:
            raise LabError(
                "The server cannot be asked.",
                "Both its own certificate and authorities were given, and only one of them can prove who it is.",
                "Give certificate, or ca.",
            )
        if module.check_mode:
            module.exit_json(changed=False, answered=False, fingerprint="", version="", elapsed=0.0)
        answer = ask_until(replace(prepare(**given), proof=proof), timeout)
    except LabError as error:
        module.fail_json(**error.as_result())
    elapsed = round(time.monotonic() - begun, 2)
    module.exit_json(changed=False, answered=True, elapsed=elapsed, **answer._asdict())


if __name__ == "__main__":
    main()
