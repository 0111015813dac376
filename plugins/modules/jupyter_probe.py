# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jupyter_probe
short_description: Verify that a Jupyter server answers, without disclosing its token
version_added: "0.1.0"
description:
  - Queries the API of a Jupyter server with the token in its URL, until it answers.
  - Over TLS the server is verified before the token is sent, by the certificate in O(certificate), or else by a
    certificate for its host name from a trusted authority.
  - Follows no redirect and uses no proxy.
  - Does not wait for a server that is another one, refuses the token, or is not Jupyter.
  - The token is in no message and in no result.
options:
  url:
    description: The URL of the server's page with the token. Without a token, only the server's version is queried.
    type: str
    required: true
  certificate:
    description:
      - A PEM file whose first certificate is the server's. It alone is trusted, at any address.
      - If empty, the certificate is validated as a browser does.
    type: path
    default: ""
  address:
    description: The address to connect to; if empty, the host of the URL.
    type: str
    default: ""
  ca:
    description:
      - A PEM file with the trusted certificate authorities; if empty, those of this computer.
      - Mutually exclusive with O(certificate).
    type: path
    default: ""
  tunnel:
    description:
      - The directory of a tunnel of M(desi.lab.ssh_tunnel). The token is sent only if the tunnel's process listens at
        the address, before and after the connection is made.
    type: path
    default: ""
  container:
    description:
      - The container of a lab on the same computer. The token is sent only if it runs and publishes the port, and if
        nobody but the engine listens there, as far as the system shows that.
    type: str
    default: ""
  timeout:
    description: Seconds to wait for an answer.
    type: float
    default: 60
extends_documentation_fragment: desi.lab.attributes.info_module
attributes:
  check_mode:
    details: Queries nothing in check mode, for the server may not have been started.
"""

EXAMPLES = r"""
- name: Verify that the lab answers, and that it is the lab
  desi.lab.jupyter_probe:
    url: "{{ access_url }}"
    certificate: ~/.config/desi-lab/us-west-2/desi/tls/cert.pem
  no_log: true

- name: Verify it before DNS has its name
  desi.lab.jupyter_probe:
    url: https://lab.example.org/lab?token=not-a-real-token
    address: 203.0.113.7
  no_log: true
"""

RETURN = r"""
answered:
  description: Whether the server answered; V(false) in check mode only, as the module fails otherwise.
  returned: success
  type: bool
  sample: true
fingerprint:
  description: The SHA-256 fingerprint of the server's certificate. Empty without TLS.
  returned: success
  type: str
  sample: "6F:1C:…"
version:
  description: The version of Jupyter Server.
  returned: success
  type: str
  sample: 2.17.0
elapsed:
  description: The seconds that it took.
  returned: success
  type: float
  sample: 0.4
"""

import time
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._jupyter.probe import prepare, query_until
from ..module_utils._ssh.tunnel import proof_of


def main() -> None:
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
        answer = query_until(replace(prepare(**given), proof=proof), timeout)
    except LabError as error:
        module.fail_json(**error.as_result())
    elapsed = round(time.monotonic() - begun, 2)
    module.exit_json(changed=False, answered=True, elapsed=elapsed, **answer._asdict())


if __name__ == "__main__":
    main()
