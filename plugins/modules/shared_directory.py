# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: shared_directory
short_description: Choose the folder that is shared with a lab
version_added: "0.1.0"
description:
  - Refuses folders that hold, are or lie in what is not for notebooks, which are the whole computer, homes, the system,
    keys, settings and caches, and the programs of DESI Lab itself. Links are resolved before.
  - Where no folder was asked for, it is the one that somebody stands in, unless that one would be refused.
    Then it is O(own), which is made.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  folder:
    description: The folder that was asked for. Empty means none.
    type: path
    default: ""
  standing:
    description: The folder that somebody stands in.
    type: path
    default: ""
  own:
    description: A folder of the lab's own, which is proposed, taken or made.
    type: path
    required: true
  only_own:
    description: Whether O(own) is taken wherever somebody stands.
    type: bool
    default: false
  data:
    description: A folder of data that is shared, too, and must not hold keys or programs either. Empty means none.
    type: path
    default: ""
  make:
    description: Whether O(own) is made if it is taken.
    type: bool
    default: true
  anyway:
    description: Whether a folder is shared that would be refused.
    type: bool
    default: false
  homes:
    description: The homes of people, beside those of the environment and of whoever runs this.
    type: list
    elements: path
    default: []
  programs:
    description: The folders of DESI Lab itself and of what runs it.
    type: list
    elements: path
    default: []
  private:
    description: More folders that are not to be shared, such as caches.
    type: list
    elements: path
    default: []
  uid:
    description: The number of the user with whose rights O(own) is made. By default, whoever runs this.
    type: int
  gid:
    description: The number of that user's group. By default, that of whoever runs this.
    type: int
extends_documentation_fragment:
  - desi.lab.attributes
"""

EXAMPLES = r"""
- name: Choose the folder that is shared
  desi.lab.shared_directory:
    standing: "{{ lookup('ansible.builtin.env', 'PWD') }}"
    own: ~/desi-labs/desi
  register: shared
"""

RETURN = r"""
folder:
  description: The folder to share.
  returned: success
  type: str
  sample: /home/ann/work
made:
  description: Whether it was made, or would be.
  returned: success
  type: bool
instead:
  description: Why it is not the folder that somebody stands in. Empty if it is, or if that was not asked.
  returned: success
  type: str
"""
