# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Hold a name, so that two runs never work on the same thing
version_added: "0.1.0"
description:
  - Writes down that this run works on something, and fails if another run does that already.
  - The hold lasts as long as the process C(ansible-playbook), however it ends. There is nothing to let go of. A file
    that is left means nothing, not even when the number of the process is given to another one, or after a reboot.
  - The same run may take it as often as it likes.
  - It is about the runs on one computer.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  path:
    description: The file that the hold is written to. Folders that are missing are made, for you alone.
    type: path
    required: true
  what:
    description: What is held, in words for people, such as C(lab desi).
    type: str
    required: true
extends_documentation_fragment:
  - desi.lab.attributes
attributes:
  check_mode:
    details: Takes no lock in check mode. It warns there if another run has it, and does not fail.
"""

EXAMPLES = r"""
- name: Keep other runs from this lab
  desi.lab.run_lock:
    path: ~/.config/desi-lab/us-west-2/desi/hold
    what: lab desi
"""

RETURN = r"""
held:
  description: Whether this run has it now. It is V(false) in check mode.
  returned: success
  type: bool
other:
  description: In check mode, who else has it, in words; empty if nobody has.
  returned: success
  type: str
  sample: process 4711, since 10:31
"""
