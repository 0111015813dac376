# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_plan
short_description: Plan the changes of a lab on its host
version_added: "0.2.0"
description:
  - Compares the settings of a lab with what M(desi.lab.labs_info) found on its host, and queries nothing itself.
  - The specification is a hash of all that the lab's container is made from. A container with it in its label
    C(desi.lab.specification) need not be compared any further.
  - O(host) has the server's URL with its token. Put C(no_log=true) on the task.
options:
  settings:
    description: The settings, as M(desi.lab.settings_resolve) returns them, with the values that they have on the host.
    type: dict
    required: true
  host:
    description: The result of M(desi.lab.labs_info) with C(url), C(verify) and C(folder) of this lab.
    type: dict
    required: true
  user:
    description: The user whom files belong to, as M(desi.lab.user_info) returns it.
    type: dict
    required: true
  worker_memory:
    description: The memory of each Dask worker, such as V(2GiB). Empty means that of those that exist, or a share.
    type: str
    default: ""
    version_added: "0.2.0"
  stays:
    description: Whether a container that is there is started as it is, whatever it was made from.
    type: bool
    default: false
  update:
    description: Whether the newest image is asked for.
    type: bool
    default: false
  remote_workers:
    description: How many of its Dask workers are on machines of their own. V(-1) means that they are beside it.
    type: int
    default: -1
  back:
    description: The id of the image that the lab goes back to; empty if it does not.
    type: str
    default: ""
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Inspect the host
  desi.lab.labs_info:
    url: desi
    verify: true
    folder: "{{ lab.folder }}"
  register: host
  no_log: true

- name: Plan the lab
  desi.lab.host_plan:
    settings: "{{ lab }}"
    host: "{{ host }}"
    user: "{{ host.user }}"
  register: plan
  no_log: true
"""

RETURN = r"""
specification:
  description: The hash of what the lab's container is made from.
  returned: success
  type: str
parts:
  description: The parts of the lab in the order in which they are made.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: V(engine), V(image), V(sample), V(data), V(server) or V(workers).
      type: str
    action:
      description:
        - V(keep), V(start), V(make), V(replace), V(remove), or V(compare) where only the part's role can tell. That
          changes nothing that is as it is to be.
      type: str
    reason:
      description: Why, as a sentence; empty for what is kept.
      type: str
errors:
  description: All that keeps the lab from being made, each with C(what), C(why) and C(do); none for a lab that is kept.
  returned: success
  type: list
  elements: dict
  version_added: "0.2.0"
kept:
  description: Whether every part is kept.
  returned: success
  type: bool
lab_kept:
  description: Whether every part but the workers is kept.
  returned: success
  type: bool
stays:
  description: Whether the lab's container is used as it is, be it started or not.
  returned: success
  type: bool
workers:
  description: How many Dask workers the lab is to have.
  returned: success
  type: int
worker_containers:
  description: The containers of its Dask scheduler and workers, as M(desi.lab.labs_info) returns them.
  returned: success
  type: list
  elements: dict
worker_memory:
  description: The memory of each of them, in bytes.
  returned: success
  type: int
workers_end:
  description: Whether tasks or results of workers that exist are lost.
  returned: success
  type: bool
made_with:
  description:
    - C(inside), C(release), C(data), C(mount), C(digest), C(image) and C(image_id) of that container, as its labels
      say.
  returned: success
  type: dict
differences:
  description: A row of M(desi.lab.box) for each setting that the container was not made with.
  returned: success
  type: list
  elements: dict
  contains:
    label:
      description: The setting.
      type: str
    text:
      description: What it was, and what it would be.
      type: str
ways_to_keep:
  description: How to keep the container as it is, as sentences.
  returned: success
  type: str
"""
