# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: versions_info
short_description: Tell which versions of DESI Lab, of Ansible and of collections are in use
version_added: "0.1.0"
description:
  - Reads what this run itself uses, on the computer on which Ansible runs.
author:
  - The DESI Lab contributors (@desi-lab)
options: {}
extends_documentation_fragment:
  - desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: See what is in use
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
  description: The version of the Python that runs it.
  returned: success
  type: str
system:
  description: The operating system, in words.
  returned: success
  type: str
collections:
  description: The version of each collection that this one needs; empty where it is not installed.
  returned: success
  type: dict
wanted:
  description: Which versions of them this one needs.
  returned: success
  type: dict
wanted_ansible:
  description: Which versions of ansible-core it needs.
  returned: success
  type: str
"""
