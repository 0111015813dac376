# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return the labs on EC2 of which this computer has records."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = r"""
name: local_records
short_description: Labs on EC2 of which this computer has records
version_added: "0.2.0"
author: "The DESI Lab contributors (@desi-lab)"
description:
  - Lists the directories REGION/NAME that have a private key, an SSH configuration or a record of what was made.
  - The private key is made before anything at AWS, so whatever a run that ended early has left is found by it. Where
    the key was lost, one of the others is still there.
options:
  _terms:
    description: The directory of the records.
    required: true
    type: list
    elements: path
"""

EXAMPLES = r"""
- name: List the labs on EC2 that were made from here
  ansible.builtin.debug:
    msg: "{{ query('desi.lab.local_records', '~/.config/desi-lab') }}"
"""

RETURN = r"""
_raw:
  description: The C(region) and the C(name) of each lab.
  type: list
  elements: dict
"""

RECORDS = ("id_ed25519", "ssh_config", "made.json")


class LookupModule(LookupBase):
    """Reads the names of files only."""

    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, str]]:  # noqa: ANN401 - of Ansible
        roots = [Path(term).expanduser() for term in terms if term]
        found = {path.parent for root in roots for name in RECORDS for path in root.glob(f"*/*/{name}")}
        return [{"region": each.parent.name, "name": each.name} for each in sorted(found)]
