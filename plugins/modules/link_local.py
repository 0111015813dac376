#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: link_local
short_description: Block labs from link-local addresses, where clouds serve an instance's credentials
version_added: "0.2.0"
description:
  - Clouds serve an instance's credentials at link-local addresses (169.254.169.254, fd00:ec2::254). This module ensures
    a firewall rule that drops what comes from labs' networks to them, also after a restart of Docker.
  - The host's own name servers stay reachable at their port.
  - With systemd, a unit makes the rule at boot, before Docker starts. Needs root.
options:
  state:
    description: V(absent) removes rule, unit and program, unless a lab's network exists.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment: desi.lab.attributes
attributes:
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Keep labs from link-local addresses
  desi.lab.link_local:
  become: true
"""

RETURN = r"""
program:
  description: The program that makes the rule.
  returned: success
  type: str
  sample: /usr/local/lib/desi-lab/link-local
"""

import os
import shutil
import subprocess

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._docker.link_local import NAME, WHAT, LinkLocal, read_root_file

SYSTEM_FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"


def check_host() -> None:
    """Verify root and iptables before anything is written."""
    if os.geteuid() != 0:
        raise LabError(WHAT, "The rules of the firewall are for root alone.", "Run the task with become: true.")
    if not shutil.which("iptables", path=SYSTEM_FOLDERS):
        raise LabError(WHAT, "There is no iptables here.", "Install the package iptables, then run this again.")


def main() -> None:
    module = AnsibleModule(
        {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}, supports_check_mode=True
    )
    rule, present = LinkLocal(), module.params["state"] == "present"
    try:
        check_host()
        changed = not rule.holds() if present else not rule.is_absent() and not rule.is_in_use()
        before = {name: read_root_file(folder, name) for folder, name, _content, _mode in rule.files()}
        after = (
            {name: content if present else "" for _folder, name, content, _mode in rule.files()} if changed else before
        )
        if changed and not module.check_mode:
            if present:
                rule.ensure()
            else:
                rule.remove()
    except LabError as error:
        module.fail_json(**error.as_result())
    except (OSError, subprocess.SubprocessError) as error:
        module.fail_json(**LabError(WHAT, f"{error}.", "Run the same command again with -v.").as_result())
    module.exit_json(changed=changed, program=f"{rule.folder}/{NAME}", diff={"before": before, "after": after})


if __name__ == "__main__":
    main()
