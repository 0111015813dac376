#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor_bundle
short_description: Write a redacted archive for a bug report
version_added: "0.1.0"
description:
  - Writes the doctor's report, the settings, the logs of the last runs, the inspected containers of labs, the state of
    mounts and network facts into one archive with mode 0600.
  - Redacts tokens, keys, passwords, account numbers, public addresses and the names of the user and of the computer, in
    any encoding. If a known secret remains, nothing is written.
  - Never replaces a file.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  path:
    description: The path of the archive, which ends in C(.tar.gz).
    type: path
    required: true
  report:
    description: The report of the doctor.
    type: dict
    default: {}
  settings:
    description: The settings by name, without C(lab_).
    type: dict
    default: {}
  defaults:
    description: Their defaults.
    type: dict
    default: {}
  mounts:
    description: The parent directory of bucket mounts.
    type: path
    default: /var/lib/desi-lab/mounts
  config:
    description: The config directory of labs on EC2, read for its secrets only.
    type: path
    default: ""
extends_documentation_fragment:
  - desi.lab.attributes
attributes:
  idempotent:
    support: none
    details: A second run is refused, because the archive exists.
"""

EXAMPLES = r"""
- name: Write a bundle
  desi.lab.doctor_bundle:
    path: /home/ann/desi-lab.tar.gz
    report: "{{ doctor.findings | desi.lab.doctor_report }}"
"""

RETURN = r"""
path:
  description: The archive.
  returned: success
  type: str
members:
  description: The names of its members.
  returned: success
  type: list
  elements: str
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import failing
from ..module_utils._doctor import bundle as doctor_bundle
from ..module_utils._doctor import bundle_collect as gather
from ..module_utils._doctor.bundle_redact import Cleaner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "path": {"type": "path", "required": True},
            "report": {"type": "dict", "default": {}},
            "settings": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
            "mounts": {"type": "path", "default": "/var/lib/desi-lab/mounts"},
            "config": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    given, environment = module.params, os.environ
    path = Path(given["path"]).absolute()
    with failing(module):
        doctor_bundle.check_path(path)
        inspected = gather.containers()
        secrets = gather.secrets_of(environment, inspected, given["settings"], given["config"])
        cleaner = Cleaner(secrets, {**gather.names_of(environment), **gather.names_in(given["report"])})
        members = {
            "report.json": gather.document(cleaner.structure(given["report"])),
            "settings.json": gather.settings_text(given["settings"], given["defaults"], cleaner),
            "containers.json": gather.document(cleaner.structure(inspected)),
            "mounts.txt": gather.mounts_text(given["mounts"], cleaner),
            "network.txt": gather.network_text(environment),
            **gather.logs(environment),
        }
        clean = doctor_bundle.cleaned(members, cleaner)
        if not module.check_mode:
            doctor_bundle.write(path, clean, environment)
    module.exit_json(changed=True, path=str(path), members=sorted(clean))


if __name__ == "__main__":
    main()
