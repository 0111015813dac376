# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: versions_info
short_description: Return the versions of DESI Lab, Ansible and collections
version_added: "0.1.0"
description:
  - Returns the versions that this run uses on the controller.
options: {}
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Get the versions
  desi.lab.versions_info:
  register: versions
"""

RETURN = r"""
product:
  description: The version of this collection.
  returned: success
  type: str
ansible:
  description: The version of ansible-core.
  returned: success
  type: str
python:
  description: The version of Python.
  returned: success
  type: str
system:
  description: The operating system, in words.
  returned: success
  type: str
collections:
  description: The version of each required collection; empty if it is not installed.
  returned: success
  type: dict
wanted:
  description: The required versions of collections.
  returned: success
  type: dict
wanted_ansible:
  description: The required versions of ansible-core.
  returned: success
  type: str
"""
