# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_plan
short_description: Plan the containers of a lab's Dask scheduler and workers
version_added: "0.2.0"
description:
  - The containers are those of the lab's server in all but their command, so that they have the same image, user, data,
    folders and environment.
  - An image that has no Dask, or other versions than the lab, is one of RV(errors). Queries nothing itself.
options:
  name:
    description: The name of the lab.
    type: str
    required: true
  image:
    description: What the image is called, for errors.
    type: str
    default: ""
  image_inside:
    description: What C(files/inspect.py) of role dask printed in a container of the image. Empty compares no versions.
    type: str
    default: ""
  server:
    description: What the engine says of the server's container. Empty for a lab that is not made yet.
    type: dict
    default: {}
  server_inside:
    description:
      - What C(files/inspect.py) printed in the server's container. Not needed of the image that is built here.
    type: str
    default: ""
  containers:
    description: The lab's containers, as M(desi.lab.labs_info) returns them.
    type: list
    elements: dict
    default: []
  workers:
    description: The number of workers.
    type: int
    default: 0
  memory:
    description: The memory of each worker, in bytes. It writes at most as much to its disk.
    type: int
    default: 0
  new_certificate:
    description: Whether a key and a certificate are made.
    type: bool
    default: false
  published:
    description: The address of the host at which the scheduler is published. Empty publishes it nowhere.
    type: str
    default: ""
  machine:
    description: With what names of workers begin that are on a machine of their own. Empty for those beside the lab.
    type: str
    default: ""
  address:
    description: The address of that machine.
    type: str
    default: ""
  config:
    description: The directory on that machine that has Dask's configuration. Empty means the volume of the lab.
    type: path
    default: ""
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Plan two workers
  desi.lab.dask_plan:
    name: desi
    server: "{{ found.container }}"
    server_inside: "{{ inside.stdout }}"
    workers: 2
    memory: 2147483648
  register: plan
"""

RETURN = r"""
errors:
  description: Why the lab can have no workers, each with C(what), C(why) and C(do).
  returned: success
  type: list
  elements: dict
scheduler:
  description: The arguments of C(community.docker.docker_container) for the scheduler.
  returned: with O(server)
  type: dict
workers:
  description: The same for each worker.
  returned: with O(server)
  type: list
  elements: dict
identity:
  description: A new private key and its certificate, as PEM; empty without O(new_certificate). It is a secret.
  returned: with O(server)
  type: str
fingerprint:
  description: The SHA-256 of that certificate.
  returned: with O(server)
  type: str
group:
  description: The GID of the lab's notebooks.
  returned: with O(server)
  type: int
config:
  description: Dask's configuration for the lab and its workers, as YAML.
  returned: with O(server)
  type: str
surplus:
  description: The names of the workers that are more than O(workers), such as V(worker-3).
  returned: success
  type: list
  elements: str
"""
