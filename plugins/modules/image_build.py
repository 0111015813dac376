#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build an image from a folder, and tell how far it has got
version_added: "0.1.0"
description:
  - Builds an image from a folder with a Dockerfile, as C(docker build) does with the builder that is in every engine.
  - Unlike C(community.docker.docker_image_build) it needs no plugin of Docker's, and tells its step while it
    works. The callback P(desi.lab.steps#callback) shows that on a terminal.
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - the command C(docker)
options:
  name:
    description: The name of the image, with its tag.
    type: str
    required: true
  path:
    description: The folder.
    type: path
    required: true
  nocache:
    description: Whether every step is done anew.
    type: bool
    default: false
  args:
    description: The build arguments. They are on no command line, as those of proxies may hold a password.
    type: dict
    default: {}
  labels:
    description: The labels of the image.
    type: dict
    default: {}
  progress:
    description: A file that holds the step of the build, until it ends. The action plugin gives it.
    type: path
    default: ""
attributes:
  check_mode:
    support: full
    description: Can run in check mode, and builds nothing there.
  diff_mode:
    support: none
    description: Layers are no difference that anybody could read.
  idempotent:
    support: none
    description: Builds each time. Whoever calls it knows when that is needed.
"""

EXAMPLES = r"""
- name: Build an image
  desi.lab.image_build:
    name: my-lab:1
    path: /home/ann/my-lab
    labels:
      org.opencontainers.image.authors: ann
"""

RETURN = r"""
output:
  description: What the builder said.
  returned: always, but not in check mode
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._image_progress import ProgressFile, build_progress, follow


def command_of(params: dict) -> tuple[list[str], dict[str, str]]:
    """Return the command that builds, and the environment that it wants."""
    command = ["docker", "build", "--force-rm", "--tag", params["name"]]
    command += ["--no-cache"] if params["nocache"] else []
    for name, value in params["labels"].items():
        command += ["--label", f"{name}={value}"]
    for name in params["args"]:
        command += ["--build-arg", name]
    # The newer builder is a plugin that many engines lack.
    known = {"DOCKER_BUILDKIT": "0", **{name: str(value) for name, value in params["args"].items()}}
    return [*command, "--", params["path"]], known


def main() -> None:
    """Build."""
    module = AnsibleModule(
        {
            "name": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "nocache": {"type": "bool", "default": False},
            "args": {"type": "dict", "default": {}},
            "labels": {"type": "dict", "default": {}},
            "progress": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True)
    command, known = command_of(module.params)
    try:
        with ProgressFile(module.params["progress"], every=0) as file:
            code, said = follow(command, lambda line: file.write(build_progress(line)), known, terminal=False)
    except OSError as error:
        module.fail_json(msg=f"The command docker could not be started ({error.strerror}).", output=[])
    if code:
        module.fail_json(msg=said or f"docker build ended with {code}", output=said.splitlines())
    module.exit_json(changed=True, output=said.splitlines())


if __name__ == "__main__":
    main()
