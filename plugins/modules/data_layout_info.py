#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_layout_info
short_description: Inspect how DESI data are laid out in a directory
version_added: "0.1.0"
description:
  - Returns whether a directory holds several data releases or is one, and what has to be bound where, so that a lab
    finds a release.
  - A release is identified by the spectroscopic production in it (C(spectro/redux/SPECPROD)), not by its name.
options:
  path:
    description: The absolute path of the directory.
    type: str
    required: true
  release:
    description: The release, such as V(edr). Case does not matter.
    type: str
    required: true
  releases:
    description: The table of releases, by name, each with its C(specprod).
    type: dict
    required: true
  links:
    description:
      - Whether to follow links that lead out of O(path), as to other disks. What they lead to is in RV(binds), too.
      - A link that the release needs is an error where its target is not there or may not be shared.
      - They are bound where they are on the host, and only there. Hidden folders, homes of others, and links by way of
        other links are left out, as somebody else may have made the links.
    type: bool
    default: false
    version_added: "0.2.0"
  shared:
    description:
      - The directory that notebooks can change. Links in it, and those that lead by way of one in it, are left out.
      - Without O(writable), data in it are bound over their place in it, too, where they can only be read.
    type: str
    default: ""
    version_added: "0.2.0"
  writable:
    description: Whether notebooks can change the data. Their links are left out then.
    type: bool
    default: false
    version_added: "0.2.0"
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Inspect the layout of the data
  desi.lab.data_layout_info:
    path: /data/tiny_dr1
    release: dr1
    releases:
      dr1:
        specprod: iron
"""

RETURN = r"""
kind:
  description: V(releases) for a directory of releases, V(release) for a single one.
  returned: success
  type: str
release:
  description: The release, in lower case.
  returned: success
  type: str
specprod:
  description: The spectroscopic production of the release.
  returned: success
  type: str
binds:
  description: Directories of the host, and where they appear below the image's data path.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The directory on the host.
      type: str
    inside:
      description:
        - Where it appears below the data path; empty for the data path itself.
        - Absolute for the target of a link, which is found where the link leads to, and for data in O(shared).
      type: str
place:
  description: The C(mount) that the directory is on, its C(filesystem) and C(options), with O(links) only.
  returned: success
  type: dict
  version_added: "0.2.0"
left_out:
  description: Links that a container cannot follow, each with its target and the reason.
  returned: success
  type: list
  elements: str
  version_added: "0.2.0"
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._lab.data_layout import query_layout
from ..module_utils._mount.shared_place import place_of


def main() -> None:
    module = AnsibleModule(
        {
            "path": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "releases": {"type": "dict", "required": True},
            "links": {"type": "bool", "default": False},
            "shared": {"type": "str", "default": ""},
            "writable": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        layout = query_layout(**module.params)
    except LabError as error:
        module.fail_json(**error.as_result())
    module.exit_json(
        changed=False, place=place_of(module.params["path"]) if module.params["links"] else {}, **asdict(layout)
    )


if __name__ == "__main__":
    main()
