# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: shared_directory
short_description: Choose the directory that is shared with a lab
version_added: "0.1.0"
description:
  - Refuses directories that contain or are in what is not for notebooks, which is the whole computer, homes, the
    system, keys, settings and caches, and the programs of DESI Lab itself. Links are resolved first.
  - The default is the directory that the lab has, if it was made before, else the current directory, unless that would
    be refused. Then it is O(own), which is created.
options:
  folder:
    description: The requested directory. Empty means none.
    type: str
    default: ""
  lab:
    description: The lab of this computer whose directory is kept, if it has one. Empty means none.
    type: str
    default: ""
  standing:
    description: The current directory of the caller.
    type: str
    default: ""
  own:
    description: The lab's own directory.
    type: path
    required: true
  only_own:
    description: Whether O(own) is the default, whatever the current directory is.
    type: bool
    default: false
  data:
    description: A data directory that is shared, too, and must not contain keys or programs either. Empty means none.
    type: str
    default: ""
  make:
    description: Whether O(own) is created if it is chosen.
    type: bool
    default: true
  anyway:
    description: Whether to share a directory that would be refused.
    type: bool
    default: false
  homes:
    description: Further home directories.
    type: list
    elements: path
    default: []
  programs:
    description: The directories of DESI Lab itself and of what runs it.
    type: list
    elements: path
    default: []
  cache:
    description: The directory of streamed data, which must not be shared, nor hold what is. Empty means none.
    type: path
    default: ""
    version_added: "0.2.0"
  private:
    description: Further directories that must not be shared.
    type: list
    elements: path
    default: []
  uid:
    description: The UID with whose rights O(own) is created. Defaults to the current user.
    type: int
  gid:
    description: The GID of that user. Defaults to the current group.
    type: int
extends_documentation_fragment: desi.lab.attributes
"""

EXAMPLES = r"""
- name: Choose the shared directory
  desi.lab.shared_directory:
    standing: "{{ lookup('ansible.builtin.env', 'PWD') }}"
    own: ~/desi-labs/desi
  register: shared
"""

RETURN = r"""
folder:
  description: The directory to share.
  returned: success
  type: str
  sample: /home/ann/work
made:
  description: Whether it was created, or would be.
  returned: success
  type: bool
instead:
  description: Why it is not the current directory. Empty if it is, or if O(folder) was given.
  returned: success
  type: str
in_data:
  description: Whether it lies in O(data), which can then be changed through it.
  returned: success
  type: bool
"""
