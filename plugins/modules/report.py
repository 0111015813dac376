# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Say one thing on standard output, exactly
version_added: "0.1.0"
description:
  - Prints a text as it is, or a structure as one JSON document, for programs and for pipes.
  - With the option O(desi.lab.steps#callback:quiet) of the callback P(desi.lab.steps#callback) there is nothing else
    on standard output.
  - With that callback it reaches the terminal alone and no log, at any verbosity, because it may hold a token. The task
    must not be C(no_log), else there is nothing to say.
  - Other callbacks show it as the result of a task. Where another callback or Ansible's log would keep it, a text with
    a token is refused.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  text:
    description: The text. It ends in a line feed, which is added if it is missing.
    type: str
  data:
    description: The structure.
    type: raw
extends_documentation_fragment:
  - desi.lab.attributes.info_module
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
