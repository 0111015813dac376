#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: root_directories
short_description: Ensure directories that only root can change or replace
version_added: "0.2.0"
description:
  - Verifies that each part of a path belongs to root and is writable by nobody else, by file descriptors, so that a
    part that is swapped meanwhile leads nowhere else. Makes what is missing.
  - In check mode it only verifies what is there, for which it needs no rights.
options:
  directories:
    description: The directories.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The absolute path.
        type: path
        required: true
      cache:
        description:
          - Whether it is a cache of streamed data, for root alone, and with the mark without which
            M(desi.lab.mount_leftovers) removes nothing.
        type: bool
        default: false
extends_documentation_fragment: desi.lab.attributes
"""

EXAMPLES = r"""
- name: Ensure the directory of a mount and its cache
  desi.lab.root_directories:
    directories:
      - path: /var/lib/desi-lab/mounts/desidata-0a1b2c3d
      - path: /var/cache/desi-lab/desidata-0a1b2c3d
        cache: true
  become: true
"""

RETURN = r"""
made:
  description: The directories that were made.
  returned: success
  type: list
  elements: str
  sample: ["/var/cache/desi-lab/desidata-0a1b2c3d"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import open_root_owned
from ..module_utils._mount.cache import cache_error, make_cache, require_safe_path


def ensure(path: str, cache: bool, check_mode: bool) -> bool:
    """Ensure a directory; return whether it was missing."""
    missing = not os.path.lexists(path)
    try:
        require_safe_path(path)
        if not check_mode:
            if cache:
                make_cache(path)
            else:
                os.close(open_root_owned(path, make=True))
    except LabError as problem:
        if cache:
            raise cache_error(path, problem) from None
        raise
    return missing


def main() -> None:
    module = AnsibleModule(
        {
            "directories": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"path": {"type": "path", "required": True}, "cache": {"type": "bool", "default": False}},
            }
        },
        supports_check_mode=True,
    )
    requested = [(one["path"], one["cache"]) for one in module.params["directories"]]
    try:
        made = [path for path, cache in requested if ensure(path, cache, check_mode=True)]
        if not module.check_mode:
            for path, cache in requested:
                ensure(path, cache, check_mode=False)
    except LabError as error:
        module.fail_json(**error.as_result())
    except OSError as error:
        what = f"The directory {error.filename} could not be made."
        module.fail_json(**LabError(what, f"{error.strerror}.", "Run the task with become: true.").as_result())
    module.exit_json(changed=bool(made), made=made)


if __name__ == "__main__":
    main()
