#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_sync
short_description: Sync a local directory with one on an instance, without losing files
version_added: "0.1.0"
description:
  - Compares both directories with their state after the last sync, and copies new and changed files by rsync over SSH.
  - A file that changed on both sides is kept twice, the newer one under its name, the other as
    C(NAME.conflict-HOST-TIME). Nothing is deleted without O(delete).
  - Ignores files by the C(.labignore) of both directories, in the syntax of C(.gitignore), and checkpoints and caches.
    Bucket mounts and links into them are never synced.
  - A file that changes during the sync is kept twice, too.
  - Files are staged outside of both directories, in C(~/.local/state/desi-lab/sync) of the users on both sides, or
    beside the local directory if that is on another file system. Links in the directories are never followed.
  - An answer of the instance is refused as a whole if a name in it leads out of the directory, or if its shape is
    invalid. Of file modes, only the executable bits are kept.
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - rsync on both sides; Python on the machine
options:
  folder:
    description: The local directory.
    type: str
    required: true
  config:
    description: The SSH configuration file.
    type: path
    required: true
  host:
    description: The host's name in it.
    type: str
    required: true
  remote:
    description: The directory on the instance.
    type: str
    required: true
  memory:
    description:
      - The local file with the state after the last sync. Without it, differing files count as changed on both sides.
    type: path
    required: true
  direction:
    description: Which sides receive files, V(both), V(up) for the instance alone, V(down) for this computer alone.
    type: str
    choices: [both, up, down]
    default: both
  delete:
    description: Whether to remove a file that was removed on one side and not changed on the other.
    type: bool
    default: false
  create:
    description: Whether to create the local directory once there is a file for it.
    type: bool
    default: false
  here:
    description: The name of this computer in the names of conflicting files.
    type: str
    default: here
  peer:
    description: The identity of the instance; the saved state is valid for it alone.
    type: str
    default: ""
  uid:
    description: The UID of new local files, if root runs this.
    type: int
  gid:
    description: The GID of new local files.
    type: int
extends_documentation_fragment:
  - desi.lab.attributes
"""

EXAMPLES = r"""
- name: Download new files
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
  description: The files copied to this computer.
  returned: success
  type: list
  elements: str
sent:
  description: The files copied to the instance.
  returned: success
  type: list
  elements: str
removed_here:
  description: The files that were removed here.
  returned: success
  type: list
  elements: str
removed_there:
  description: The files that were removed on the instance.
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
      description: The name of the other version.
      type: str
    of:
      description: The host of the other version.
      type: str
meanwhile:
  description: The files that changed during the sync.
  returned: success
  type: list
  elements: str
old_copies:
  description:
    - The sides, V(here) and V(there), that have a directory C(.desi-lab-sync) with staged copies of 0.1.0. It is
      neither read nor changed.
  returned: success
  type: list
  elements: str
how:
  description: A summary.
  returned: success
  type: str
  sample: 3 files brought (1.2 MB), 1 sent
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import failing
from ..module_utils._sync.plan import HERE, THERE, how
from ..module_utils._sync.run import Spec, Sync

ARGUMENTS = {
    "folder": {"type": "str", "required": True},
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
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, required_together=[("uid", "gid")], supports_check_mode=True)
    given = {name: module.params[name] for name in ARGUMENTS}
    uid, gid, folder = given.pop("uid"), given.pop("gid"), given.pop("folder")
    meanwhile: list[str] = []
    with failing(module):
        owner = None if uid is None else (uid, gid)
        with contextlib.closing(Sync(Spec(**given, directory=folder, owner=owner))) as sync:
            plan = sync.plan()
            if not module.check_mode:
                meanwhile = sync.run(plan)
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
