# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report_unfinished
short_description: Set what is reported if the run fails or is interrupted
version_added: "0.2.0"
description:
  - Prints nothing. If the run fails, or somebody ends it by Ctrl-C, these lines are the last that it prints.
  - The lines of a later task take the place of those of an earlier one.
  - The callback P(desi.lab.steps#callback) prints them; other callbacks show them as the result of a task.
options:
  lines:
    description: The lines. An empty list means that there is nothing to report any more.
    type: list
    elements: dict
    required: true
    suboptions:
      label:
        description: The word in front of the line, such as C(Runs).
        type: str
        required: true
      text:
        description: The line itself.
        type: str
        required: true
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Set what an interrupted run would leave
  desi.lab.report_unfinished:
    lines:
      - label: Runs
        text: machine i-0123456789abcdef0, which costs 0.17 USD an hour
      - label: End
        text: ./lab down
"""

RETURN = r"""
lines:
  description: The lines.
  returned: success
  type: list
  elements: dict
"""
