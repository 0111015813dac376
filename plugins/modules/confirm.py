# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: confirm
short_description: Ask a yes or no question once
version_added: "0.1.0"
description:
  - Asks on the terminal, and waits for the answer. C(y) and C(yes) are a yes, in upper or lower case. Everything else
    is a no, and so is Ctrl-C.
  - Where standard input is no terminal, or the run is in the background, nobody can be asked, and the answer is no.
    Up to 0.1.0 it was yes.
  - It asks once, for however many hosts. With C(run_once) on the task, all of them know the answer.
  - It does not fail on a no. What follows is to look at RV(answer), and may refuse with RV(why) and RV(do).
author:
  - The DESI Lab contributors (@desi-lab)
options:
  question:
    description: The question, such as C(Go on?). It is followed by C([y/N]).
    type: str
    required: true
  would:
    description: What is done after a yes, as the end of a sentence, such as C(delete the machine).
    type: str
    required: true
  assume_yes:
    description: Do not ask; the answer is yes.
    type: bool
    default: false
extends_documentation_fragment:
  - desi.lab.attributes
attributes:
  check_mode:
    details: Does not ask in check mode. The answer is yes.
"""

EXAMPLES = r"""
- name: Ask before anything is made
  desi.lab.confirm:
    question: Go on?
    would: start a machine that costs money
    assume_yes: "{{ lab_yes }}"
  register: go_on
"""

RETURN = r"""
asked:
  description: Whether somebody was asked.
  returned: success
  type: bool
answer:
  description: Whether the answer is yes.
  returned: success
  type: bool
why:
  description: Why the answer is no, and, where nobody could be asked, what would have been done. Empty for a yes.
  returned: success
  type: str
do:
  description: How to say yes where nobody can be asked. Empty otherwise.
  returned: success
  type: str
"""
