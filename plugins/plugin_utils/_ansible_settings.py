# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requirements on ansible.cfg and the inventory, so that no instance controls this computer."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

from ..module_utils._common.errors import LabError


def check_ansible(injects_facts: bool, host: str, transport: str, directory: str = ".") -> None:
    """Refuse injected facts, and a localhost that is another computer.

    ``directory`` is the one that Ansible was started in. It reads no ansible.cfg where everybody may write, as the file
    could name programs.
    """
    if injects_facts and _is_ignored(directory):
        path = str(Path(directory).absolute())
        raise LabError(
            f"Ansible does not read the ansible.cfg in {path}.",
            "Everybody on this computer may write in that folder.",
            f"Take that right away: chmod o-w {shlex.quote(path)}. Or type ./lab, which names the file itself.",
        )
    if injects_facts:
        raise LabError(
            "DESI Lab does not run with this ansible.cfg.",
            "Here Ansible makes variables of what a machine answers, so that a lab's machine could choose files and "
            "addresses on this computer.",
            "Add the line inject_facts_as_vars=false below [defaults] in your ansible.cfg, or run it as "
            "ANSIBLE_INJECT_FACT_VARS=false ansible-playbook …",
        )
    if host == "localhost" and transport != "local":
        raise LabError(
            "DESI Lab does not run with this inventory.",
            f"It has localhost reached by {transport}, which may be another computer than this one.",
            "Leave localhost out of the inventory, or give it ansible_connection=local.",
        )


def _is_ignored(directory: str) -> bool:
    try:
        return bool(Path(directory).stat().st_mode & stat.S_IWOTH) and Path(directory, "ansible.cfg").is_file()
    except OSError:
        return False
