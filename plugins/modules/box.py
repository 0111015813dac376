# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: box
short_description: Print the closing box
version_added: "0.1.0"
description:
  - Prints the final results for people, such as the URL of a lab and how to stop it.
  - The callback P(desi.lab.steps#callback) prints it on the terminal and in no log, since it may hold a token. The task
    must not be C(no_log).
  - Other callbacks show and log it as the result of a task.
options:
  lines:
    description: The lines of the box.
    type: list
    elements: dict
    required: true
    suboptions:
      label:
        description: A label, such as C(Open).
        type: str
        required: true
      text:
        description: The text, such as a URL. It is broken at spaces only.
        type: str
        required: true
      about:
        description: A remark in a column of its own.
        type: str
        default: ""
  notes:
    description: Sentences below the lines.
    type: list
    elements: str
    default: []
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Show how to open the lab
  desi.lab.box:
    lines:
      - label: Open
        text: "{{ jupyter_url }}"
      - label: Data
        text: /home/desidata/edr
        about: read-only, synthetic sample
      - label: Stop
        text: ./lab stop
        about: Remove  ./lab down
    notes:
      - The data are synthetic. Do no science with them.
"""

RETURN = r"""
msg:
  description: The box, line by line.
  returned: success
  type: list
  elements: str
"""
