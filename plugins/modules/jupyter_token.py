# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jupyter_token
short_description: Wait for a Jupyter server and return its token and URL
version_added: "0.1.0"
description:
  - Waits until the log of a Jupyter server has its URL, and returns the token and the URL with the host and port at
    which you reach it.
  - Reads what JupyterLab, Notebook 5 to 7, nbclassic and Jupyter Server print, in any log format. Of several servers in
    a log, it takes the newest that was not shut down; of a restarted container, it reads the log since the restart.
  - Where the log of a container has no URL, the container is queried for its running servers. A URL with a token that
    stands alone in the log counts only if that tells of none.
  - The token is worth a shell on the server. Put C(no_log=true) on the task, as the examples do. The token is in the
    result only, never in a message.
extends_documentation_fragment: desi.lab.attributes.info_module
attributes:
  check_mode:
    details: Returns RV(found=false) in check mode where the container or the file is missing or the container is
      stopped, as an earlier task would have made it.
options:
  container:
    description:
      - The name or id of the server's container. Its log is read by the C(docker) command, which honors E(DOCKER_HOST)
        and Docker contexts.
      - Exactly one of O(container), O(text) and O(path) is required.
    type: str
  text:
    description: The output of a server. It is read once.
    type: str
  path:
    description: The server's log file. It may be made, grow, or be replaced meanwhile.
    type: path
  timeout:
    description:
      - Seconds to wait for the URL, up to V(86400). With V(0), only what was printed already counts.
      - A container that has ended is not waited for.
    type: float
    default: 60
  verify:
    description:
      - Whether to verify that the server of O(container) accepts its token, as M(desi.lab.jupyter_probe) does.
      - A server whose token is not known is not queried.
    type: bool
    default: false
    version_added: "0.2.0"
  certificate:
    description: With O(verify), a PEM file whose first certificate is the server's, as in M(desi.lab.jupyter_probe).
    type: path
    default: ""
    version_added: "0.2.0"
  rolled_back:
    description: Whether you remove O(container) if this fails, so that errors advise nothing that needs it.
    type: bool
    default: false
    version_added: "0.2.0"
  url_host:
    description: The host of RV(url).
    type: str
    default: 127.0.0.1
  url_port:
    description:
      - The port of RV(url). The port that the server printed by default.
      - With O(container), what answers there is found even if its token is not, and a server that listens where nothing
        can reach it is an error.
    type: int
"""

EXAMPLES = r"""
- name: Wait for the server in a container that publishes its port as 9999
  desi.lab.jupyter_token:
    container: desi-lab-desi
    url_port: 9999
  register: server
  no_log: true

- name: Read the output of a server
  desi.lab.jupyter_token:
    text: "{{ printed }}"
    timeout: 0
  register: server
  no_log: true

- name: Wait two minutes for a server that writes to a file
  desi.lab.jupyter_token:
    path: /var/log/jupyter.log
    timeout: 120
  register: server
  no_log: true
"""

RETURN = r"""
found:
  description: Whether a server was found; V(false) in check mode only, as the module fails otherwise.
  returned: always
  type: bool
  sample: true
token:
  description: The token, decoded; empty if the server runs without one or tells it nowhere.
  returned: when found
  type: str
  sample: not-a-real-token
token_hidden:
  description:
    - Whether the server has a token that is not known.
    - A token given to a container by E(JUPYTER_TOKEN), in a file, in a configuration or on its command line is known.
  returned: when found
  type: bool
  sample: false
password_set:
  description: Whether the server asks for a password and has no token.
  returned: when found
  type: bool
  sample: false
authentication_off:
  description: Whether the server has no authentication.
  returned: when found
  type: bool
  sample: false
scheme:
  description: V(http) or V(https).
  returned: when found
  type: str
  sample: http
port:
  description: The port, as the server printed it.
  returned: when found
  type: int
  sample: 8888
url_path:
  description: The path of the server's page, with its base URL.
  returned: when found
  type: str
  sample: /lab
url:
  description: The URL to open, with O(url_host) and O(url_port), and with the token if there is one.
  returned: when found
  type: str
  sample: http://127.0.0.1:8888/lab?token=not-a-real-token
urls:
  description: All URLs that the server printed.
  returned: when found
  type: list
  elements: str
  sample: ["http://127.0.0.1:8888/lab?token=not-a-real-token"]
elapsed:
  description: The seconds that it took.
  returned: always
  type: float
  sample: 1.6
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._docker.cli import Docker, EngineUnavailable
from ..module_utils._docker.port_owner import NotPublished, of_container
from ..module_utils._jupyter import wait as jupyter_wait
from ..module_utils._jupyter.errors import NotThere
from ..module_utils._jupyter.probe import prepare, query_until
from ..module_utils._jupyter.server_log import Server
from ..module_utils._lab.url import check_place, write_url

# For a server that has told its URL.
ANSWER_SECONDS = 60.0


def find_server(params: dict[str, Any]) -> Server:
    """Return the server that the options name."""
    if params["container"] is not None:
        given = (Docker(), params["container"], params["timeout"])
        if params["url_port"] is None:
            return jupyter_wait.wait_for_container(*given, not params["rolled_back"])
        place = (params["url_host"], params["url_port"])
        return jupyter_wait.wait_for_published(*given, *place, not params["rolled_back"])
    if params["path"] is not None:
        return jupyter_wait.wait_for_file(Path(params["path"]), params["timeout"])
    return jupyter_wait.read_text(params["text"])


def find_verified(params: dict[str, Any]) -> dict[str, Any]:
    """Return the description of the server, which is verified if that is asked for and its token known."""
    server = find_server(params)
    described = describe(server, params["url_host"], params["url_port"])
    if params["verify"] and not server.token_hidden:
        verify(params["container"], described["url"], params["certificate"])
    return described


def describe(server: Server, host: str, port: int | None) -> dict[str, Any]:
    """Return the server as the result of the module."""
    return {
        "token": server.plain_token,
        "token_hidden": server.token_hidden,
        "password_set": server.password_set,
        "authentication_off": server.authentication_off,
        "scheme": server.url.scheme,
        "port": server.url.port,
        "url_path": server.url.path,
        "url": write_url(server.url, host, port or server.url.port),
        "urls": [text for url in server.urls for text in url.texts()],
    }


def verify(container: str, url: str, certificate: str) -> None:
    """Verify that a container's server accepts the token in its URL, which is given to nobody else."""
    target = prepare(url, certificate=certificate if url.startswith("https:") else "")
    query_until(replace(target, proof=of_container(container)), ANSWER_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str"},
            "text": {"type": "str", "no_log": True},
            "path": {"type": "path"},
            "timeout": {"type": "float", "default": 60},
            "verify": {"type": "bool", "default": False},
            "certificate": {"type": "path", "default": ""},
            "rolled_back": {"type": "bool", "default": False},
            "url_host": {"type": "str", "default": "127.0.0.1"},
            "url_port": {"type": "int"},
        },
        required_one_of=[("container", "text", "path")],
        mutually_exclusive=[("container", "text", "path")],
        supports_check_mode=True,
    )
    begun = time.monotonic()
    result: dict[str, Any] = {"changed": False, "found": False}
    try:
        jupyter_wait.check_timeout(module.params["timeout"])
        check_place(module.params["url_host"], module.params["url_port"])
        try:
            described = find_verified(module.params)
        except NotPublished:
            # A container that ended and that the engine restarts has a server again in a moment, and a log of its own.
            described = find_verified(module.params)
        result.update(found=True, **described)
    except LabError as error:
        if not (module.check_mode and isinstance(error, (NotThere, EngineUnavailable))):
            module.fail_json(elapsed=round(time.monotonic() - begun, 2), **result, **error.as_result())
    if module.params["text"]:
        # What is hidden is replaced wherever it occurs, and a text that is a URL occurs in the result: so hide the
        # text itself, where it is shown, and not its value.
        module.no_log_values.discard(module.params["text"])
        module.params["text"] = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    module.exit_json(elapsed=round(time.monotonic() - begun, 2), **result)


if __name__ == "__main__":
    main()
