#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mount_leftovers
short_description: Remove what mounts keep for the next ones, the caches and the programs
version_added: "0.2.0"
description:
  - Removes the directories below O(cache) that carry the mark which M(desi.lab.bucket_mount) puts into a cache when it
    makes it, and nothing else. A directory itself that is named here is never removed as a whole; it goes when nothing
    is left in it.
  - Removes the programs that mounts run from O(programs), unless one of them is in use.
  - A path that somebody else than root could change or replace is left alone.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  cache:
    description: The folders below which caches lie. One that is not there is no error.
    type: list
    elements: path
    default: []
  before:
    description: Where an earlier version kept caches; empty for nowhere. What root has made there is named, and stays.
    type: path
    default: ""
  programs:
    description: The folder of the programs that root runs for mounts; empty to leave them.
    type: path
    default: ""
extends_documentation_fragment:
  - desi.lab.attributes
"""

EXAMPLES = r"""
- name: Remove all that was streamed
  desi.lab.mount_leftovers:
    cache: [/var/cache/desi-lab]
    programs: /usr/local/lib/desi-lab
  become: true
"""

RETURN = r"""
removed:
  description: What was removed.
  returned: success
  type: list
  elements: str
  sample: ["/var/cache/desi-lab/desidata-0a1b2c3d"]
left:
  description: What lies there and was not made by DESI Lab, or could be changed by others than root.
  returned: success
  type: list
  elements: str
  sample: ["/scratch/thesis"]
"""

import contextlib
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount.cache import purge
from ansible_collections.desi.lab.plugins.module_utils._mount.mounter import used_programs
from ansible_collections.desi.lab.plugins.module_utils._mount.programs import remove_unused

SHOWN = 20


def of_root(path: str) -> list[str]:
    """Return the directories of root's in a folder of somebody's."""
    with contextlib.suppress(OSError):
        there = [entry for entry in Path(path).iterdir() if path and not entry.is_symlink() and entry.is_dir()]
        return sorted(str(entry) for entry in there if entry.lstat().st_uid == 0)
    return []


def main() -> None:
    """Remove what is marked, and name what is not."""
    module = AnsibleModule(
        {
            "cache": {"type": "list", "elements": "path", "default": []},
            "before": {"type": "path", "default": ""},
            "programs": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    removed: list[str] = []
    left: list[str] = []
    for path in module.params["cache"]:
        try:
            gone, stays = purge(path, module.check_mode)
            removed += gone
            left += stays
        except LabError as error:
            left.append(path)
            module.warn(f"{error.what} {error.why} What is in it stays.")
        except OSError as error:
            what = f"The cache {path} could not be removed."
            module.fail_json(**LabError(what, f"{error.strerror}.", "Run the task with become: true.").as_result())
    left += of_root(module.params["before"])
    if module.params["programs"] and not module.check_mode:
        try:
            removed += remove_unused(module.params["programs"], used_programs())
        except LabError as error:
            module.warn(f"{error.what} {error.why} What is in it stays.")
    more = [f"and {len(left) - SHOWN} more"] if len(left) > SHOWN else []
    module.exit_json(changed=bool(removed), removed=removed, left=[*left[:SHOWN], *more])


if __name__ == "__main__":
    main()
