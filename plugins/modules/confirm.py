# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: confirm
short_description: Ask for confirmation once
version_added: "0.1.0"
description:
  - Prompts on the terminal. C(y) and C(yes) mean yes, in any case. Everything else is a no, and so is Ctrl-C.
  - Without a terminal, or in the background, the answer is no. Up to 0.1.0 it was yes.
  - Prompts once for all hosts. With C(run_once) on the task, all of them have the answer.
  - Does not fail on a no. Following tasks check RV(answer), and may refuse with RV(why) and RV(do).
options:
  question:
    description: The question, such as C(Go on?). It is followed by C([y/N]).
    type: str
    required: true
  would:
    description: What a yes does, as the end of a sentence, such as C(delete the machine).
    type: str
    required: true
  assume_yes:
    description: Do not prompt; the answer is yes.
    type: bool
    default: false
extends_documentation_fragment: desi.lab.attributes
attributes:
  check_mode:
    details: Does not prompt in check mode. The answer is yes.
"""

EXAMPLES = r"""
- name: Confirm a launch
  desi.lab.confirm:
    question: Go on?
    would: start a machine that costs money
    assume_yes: "{{ lab_yes }}"
  register: go_on
"""

RETURN = r"""
asked:
  description: Whether there was a prompt.
  returned: success
  type: bool
answer:
  description: Whether the answer is yes.
  returned: success
  type: bool
why:
  description: Why the answer is no, and without a terminal, what a yes would have done. Empty for a yes.
  returned: success
  type: str
do:
  description: How to confirm without a terminal. Empty otherwise.
  returned: success
  type: str
"""
