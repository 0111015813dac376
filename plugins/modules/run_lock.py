# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Take a lock that one run at a time holds
version_added: "0.1.0"
description:
  - Takes a lock for this run, and fails if another run has it.
  - The lock lasts as long as the process C(ansible-playbook), however that ends; it is never released. A stale file is
    ignored, also after a reboot or if the process id was reused.
  - The same run may take it repeatedly.
  - It covers runs on one computer.
options:
  path:
    description: The lock file. Missing parent directories are created with mode 0700.
    type: path
    required: true
  what:
    description: What is locked, in words for people, such as C(lab desi).
    type: str
    required: true
  directory:
    description:
      - What the path of the lock file's directory has to end in, such as V(us-west-2/desi), where files of the lab are
        removed from that directory. Any other one is refused before anything is written. Empty means that any will do.
    type: str
    default: ""
extends_documentation_fragment: desi.lab.attributes
attributes:
  check_mode:
    details: Takes no lock in check mode. It warns there if another run has it, and does not fail.
"""

EXAMPLES = r"""
- name: Lock the lab
  desi.lab.run_lock:
    path: /home/ann/.config/desi-lab/us-west-2/desi/hold
    what: lab desi
    directory: us-west-2/desi
"""

RETURN = r"""
held:
  description: Whether this run has the lock. V(false) in check mode.
  returned: success
  type: bool
other:
  description: In check mode, the other owner in words; empty without one.
  returned: success
  type: str
  sample: process 4711, since 10:31
"""
