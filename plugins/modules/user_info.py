#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_info
short_description: Tell who works here
version_added: "0.1.0"
description:
  - Returns the user whom files are to belong to, which under C(sudo) is the one who called it.
author:
  - The DESI Lab contributors (@desi-lab)
options: {}
extends_documentation_fragment:
  - desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Learn who works here
  desi.lab.user_info:
  register: person
"""

RETURN = r"""
name:
  description: The login name.
  returned: always
  type: str
uid:
  description: The user's number.
  returned: always
  type: int
gid:
  description: The number of the user's first group.
  returned: always
  type: int
home:
  description: The user's home folder.
  returned: always
  type: str
groups:
  description: The numbers of all groups that the user is in.
  returned: always
  type: list
  elements: int
by_sudo:
  description: Whether the user called sudo, so that what root may do here says nothing of what the user may do.
  returned: always
  type: bool
"""

import os
import pwd
import typing as t

from ansible.module_utils.basic import AnsibleModule


def person(environment: t.Mapping[str, str], uid: int, gid: int) -> dict[str, t.Any]:
    """Return the person behind a process: the caller of sudo where root was got by it, else the process's own user.

    A number without a name (as in some containers) gets its number for a name and ``/`` for a home.
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
    """Return the numbers of all groups of a user; of one without a name, the first group alone."""
    try:
        return sorted(os.getgrouplist(name, gid))
    except KeyError:
        return [gid]


def main() -> None:
    """Say who it is."""
    module = AnsibleModule({}, supports_check_mode=True)
    found = person(os.environ, os.getuid(), os.getgid())
    groups = groups_of(found["name"], found["gid"])
    module.exit_json(changed=False, groups=groups, by_sudo=found["uid"] != os.getuid(), **found)


if __name__ == "__main__":
    main()
