# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: settings_resolve
short_description: Resolve and validate the settings of a lab
version_added: "0.2.0"
description:
  - Returns each setting from the first of these that has it. What somebody gave (C(-e), an inventory, a play), what the
    lab's container saved, what the tags of its instance say, the default.
  - Given are the variables of role P(desi.lab.lab#role) that the task sees. That role declares types and defaults.
  - Refuses unknown settings, with the nearest known name, and invalid values before anything is created, all of them at
    once.
  - Refuses templates in settings that were given with C(-e), because settings are data.
options:
  saved:
    description:
      - The settings that the lab's container saved, by name. Values of another type than the setting's are ignored.
    type: dict
    default: {}
  instance:
    description: C(access), C(port), C(release), C(os), C(type) and C(disk_gib) of the lab's EC2 instance, if any.
    type: dict
    default: {}
  values:
    description: Whether values are validated beyond their types. Verbs that create no lab need no more than names.
    type: bool
    default: true
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Resolve the settings
  desi.lab.settings_resolve:
  register: resolved

- name: Print the lab's release
  ansible.builtin.debug:
    msg: "{{ resolved.settings.release }}"
"""

RETURN = r"""
settings:
  description:
    - Each setting by its name without C(lab_).
    - C(given) has those that somebody gave, C(typed) those of them that C(-e) gave, C(defaults) the defaults.
    - C(cache_folder) is the directory of the cache, C(config) that of keys and records of labs on EC2.
    - C(person) is the invoking user as M(desi.lab.user_info) returns it, C(releases) the table of data releases,
      C(prices) the dated table of AWS prices.
  returned: success
  type: dict
what:
  description: What is wrong with a setting that cannot work.
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
