#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_info
short_description: Return the invoking user, also under sudo
version_added: "0.1.0"
description:
  - Returns the user who is to own files, which under C(sudo) is its caller.
author:
  - The DESI Lab contributors (@desi-lab)
options: {}
extends_documentation_fragment:
  - desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Query the user
  desi.lab.user_info:
  register: person
"""

RETURN = r"""
name:
  description: The login name.
  returned: always
  type: str
uid:
  description: The UID.
  returned: always
  type: int
gid:
  description: The GID of the primary group.
  returned: always
  type: int
home:
  description: The home directory.
  returned: always
  type: str
groups:
  description: The GIDs of all groups of the user.
  returned: always
  type: list
  elements: int
by_sudo:
  description: Whether the user called sudo, so that root's rights here are not the user's.
  returned: always
  type: bool
"""

import os
import pwd
import typing as t

from ansible.module_utils.basic import AnsibleModule


def person(environment: t.Mapping[str, str], uid: int, gid: int) -> dict[str, t.Any]:
    """Return the caller of sudo, or else the process's user.

    A UID without a name, as in some containers, is its own name, and ``/`` its home.
    """
    caller = environment.get("SUDO_UID", "")
    if uid == 0 and caller.isdecimal():
        uid, gid = int(caller), int(environment.get("SUDO_GID") or gid)
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return {"name": str(uid), "uid": uid, "gid": gid, "home": "/"}
    return {"name": entry.pw_name, "uid": entry.pw_uid, "gid": entry.pw_gid, "home": entry.pw_dir}


def groups_of(name: str, gid: int) -> list[int]:
    """Return the GIDs of all groups of a user; of a UID without a name, the primary group."""
    try:
        return sorted(os.getgrouplist(name, gid))
    except KeyError:
        return [gid]


def main() -> None:
    module = AnsibleModule({}, supports_check_mode=True)
    found = person(os.environ, os.getuid(), os.getgid())
    groups = groups_of(found["name"], found["gid"])
    module.exit_json(changed=False, groups=groups, by_sudo=found["uid"] != os.getuid(), **found)


if __name__ == "__main__":
    main()
