#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_pull
short_description: Pull an image and show its progress
version_added: "0.1.0"
description:
  - Pulls an image by C(docker pull), with the user's own contexts and credentials.
  - Unlike C(community.docker.docker_image_pull) it reports the bytes and layers while it works, which the callback
    P(desi.lab.steps#callback) shows on a terminal.
requirements:
  - the command C(docker)
options:
  name:
    description: The image, with its registry and its tag or digest.
    type: str
    required: true
  progress:
    description: A file that holds the progress of the pull, until it ends. Set by the action plugin.
    type: path
    default: ""
extends_documentation_fragment: desi.lab.attributes
attributes:
  check_mode:
    support: partial
    details: Always expects a change, as it does not query the registry.
"""

EXAMPLES = r"""
- name: Pull an image
  desi.lab.image_pull:
    name: ghcr.io/desihub/desidocker:main
"""

RETURN = r"""
id:
  description: The image's id after the pull.
  returned: success, but not in check mode
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._docker.cli import Docker
from ..module_utils._docker.progress import ProgressFile, PullProgress, follow


def id_of(docker: Docker, name: str) -> str:
    """Return the id of a local image, empty if there is none."""
    done = docker.run("image", "inspect", "--format", "{{.Id}}", "--", name)
    return done.stdout.strip() if done.returncode == 0 else ""


def pull(name: str, progress: str) -> tuple[int, str]:
    """Pull an image; return the exit code and the output."""
    seen = PullProgress()
    with ProgressFile(progress) as file:
        return follow(["docker", "pull", "--", name], lambda line: file.write(seen.see(line)), {}, terminal=True)


def main() -> None:
    module = AnsibleModule(
        {"name": {"type": "str", "required": True}, "progress": {"type": "path", "default": ""}},
        supports_check_mode=True,
    )
    name = module.params["name"]
    if module.check_mode:
        module.exit_json(changed=True)
    try:
        before = id_of(Docker(), name)
        code, said = pull(name, module.params["progress"])
        if code:
            lines = [line.strip() for line in said.splitlines() if line.strip()]
            module.fail_json(msg=lines[-1] if lines else f"docker pull ended with {code}")
        after = id_of(Docker(), name)
    except LabError as error:
        module.fail_json(**error.as_result())
    module.exit_json(changed=before != after, id=after)


if __name__ == "__main__":
    main()
