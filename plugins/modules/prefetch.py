#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prefetch
short_description: Fetch files of a mounted bucket into its cache
version_added: "0.1.0"
description:
  - Reads files through the mount, side by side, so that they are in its cache afterwards, and compares them with the
    C(*.sha256sum) files beside them.
  - What was fetched and verified before, and is still in the cache, is not read again. So it goes on where it was
    when it was killed.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  root:
    description: The folder of the release in the mount.
    type: path
    required: true
  specprod:
    description: The spectroscopic production, such as V(iron).
    type: str
    required: true
  files:
    description:
      - What to fetch. A path or a pattern below the release or its production; a folder means all that is in it.
      - V(tile:N) and V(healpix:N), or V(healpix:SURVEY/PROGRAM/N), mean the coadds and redshifts of one.
      - V(targets:/path) means those of the healpixels in which the TARGETIDs in a file on the host are, and
        V(cone:RA,DEC,RADIUS) those with targets in a part of the sky, in degrees. The catalogues C(zpix-*.fits) are
        read for these two.
    type: list
    elements: str
    required: true
  cache:
    description: The folder of the mount's cache.
    type: path
    required: true
  cache_max:
    description: The most that the cache holds, in bytes; V(0) if only the disk bounds it.
    type: int
    default: 0
  progress:
    description: A file that is kept up to date with how far it is; see M(desi.lab.prefetch_info).
    type: path
    default: ""
extends_documentation_fragment:
  - desi.lab.attributes
"""

EXAMPLES = r"""
- name: Fetch a healpixel and a catalogue
  desi.lab.prefetch:
    root: /var/lib/desi-lab/mounts/desidata-0a1b2c3d/.bucket/dr1
    specprod: iron
    cache: /var/cache/desi-lab/desidata-0a1b2c3d
    files:
      - healpix:23040
      - zcatalog/v1/zall-pix-iron.fits
"""

RETURN = r"""
total:
  description: The size of all that was asked for, in bytes.
  returned: success
  type: int
fetched:
  description: The size of what was not there yet, in bytes.
  returned: success
  type: int
text:
  description: The same, for people.
  returned: success
  type: str
verified:
  description: Files whose checksums are right.
  returned: success
  type: list
  elements: str
unverified:
  description: Files that have no checksum beside them.
  returned: success
  type: list
  elements: str
searched:
  description: The catalogues that were read to find targets.
  returned: success
  type: list
  elements: str
"""

import json
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.files import write_beside
from ansible_collections.desi.lab.plugins.module_utils._prefetch.fetcher import Fetch, open_kept
from ansible_collections.desi.lab.plugins.module_utils._prefetch.selection import size_words


class Progress:
    """The file that tells how far it is."""

    def __init__(self, path: str) -> None:
        self._folder, self._name = (open_kept(str(Path(path).parent)), Path(path).name) if path else (-1, "")

    def tell(self, text: str, finished: bool = False) -> None:
        if self._name:
            told = json.dumps({"text": text, "pid": os.getpid(), "finished": finished})
            write_beside(self._folder, self._name, told.encode())


def main() -> None:
    """Say how much it is, fetch it, and say what was wrong with it."""
    module = AnsibleModule(
        {
            "root": {"type": "path", "required": True},
            "specprod": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "str", "required": True},
            "cache": {"type": "path", "required": True},
            "cache_max": {"type": "int", "default": 0},
            "progress": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        progress = Progress("" if module.check_mode else given["progress"])
    except LabError as error:
        module.fail_json(**error.as_result())
    fetch = Fetch(Path(given["root"]), given["specprod"], Path(given["cache"]), given["cache_max"], progress.tell)
    outcome: dict[str, list[str]] = {"verified": [], "unverified": [], "wrong": []}
    try:
        left, total = fetch.plan(given["files"])
        size = sum(one for _path, one in left)
        if not module.check_mode and left:
            outcome = fetch.run(left)
        if outcome["wrong"]:
            raise LabError(
                f"{len(outcome['wrong'])} of {len(left)} files are not what their checksums say.",
                f"The first is {outcome['wrong'][0]}.",
                "Run the same command again. If it stays so, the bucket's copy is damaged: tell who keeps it.",
            )
    except LabError as error:
        module.fail_json(**error.as_result())
    finally:
        progress.tell("", finished=True)
    text = f"{size_words(total)} in all, {size_words(size)} {'to fetch' if module.check_mode else 'fetched'}"
    outcome.pop("wrong")
    module.exit_json(changed=bool(left), total=total, fetched=size, text=text, searched=fetch.searched, **outcome)


if __name__ == "__main__":
    main()
