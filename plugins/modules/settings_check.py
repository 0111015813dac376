# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: settings_check
short_description: Validate the settings of a lab
version_added: "0.1.0"
description:
  - Refuses unknown settings, with the nearest known name.
  - Refuses invalid values before anything is created, all of them at once.
  - Refuses templates in settings that were given with C(-e), because settings are data.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  given:
    description: The names of the given settings.
    type: list
    elements: str
  known:
    description: The names of all settings.
    type: list
    elements: str
  own:
    description:
      - Internal variables with names like settings. They are refused if given with C(-e).
    type: list
    elements: str
    default: []
  values:
    description: The values of the settings, by name.
    type: dict
  releases:
    description: The table of data releases, by name, each with C(specprod) and C(public).
    type: dict
extends_documentation_fragment:
  - desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Compare the names of the settings with those that exist
  desi.lab.settings_check:
    given: [lab_prot]
    known: [lab_name, lab_port]
"""

RETURN = r"""
what:
  description: What is wrong with the first setting that cannot work.
  returned: failure
  type: str
why:
  description: Why it cannot work.
  returned: failure
  type: str
do:
  description: What to do next.
  returned: failure
  type: str
errors:
  description: All that is wrong, each with C(msg), C(what), C(why) and C(do).
  returned: if more than one setting cannot work
  type: list
  elements: dict
"""
