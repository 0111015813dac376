#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: labs_info
short_description: List the labs on a host, with their containers, networks and mounts
version_added: "0.1.0"
description:
  - Reads the labels of containers and networks, which are the only record of a lab.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  mounts:
    description: The directory below which buckets are mounted.
    type: path
    default: /var/lib/desi-lab/mounts
  ask:
    description: Whether to query each server and each mount.
    type: bool
    default: true
extends_documentation_fragment:
  - desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: List the labs
  desi.lab.labs_info:
  register: found
"""

RETURN = r"""
labs:
  description: A row for each lab, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The lab's name.
      type: str
    where:
      description: Where it runs.
      type: str
    state:
      description: V(running), or the state that Docker gives.
      type: str
    since:
      description: When that state began, as Docker writes times (UTC).
      type: str
    release:
      description: The data release.
      type: str
    image:
      description: The image.
      type: str
    image_newer:
      description: Whether that name is another image here by now; null if not known.
      type: bool
    data:
      description: Where the data come from.
      type: str
    mount:
      description: The directory of the host around the bucket's mount; empty without one.
      type: str
    mount_answers:
      description: Whether the mount can be listed; null without one, or if not queried.
      type: bool
    folder:
      description: The user's directory.
      type: str
    address:
      description: The address on which the server is published.
      type: str
    port:
      description: The port on which it is published.
      type: int
    server_answers:
      description: Whether the server answers; null if it does not run, or was not queried.
      type: bool
containers:
  description: Every container of every lab.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The container's name.
      type: str
    lab:
      description: The lab that it belongs to.
      type: str
    role:
      description: What it does, such as V(server).
      type: str
networks:
  description: Every network of every lab.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The network's name.
      type: str
    lab:
      description: The lab that it belongs to.
      type: str
mounts:
  description: Every directory around a bucket's mount.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The directory.
      type: str
    labs:
      description: The labs that use it.
      type: list
      elements: str
    made_for:
      description: The labs that it was made for since the last boot.
      type: list
      elements: str
link_local:
  description: Whether the firewall rule of M(desi.lab.link_local) is installed.
  returned: success
  type: bool
engine:
  description: Whether a Docker Engine answers. If not, only the mounts are returned.
  returned: success
  type: bool
reason:
  description: Why no engine answers, as a sentence.
  returned: success
  type: str
"""

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Docker
from ansible_collections.desi.lab.plugins.module_utils._docker.link_local import FOLDER
from ansible_collections.desi.lab.plugins.module_utils._docker.link_local import NAME as PROGRAM_NAME
from ansible_collections.desi.lab.plugins.module_utils._lab.labels import NAME, ROLE, lab_row, labels_of, mount_users
from ansible_collections.desi.lab.plugins.module_utils._lab.probe import (
    LIST_IMAGES,
    image_ids,
    mount_answers,
    server_answers,
)
from ansible_collections.desi.lab.plugins.module_utils._mount.users import users_of


def containers_of_labs(docker: Docker) -> list[dict[str, t.Any]]:
    """Return the inspected containers of all labs."""
    ids = docker.output("ps", "--all", "--quiet", "--filter", f"label={NAME}").split()
    # One that was removed in the meantime makes the command fail, and it still tells of the others.
    return json.loads(docker.run("container", "inspect", *ids).stdout or "[]") if ids else []


def networks_of_labs(docker: Docker) -> list[dict[str, str]]:
    """Return the networks of all labs."""
    line = f'{{{{.Name}}}} {{{{.Label "{NAME}"}}}}'
    rows = docker.output("network", "ls", "--filter", f"label={NAME}", "--format", line).splitlines()
    return [dict(zip(("name", "lab"), row.split())) for row in rows]


def complete(container: dict[str, t.Any], images: t.Mapping[str, str], ask: bool) -> dict[str, t.Any]:
    """Return the row of a lab, and whether its mount and its server answer."""
    row = lab_row(container, None, None, images)
    if ask:
        row["mount_answers"] = mount_answers(row["mount"])
        if row["state"] == "running" and row["port"]:
            row["server_answers"] = server_answers(row["address"], row["port"])
    return row


def main() -> None:
    module = AnsibleModule(
        {
            "mounts": {"type": "path", "default": "/var/lib/desi-lab/mounts"},
            "ask": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    docker, containers, networks, images, reason = Docker(), [], [], {}, ""
    try:
        containers, networks = containers_of_labs(docker), networks_of_labs(docker)
    except LabError as error:
        reason = error.why
    if containers and module.params["ask"]:
        images = image_ids(docker.run(*LIST_IMAGES).stdout)
    users = mount_users(containers)
    servers = [item for item in containers if labels_of(item).get(ROLE) == "server"]
    with ThreadPoolExecutor(max_workers=16) as pool:
        labs = list(pool.map(lambda item: complete(item, images, module.params["ask"]), servers))
    root = Path(module.params["mounts"])
    folders = sorted(str(entry) for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    module.exit_json(
        changed=False,
        engine=not reason,
        reason=reason,
        labs=sorted(labs, key=lambda lab: lab["name"]),
        containers=[
            {"name": item["Name"].lstrip("/"), "lab": labels_of(item)[NAME], "role": labels_of(item).get(ROLE, "")}
            for item in containers
        ],
        networks=networks,
        link_local=Path(FOLDER, PROGRAM_NAME).exists(),
        mounts=[
            {"path": folder, "labs": users.get(folder, []), "made_for": users_of(f"{folder}/.bucket").labs}
            for folder in folders
        ],
    )


if __name__ == "__main__":
    main()
