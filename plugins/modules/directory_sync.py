#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_sync
short_description: Bring a folder here and one on a machine together, and lose nothing
version_added: "0.1.0"
description:
  - Compares both folders with what they were after the last sync, and copies by rsync over SSH what is new or changed.
  - A file that changed on both sides is kept twice. The newer one has the name, the other lies beside it as
    C(NAME.conflict-HOST-TIME). Nothing is deleted unless O(delete) says so.
  - Leaves out what the files C(.labignore) of both folders say, in the language of C(.gitignore), and what nobody
    misses, such as checkpoints and caches. The mount of a bucket and links into it are never looked at.
  - What changes while it is copied stays as it is, and is kept twice, too.
  - Copies lie outside of both folders meanwhile, in C(~/.local/state/desi-lab/sync) of whoever runs it and of who logs
    in on the machine, or beside the folder here where it is on another file system. No link in a folder is followed.
  - What the machine answers is refused as a whole if a name in it leads out of the folder, or if its shape is not the
    right one. Of the modes of files the right to be run is kept, and nothing that gives others a right to change them.
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - rsync on both sides; Python on the machine
options:
  folder:
    description: The folder here.
    type: path
    required: true
  config:
    description: The SSH configuration that leads to the machine.
    type: path
    required: true
  host:
    description: The machine, as the configuration names it.
    type: str
    required: true
  remote:
    description: The folder on the machine.
    type: str
    required: true
  memory:
    description:
      - The file here that remembers how both folders were. Without it, what differs counts as changed on both sides.
    type: path
    required: true
  direction:
    description: Which side is to get what the other has, V(both), V(up) for the machine alone, V(down) for this one.
    type: str
    choices: [both, up, down]
    default: both
  delete:
    description: Whether a file that was removed on one side, and did not change on the other, is removed there, too.
    type: bool
    default: false
  create:
    description: Whether the folder here is made, as soon as there is something to put into it.
    type: bool
    default: false
  here:
    description: What this computer is called in the names of files that are kept twice.
    type: str
    default: here
  peer:
    description: What the machine is known by. Of another one nothing is remembered.
    type: str
    default: ""
  uid:
    description: The number of the user to whom new files here are to belong, where root runs this.
    type: int
  gid:
    description: The number of that user's group.
    type: int
extends_documentation_fragment:
  - desi.lab.attributes
"""

EXAMPLES = r"""
- name: Bring the files home
  desi.lab.directory_sync:
    folder: /home/ann/desi-labs/desi
    config: /home/ann/.config/desi-lab/us-west-2/desi/ssh_config
    host: desi-desi
    remote: /home/ec2-user/synced
    memory: /home/ann/.config/desi-lab/us-west-2/desi/sync.json
    direction: down
  register: synced
"""

RETURN = r"""
brought:
  description: The files that this computer got.
  returned: success
  type: list
  elements: str
sent:
  description: The files that the machine got.
  returned: success
  type: list
  elements: str
removed_here:
  description: The files that were removed here.
  returned: success
  type: list
  elements: str
removed_there:
  description: The files that were removed on the machine.
  returned: success
  type: list
  elements: str
conflicts:
  description: The files that are kept twice.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    kept_as:
      description: What the other version is called.
      type: str
    of:
      description: Where that other version is from.
      type: str
meanwhile:
  description: The files that changed while they were copied.
  returned: success
  type: list
  elements: str
old_copies:
  description:
    - On which sides, V(here) and V(there), the folder holds a directory C(.desi-lab-sync) in which 0.1.0 kept copies
      while it synced. It is neither read nor changed.
  returned: success
  type: list
  elements: str
how:
  description: All that, in a few words.
  returned: success
  type: str
  sample: 3 files brought (1.2 MB), 1 sent
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._sync.plan import HERE, THERE
from ansible_collections.desi.lab.plugins.module_utils._sync.report import how
from ansible_collections.desi.lab.plugins.module_utils._sync.run import Sync, Wish

ARGUMENTS = {
    "folder": {"type": "path", "required": True},
    "config": {"type": "path", "required": True},
    "host": {"type": "str", "required": True},
    "remote": {"type": "str", "required": True},
    "memory": {"type": "path", "required": True},
    "direction": {"type": "str", "choices": ["both", "up", "down"], "default": "both"},
    "delete": {"type": "bool", "default": False},
    "create": {"type": "bool", "default": False},
    "here": {"type": "str", "default": "here"},
    "peer": {"type": "str", "default": ""},
    "uid": {"type": "int"},
    "gid": {"type": "int"},
}


def main() -> None:
    """Look, decide, do, and tell."""
    module = AnsibleModule(argument_spec=ARGUMENTS, required_together=[("uid", "gid")], supports_check_mode=True)
    given = {name: module.params[name] for name in ARGUMENTS}
    uid, gid = given.pop("uid"), given.pop("gid")
    meanwhile: list[str] = []
    try:
        with contextlib.closing(Sync(Wish(**given, owner=None if uid is None else (uid, gid)))) as sync:
            plan = sync.plan()
            if not module.check_mode:
                meanwhile = sync.run(plan)
    except LabError as error:
        module.fail_json(**error.as_result())
    hosts = (given["here"], given["host"])
    module.exit_json(
        changed=plan.changes,
        brought=plan.gets[HERE],
        sent=plan.gets[THERE],
        removed_here=plan.removes[HERE],
        removed_there=plan.removes[THERE],
        conflicts=[{"path": each.path, "kept_as": each.kept_as, "of": hosts[each.of]} for each in plan.conflicts],
        meanwhile=meanwhile,
        old_copies=sync.old,
        how=how([*map(len, plan.gets)], sync.size(plan), [*map(len, plan.removes)], len(plan.conflicts)),
    )


if __name__ == "__main__":
    main()
