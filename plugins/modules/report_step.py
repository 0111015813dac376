# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report_step
short_description: Report a finished step
version_added: "0.1.0"
description:
  - Prints a line with a tick, the step, how it was done, and the time since the step before.
  - The callback P(desi.lab.steps#callback) lays it out; other callbacks show it as the result of a task.
options:
  name:
    description: The step, such as C(Docker Engine 20.10).
    type: str
    required: true
  how:
    description: How it was done, such as C(installed).
    type: str
    default: ""
  changed:
    description:
      - Whether the step changed something, so that it counts as changed.
      - In check mode such a step is shown as one that would be done.
    type: bool
    default: false
extends_documentation_fragment: desi.lab.attributes.info_module
attributes:
  idempotent:
    details: Reports what O(changed) says.
"""

EXAMPLES = r"""
- name: Say that the engine is there
  desi.lab.report_step:
    name: Docker Engine {{ docker_version }}
    how: installed
    changed: "{{ __docker_install is changed }}"
"""

RETURN = r"""
name:
  description: What is done.
  returned: success
  type: str
how:
  description: How it was done.
  returned: success
  type: str
"""
