#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_pull
short_description: Pull an image, and tell how far it has got
version_added: "0.1.0"
description:
  - Asks the registry for an image and pulls what is missing of it, as C(docker pull) does, with the user's own contexts
    and credentials.
  - Unlike C(community.docker.docker_image_pull) it tells how many bytes and layers are here while it works. The
    callback P(desi.lab.steps#callback) shows that on a terminal.
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - the command C(docker)
options:
  name:
    description: The image, with its registry and its tag or digest.
    type: str
    required: true
  progress:
    description: A file that holds how far the pull has got, until it ends. The action plugin gives it.
    type: path
    default: ""
extends_documentation_fragment:
  - desi.lab.attributes
attributes:
  check_mode:
    support: partial
    details: What a registry has is not known without asking it, so a change is always expected.
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

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Docker
from ansible_collections.desi.lab.plugins.module_utils._docker.progress import ProgressFile, PullProgress, follow


def id_of(docker: Docker, name: str) -> str:
    """Return the id of an image, or nothing if it is not here."""
    done = docker.run("image", "inspect", "--format", "{{.Id}}", "--", name)
    return done.stdout.strip() if done.returncode == 0 else ""


def pull(name: str, progress: str) -> tuple[int, str]:
    """Pull an image; return the exit code and what Docker said."""
    seen = PullProgress()
    with ProgressFile(progress) as file:
        return follow(["docker", "pull", "--", name], lambda line: file.write(seen.see(line)), {}, terminal=True)


def main() -> None:
    """Compare what is here before and after."""
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
