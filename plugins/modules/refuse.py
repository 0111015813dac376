# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: refuse
short_description: Fail with what happened, why, and what to do next
version_added: "0.1.0"
description:
  - Fails with three sentences, the form of all errors of DESI Lab.
options:
  what:
    description: What happened, in a sentence.
    type: str
  why:
    description: Why it happened, in a sentence.
    type: str
  do:
    description: What to do next, in a sentence.
    type: str
  errors:
    description: Several errors at once, each with its C(what), C(why) and C(do), instead of O(what), O(why) and O(do).
    type: list
    elements: dict
    version_added: "0.2.0"
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Say that the folder is empty
  desi.lab.refuse:
    what: The folder /data holds no DESI data.
    why: It is empty.
    do: Give the folder of a release, or of several.
"""

RETURN = r"""
what:
  description: What happened.
  returned: always
  type: str
why:
  description: Why it happened.
  returned: always
  type: str
do:
  description: What to do next.
  returned: always
  type: str
"""
