# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Print one text or document on standard output
version_added: "0.1.0"
description:
  - Prints a text as it is, or a structure as one JSON document, for programs and for pipes.
  - With O(desi.lab.steps#callback:quiet) of the callback P(desi.lab.steps#callback), standard output has nothing else.
  - That callback prints it on the terminal and in no log, since it may hold a token. The task must not be C(no_log).
  - Other callbacks show it as the result of a task. If one of them or Ansible's log would keep it, a text with a token
    is refused.
options:
  text:
    description: The text. It ends in a line feed, which is added if it is missing.
    type: str
  data:
    description: The structure.
    type: raw
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Print the URL alone
  desi.lab.report:
    text: "{{ jupyter_url }}"

- name: Print the labs that exist as JSON
  desi.lab.report:
    data: "{{ labs }}"
"""

RETURN = r"""
msg:
  description: What was said.
  returned: success
  type: raw
json:
  description: Whether it is a structure, printed as JSON.
  returned: success
  type: bool
"""
