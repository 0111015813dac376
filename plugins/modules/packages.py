#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install packages without changing or removing any others
version_added: "0.1.0"
description:
  - Simulates the transaction first, and refuses one that would remove packages or change their version.
  - Installed packages keep their version.
  - Another installation that is under way, as at the first boot of a new machine, is waited for, up to ten minutes.
requirements:
  - C(apt-get) (Debian, Ubuntu) or C(dnf) (Amazon Linux, Fedora, Red Hat)
options:
  name:
    description: The packages.
    type: list
    elements: str
    required: true
  update_cache:
    description: Whether to update the package lists first, if anything has to be installed.
    type: bool
    default: false
  network:
    description:
      - The proxies and files of certificate authorities of whoever runs this, by their variables, which sudo drops. It
        is set by itself where Ansible runs on the same computer.
    type: dict
    default: {}
extends_documentation_fragment: desi.lab.attributes
attributes:
  check_mode:
    details: Refuses in check mode what it would refuse otherwise.
"""

EXAMPLES = r"""
- name: Install what FUSE needs
  desi.lab.packages:
    name: fuse3
  become: true
"""

RETURN = r"""
installed:
  description: The packages that were, or in check mode would be, installed, with their dependencies.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.network import use_network
from ..module_utils._common.packages import (
    ABORTED,
    APT,
    DNF,
    INSTALL_APT,
    Transaction,
    answer,
    check_names,
    check_only_adds,
    failed,
    manager_of,
    os_release,
    read_apt,
    read_dnf,
    run,
)

ADD = ["install", "--no-install-recommends", "--no-upgrade", "--"]


def missing_of(manager: str, names: list[str]) -> list[str]:
    """Return those of the packages that are not installed."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}"] if manager == "apt-get" else ["rpm", "-q"]
    found = {name: run(*query, name) for name in names}
    return [name for name, (code, said) in found.items() if code or (manager == "apt-get" and said != "installed")]


def plan_apt(names: list[str], update: bool, check: bool) -> Transaction:
    """Return what apt-get would do."""
    # Lists that cannot be had are told by what follows.
    refreshed = run(*APT, "update")[1] if update and not check else ""
    code, said = run(*APT, "--simulate", *ADD, *names)
    if code and "Unable to locate package" in said and not update and not check:
        return plan_apt(names, update=True, check=False)
    if code and check and "Unable to locate package" in said:
        # Without lists nothing is known but the names, and a check fetches none.
        return Transaction(install=tuple(names))
    plan = read_apt(said)
    if code and plan.only_adds:
        raise failed(f"Not installed: {', '.join(names)}.", f"{said}\n{refreshed}", code)
    return plan


def plan_dnf(names: list[str], update: bool, check: bool) -> Transaction:
    """Return what dnf would do."""
    ask = [*DNF, *(["--refresh"] if update and not check else []), "--assumeno", "install"]
    code, said = run(*ask, *names)
    if code and ABORTED not in said:
        # Installed packages that are in the way are named by a simulation that may remove them.
        code, allowed = run(*ask, "--allowerasing", *names)
        plan = read_dnf(allowed) if ABORTED in allowed else Transaction()
        if plan.only_adds:
            raise failed(f"Not installed: {', '.join(names)}.", said, code)
        return plan
    return read_dnf(said)


def ensure(names: list[str], update: bool, check: bool) -> tuple[str, ...]:
    """Install what is missing; return what was, or would be, installed."""
    check_names(names)
    manager = manager_of(os_release())
    if not manager:
        why = "DESI Lab does not know how packages are installed on this system."
        raise LabError(f"Not installed: {', '.join(names)}.", why, "Install it yourself, then run this again.")
    missing = missing_of(manager, names)
    if not missing:
        return ()
    plan = (plan_apt if manager == "apt-get" else plan_dnf)(missing, update, check)
    check_only_adds(missing, plan, manager)
    if not check:
        install = [*APT, *INSTALL_APT, *ADD] if manager == "apt-get" else [*DNF, "--assumeyes", "--quiet", "install"]
        code, said = run(*install, *missing)
        if code:
            raise failed(f"Not installed: {', '.join(missing)}.", said, code)
    return plan.install


def main() -> None:
    module = AnsibleModule(
        {
            "name": {"type": "list", "elements": "str", "required": True},
            "update_cache": {"type": "bool", "default": False},
            "network": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    use_network(given["network"])
    answer(module, "installed", lambda: ensure(given["name"], given["update_cache"], module.check_mode))


if __name__ == "__main__":
    main()
