#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_info
short_description: Inspect the Docker Engine, and diagnose one that does not answer
version_added: "0.1.0"
description:
  - Queries the engine that the C(docker) command would use, by E(DOCKER_HOST) or a context. One on another computer
    does not count as one that answers, because a lab's folder, data and port would be there.
  - A missing engine is a result and no failure.
options:
  timeout:
    description: Seconds to wait for an engine that does not answer yet.
    type: int
    default: 0
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Inspect the engine
  desi.lab.docker_engine_info:
  register: engine
"""

RETURN = r"""
answers:
  description: Whether an engine answers this user.
  returned: always
  type: bool
denied:
  description: Whether an engine runs that this user may not use.
  returned: always
  type: bool
installed:
  description: Whether the engine's program is on this host, or an engine is that denies access or gives no answer.
  returned: always
  type: bool
elsewhere:
  description: Whether the engine does not answer, or cannot be used, at an endpoint that somebody chose.
  returned: always
  type: bool
platform:
  description: V(linux), V(macos) or V(windows) (Windows Subsystem for Linux).
  returned: always
  type: str
endpoint:
  description: The endpoint, as C(DOCKER_HOST) takes it.
  returned: always
  type: str
environment:
  description: The variables that lead every client of Docker to the endpoint.
  returned: always
  type: dict
reason:
  description: Why no engine answers, as a sentence.
  returned: always
  type: str
state:
  description: The state of the engine, as a sentence.
  returned: always
  type: str
version:
  description: The engine's version.
  returned: always
  type: str
architecture:
  description: The architecture as images name it, such as V(amd64).
  returned: always
  type: str
root:
  description: The directory in which the engine keeps images and containers.
  returned: always
  type: str
desktop:
  description: Whether the engine is Docker Desktop's.
  returned: always
  type: bool
rootless:
  description: Whether the engine runs without root's rights.
  returned: always
  type: bool
memory:
  description: The memory of the engine's computer, in bytes.
  returned: always
  type: int
cpus:
  description: The number of its processors.
  returned: always
  type: int
limits:
  description: The limits that the engine supports, of V(memory), V(swap), V(cpus) and V(processes).
  returned: always
  type: list
  elements: str
log_driver:
  description: The engine's log driver, such as V(json-file).
  returned: always
  type: str
"""

import time
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._docker.engine import DAEMON_FOLDERS, query_engine

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 30


def main() -> None:
    module = AnsibleModule({"timeout": {"type": "int", "default": 0}}, supports_check_mode=True)
    end = time.monotonic() + module.params["timeout"]
    engine = query_engine(PATIENCE_SECONDS, DAEMON_FOLDERS)
    while not engine.answers and not engine.denied and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        engine = query_engine(PATIENCE_SECONDS, DAEMON_FOLDERS)
    module.exit_json(changed=False, state=engine.state, **asdict(engine))


if __name__ == "__main__":
    main()
