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
options: {}
extends_documentation_fragment: desi.lab.attributes.info_module
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

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.users import invoking_user


def main() -> None:
    module = AnsibleModule({}, supports_check_mode=True)
    module.exit_json(changed=False, **invoking_user())


if __name__ == "__main__":
    main()
