#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: packages_update
short_description: Update the packages of a new instance, once
version_added: "0.2.0"
description:
  - Updates all installed packages, as C(yum update) does. Removes none, and keeps configuration files that somebody
    changed.
  - What takes long, which is to fetch them, is bounded in time. Nothing is installed that is not there whole.
  - Another installation that is under way is waited for, up to ten minutes.
requirements:
  - C(apt-get) (Debian, Ubuntu) or C(dnf) (Amazon Linux, Fedora, Red Hat)
options:
  marker:
    description: A file that is made when the packages are up to date. Nothing is done where it is there already.
    type: path
    required: true
  timeout:
    description: How long the packages may take to arrive, in seconds.
    type: int
    default: 600
  network:
    description:
      - The proxies and files of certificate authorities of whoever runs this, by their variables, which sudo drops. It
        is set by itself where Ansible runs on the same computer.
    type: dict
    default: {}
extends_documentation_fragment: desi.lab.attributes
"""

EXAMPLES = r"""
- name: Bring the machine up to date
  desi.lab.packages_update:
    marker: /var/lib/desi-lab/updated
  become: true
"""

RETURN = r"""
updated:
  description: The packages that were, or in check mode would be, updated or added.
  returned: success
  type: list
  elements: str
"""

import subprocess
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import closing, open_made, write_beside
from ..module_utils._common.network import use_network
from ..module_utils._common.packages import (
    ABORTED,
    APT,
    DNF,
    INSTALL_APT,
    answer,
    failed,
    manager_of,
    os_release,
    read_apt,
    read_dnf,
    run,
)

WHAT = "The machine was not brought up to date."


def update(manager: str, timeout: float, check: bool) -> tuple[str, ...]:
    """Update all packages; return which."""
    end = time.monotonic() + timeout
    apt = manager == "apt-get"

    def step(*command: str, bounded: bool = True, aborted: str = "") -> str:
        left = max(1.0, end - time.monotonic()) if bounded else None
        try:
            code, said = run(*command, timeout=left)
        except subprocess.TimeoutExpired:
            why = f"The packages had not arrived after {timeout:g} seconds."
            raise LabError(WHAT, why, "Check the machine's way to the internet.") from None
        if code and not (aborted and aborted in said):
            raise failed(WHAT, said, code)
        return said

    if apt and not check:
        step(*APT, "update")
    simulate = (*APT, "--simulate", "upgrade") if apt else (*DNF, "--assumeno", "upgrade")
    plan = (read_apt if apt else read_dnf)(step(*simulate, aborted=ABORTED))
    names = tuple(dict.fromkeys([*plan.upgrade, *plan.install]))
    if names and not check:
        do = (*APT, *INSTALL_APT) if apt else (*DNF, "--assumeyes", "--quiet")
        step(*do, "--download-only" if apt else "--downloadonly", "upgrade")
        # To end this in the middle would leave the machine half made.
        step(*do, "upgrade", bounded=False)
    return names


def ensure(marker: Path, timeout: float, check: bool) -> tuple[str, ...]:
    """Update all packages unless the marker is there; return which."""
    if marker.exists():
        return ()
    manager = manager_of(os_release())
    if not manager:
        why = "DESI Lab does not know how packages are updated on this system."
        raise LabError(WHAT, why, "Update it yourself if you want it to be.")
    names = update(manager, timeout, check)
    if not check:
        with closing(open_made(str(marker.parent), 0o755)) as directory:
            write_beside(directory, marker.name, b"", 0o644)
    return names


def main() -> None:
    module = AnsibleModule(
        {
            "marker": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 600},
            "network": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    use_network(given["network"])
    answer(module, "updated", lambda: ensure(Path(given["marker"]), given["timeout"], module.check_mode))


if __name__ == "__main__":
    main()
