# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report_findings
short_description: Print findings, one line each
version_added: "0.1.0"
description:
  - Prints a line for each finding with its verdict, and why and what to do for those that are not V(ok).
  - The callback P(desi.lab.steps#callback) lays it out; other callbacks show it as the result of a task.
options:
  findings:
    description: The findings, as M(desi.lab.doctor_info) returns them.
    type: list
    elements: dict
    required: true
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Show what was found
  desi.lab.report_findings:
    findings: "{{ doctor.findings }}"
"""

RETURN = r"""
summary:
  description: What it comes to, in a sentence.
  returned: success
  type: str
msg:
  description: What was shown, as plain lines.
  returned: success
  type: list
  elements: str
"""
