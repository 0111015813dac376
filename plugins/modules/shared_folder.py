#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: shared_folder
short_description: Choose the folder that is shared with a lab
version_added: "0.1.0"
description:
  - Refuses folders that hold, are or lie in what is not for notebooks, which are the whole computer, homes, the system,
    keys, settings and caches, and the programs of DESI Lab itself. Links are resolved before.
  - Where no folder was asked for, it is the one that somebody stands in, unless that one would be refused.
    Then it is O(own), which is made.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  folder:
    description: The folder that was asked for. Empty means none.
    type: path
    default: ""
  standing:
    description: The folder that somebody stands in.
    type: path
    default: ""
  own:
    description: A folder of the lab's own, which is proposed, taken or made.
    type: path
    required: true
  only_own:
    description: Whether O(own) is taken wherever somebody stands.
    type: bool
    default: false
  data:
    description: A folder of data that is shared, too, and must not hold keys or programs either. Empty means none.
    type: path
    default: ""
  make:
    description: Whether O(own) is made if it is taken.
    type: bool
    default: true
  anyway:
    description: Whether a folder is shared that would be refused.
    type: bool
    default: false
  homes:
    description: The homes of people, beside those of the environment and of whoever runs this.
    type: list
    elements: path
    default: []
  programs:
    description: The folders of DESI Lab itself and of what runs it.
    type: list
    elements: path
    default: []
  private:
    description: More folders that are not to be shared, such as caches.
    type: list
    elements: path
    default: []
  uid:
    description: The number of the user with whose rights O(own) is made. By default, whoever runs this.
    type: int
  gid:
    description: The number of that user's group. By default, that of whoever runs this.
    type: int
attributes:
  check_mode:
    support: full
    description: Can run in check mode. O(own) is then not made, and told as changed where it would be.
  diff_mode:
    support: none
    description: What is made is an empty folder.
  idempotent:
    support: full
    description: A folder that is there stays as it is.
"""

EXAMPLES = r"""
- name: Choose the folder that is shared
  desi.lab.shared_folder:
    standing: "{{ lookup('ansible.builtin.env', 'PWD') }}"
    own: ~/desi-labs/desi
  register: shared
"""

RETURN = r"""
folder:
  description: The folder to share.
  returned: success
  type: str
  sample: /home/ann/work
made:
  description: Whether it was made, or would be.
  returned: success
  type: bool
instead:
  description: Why it is not the folder that somebody stands in. Empty if it is, or if that was not asked.
  returned: success
  type: str
"""

import os
import sys
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._own_folder import around_of, make, why_not
from ansible_collections.desi.lab.plugins.module_utils._shared_folder import choose, refusal, refusal_of_data


def main() -> None:
    """Choose it, and make it if it is the lab's own."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "default": ""},
            "standing": {"type": "path", "default": ""},
            "own": {"type": "path", "required": True},
            "only_own": {"type": "bool", "default": False},
            "data": {"type": "path", "default": ""},
            "make": {"type": "bool", "default": True},
            "anyway": {"type": "bool", "default": False},
            "homes": {"type": "list", "elements": "path", "default": []},
            "programs": {"type": "list", "elements": "path", "default": []},
            "private": {"type": "list", "elements": "path", "default": []},
            "uid": {"type": "int"},
            "gid": {"type": "int"},
        },
        supports_check_mode=True,
    )
    given = module.params
    uid = os.getuid() if given["uid"] is None else given["uid"]
    gid = os.getgid() if given["gid"] is None else given["gid"]
    around = around_of(
        os.environ, {os.getuid(), uid}, given["homes"], given["programs"], given["private"], sys.platform
    )

    def why(path: str) -> str:
        return "" if given["anyway"] else why_not(path, around)

    folder, instead = choose(given["folder"], given["standing"], given["own"], given["only_own"], why)
    made = given["make"] and folder == given["own"] and not Path(folder).is_dir()
    try:
        reason = why(folder)
        if reason:
            raise refusal(folder, os.path.realpath(folder), reason, given["own"])
        of_data = why_not(given["data"], around, system=False) if given["data"] and not given["anyway"] else ""
        if of_data:
            raise refusal_of_data(given["data"], os.path.realpath(given["data"]), of_data)
        if made and not module.check_mode:
            make(folder, uid, gid)
    except LabError as error:
        module.fail_json(**error.as_result())
    module.exit_json(changed=made, folder=folder, made=made, instead=instead)


if __name__ == "__main__":
    main()
