#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mount_leftovers
short_description: Remove caches and programs of removed mounts
version_added: "0.2.0"
description:
  - Removes what mounts keep in the directories below O(cache) that carry the mark of M(desi.lab.bucket_mount) for that
    very place, and nothing else. A directory is removed once it is empty, and so is one of O(cache) itself.
  - Removes the programs in O(programs) that M(desi.lab.bucket_mount) put there and no mount uses.
  - Leaves a path alone that anybody but root could change or replace.
options:
  cache:
    description: The parent directories of caches. A missing one is no error.
    type: list
    elements: path
    default: []
  before:
    description: Where an earlier version kept caches; empty for nowhere. What root made there is returned, and stays.
    type: path
    default: ""
  programs:
    description: The directory of the programs that root runs for mounts; empty to keep them.
    type: path
    default: ""
extends_documentation_fragment: desi.lab.attributes
"""

EXAMPLES = r"""
- name: Remove all caches of streamed data
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
size:
  description: What the removed caches took on the disk, in bytes. Missing where that cannot be read.
  returned: where it can be read
  type: int
  sample: 1288490188
size_text:
  description: RV(size) for people.
  returned: where it can be read
  type: str
  sample: 1.3 GB
left:
  description: What was kept, as DESI Lab did not make it, or others than root could change it.
  returned: success
  type: list
  elements: str
  sample: ["/scratch/thesis"]
"""

import contextlib
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.humanize import decimal_size
from ..module_utils._mount.cache import purge, used_by
from ..module_utils._mount.mounter import used_programs
from ..module_utils._mount.programs import remove_unused

SHOWN = 20


def of_root(path: str) -> list[str]:
    """Return root's directories in another user's directory."""
    with contextlib.suppress(OSError):
        there = [entry for entry in Path(path).iterdir() if path and not entry.is_symlink() and entry.is_dir()]
        return sorted(str(entry) for entry in there if entry.lstat().st_uid == 0)
    return []


def main() -> None:
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
    size: dict[str, t.Any] = {}
    with contextlib.suppress(OSError, LabError):
        used = sum(used_by(Path(cache)) for path in module.params["cache"] for cache in purge(path, True)[0])
        size = {"size": used, "size_text": decimal_size(used)}
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
    module.exit_json(changed=bool(removed), removed=removed, left=[*left[:SHOWN], *more], **size)


if __name__ == "__main__":
    main()
