#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prefetch
short_description: Read files of a mounted bucket into its cache
version_added: "0.1.0"
description:
  - Reads files through the mount in parallel, so that they are in its cache, and verifies them by the C(*.sha256sum)
    files beside them.
  - Skips files that were verified before and are still in the cache, so that it resumes after it was killed.
  - Waits for another run that fetches into the same cache, and ends when nobody waits for it any more.
options:
  root:
    description: The directory of the release in the mount.
    type: path
    required: true
  specprod:
    description: The spectroscopic production, such as V(iron).
    type: str
    required: true
  files:
    description:
      - What to fetch. A path or a pattern below the release or its production; a directory means all files in it.
      - V(tile:N) and V(healpix:N), or V(healpix:SURVEY/PROGRAM/N), mean the coadds and redshifts of one.
      - V(targets:/path) means those of the healpixels in which the TARGETIDs in a file on the host are, and
        V(cone:RA,DEC,RADIUS) those with targets in a part of the sky, in degrees. The catalogs C(zpix-*.fits) are
        read for these two.
    type: list
    elements: str
    required: true
  cache:
    description: The mount's cache directory.
    type: path
    required: true
  cache_max:
    description: The size limit of the cache in bytes; V(0) for none.
    type: int
    default: 0
  progress:
    description:
      - A file that holds the progress, until it ends. The action plugin sets it, and touches C(PROGRESS.wanted) for as
        long as it waits.
    type: path
    default: ""
  quiet:
    description:
      - How long that file may stay untouched before the run ends, in seconds. The action plugin sets it, longer for a
        lab on EC2, because a laptop may sleep for a while.
    type: float
    default: 30
extends_documentation_fragment: desi.lab.attributes
"""

EXAMPLES = r"""
- name: Fetch a healpixel and a catalog
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
  description: The size of all requested files in bytes.
  returned: success
  type: int
fetched:
  description: The size of the files that were not in the cache, in bytes.
  returned: success
  type: int
text:
  description: Both sizes in words.
  returned: success
  type: str
verified:
  description: Files with the right checksum.
  returned: success
  type: list
  elements: str
unverified:
  description: Files without a checksum.
  returned: success
  type: list
  elements: str
searched:
  description: The catalogs that were searched for targets.
  returned: success
  type: list
  elements: str
"""

import contextlib
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.heartbeat import Heartbeat
from ..module_utils._common.humanize import decimal_size
from ..module_utils._docker.progress import ProgressFile
from ..module_utils._prefetch.fetcher import Fetch, alone, interrupted


def give_up(files: contextlib.ExitStack) -> None:
    """End at once: a read of a mount that hangs ends for nothing else. What was verified is kept."""
    files.close()
    os._exit(1)


def main() -> None:
    module = AnsibleModule(
        {
            "root": {"type": "path", "required": True},
            "specprod": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "str", "required": True},
            "cache": {"type": "path", "required": True},
            "cache_max": {"type": "int", "default": 0},
            "progress": {"type": "path", "default": ""},
            "quiet": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    given = module.params
    outcome: dict[str, list[str]] = {"verified": [], "unverified": [], "wrong": []}
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(contextlib.ExitStack())
        progress = files.enter_context(ProgressFile(given["progress"]))
        files.enter_context(Heartbeat(given["progress"])).watch(given["quiet"], lambda: give_up(files))
        fetch = Fetch(Path(given["root"]), given["specprod"], Path(given["cache"]), given["cache_max"], progress.write)
        try:
            if not module.check_mode:
                stack.enter_context(alone(given["cache"], progress.write))
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
        except OSError as error:
            module.fail_json(**interrupted("The bucket's files could not be read.", error).as_result())
    text = f"{decimal_size(total)} in all, {decimal_size(size)} {'to fetch' if module.check_mode else 'fetched'}"
    outcome.pop("wrong")
    module.exit_json(changed=bool(left), total=total, fetched=size, text=text, searched=fetch.searched, **outcome)


if __name__ == "__main__":
    main()
