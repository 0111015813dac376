#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_links
short_description: Link the entries of a hidden subdirectory into its parent
version_added: "0.1.0"
description:
  - A container that is given a mountpoint does not see a mount that replaces the one that it started with. A container
    that is given the directory around the mountpoint does. This module makes that directory look like the mount, with
    a relative link for each entry.
  - For root, the directory and its parents have to be root's and writable by nobody else.
options:
  path:
    description: The directory around, which holds the links.
    type: path
    required: true
  hidden:
    description: The name of the directory in it whose entries are linked to.
    type: str
    required: true
  state:
    description: V(absent) removes the links, and the directory if it holds nothing else.
    type: str
    choices: [present, absent]
    default: present
  parents:
    description: How many of the directories above are removed with it if they hold nothing else.
    type: int
    default: 0
extends_documentation_fragment: desi.lab.attributes
attributes:
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Link to the entries of the bucket
  desi.lab.directory_links:
    path: /var/lib/desi-lab/mounts/desidata-0a1b2c3d
    hidden: .bucket
"""

RETURN = r"""
entries:
  description: The names of the links.
  returned: success
  type: list
  elements: str
"""

import contextlib
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import closing, open_directory, open_root_owned


def verify(path: str, hidden: str) -> None:
    """Refuse names by which the links of others would be taken for those into the hidden directory."""
    if not path.startswith("/") or "/" in hidden or hidden in ("", ".", ".."):
        raise LabError(
            f"The links in the folder {path or '(none)'} are left as they are.",
            f"They would lead into {hidden!r}, and the path has to be absolute and that one plain name.",
            "Give them so, for example path: /var/lib/desi-lab/mounts/NAME and hidden: .bucket",
        )


def links_of(directory: Path, hidden: str) -> dict[str, str]:
    """Return name and target of the links that lead into the hidden directory."""
    if not directory.is_dir():
        return {}
    targets = {entry.name: str(entry.readlink()) for entry in directory.iterdir() if entry.is_symlink()}
    return {name: target for name, target in sorted(targets.items()) if target.startswith(f"{hidden}/")}


def desired_links(directory: Path, hidden: str) -> dict[str, str]:
    """Return the links to the present entries of the hidden directory."""
    try:
        names = sorted(entry.name for entry in (directory / hidden).iterdir() if entry.name != hidden)
    except OSError as error:
        raise LabError(
            f"The folder {directory / hidden} cannot be listed.",
            f"{error.strerror}.",
            "Run the same command again; it mounts again what is no longer there.",
        ) from error
    return {name: f"{hidden}/{name}" for name in names}


def refuse_foreign(directory: Path, before: dict[str, str], after: dict[str, str]) -> None:
    """Refuse to replace what this module did not make."""
    for name in after.keys() - before.keys():
        if (directory / name).exists() or (directory / name).is_symlink():
            raise LabError(
                f"The folder {directory} cannot show {name}.",
                "Something else of that name lies there, which DESI Lab did not make.",
                f"Move {directory / name} away, then run the same command again.",
            )


def apply(directory: Path, before: dict[str, str], after: dict[str, str]) -> None:
    """Make the links that are missing or wrong, and remove the others."""
    if before == after:
        return
    with closing(open_root_owned(str(directory)) if os.geteuid() == 0 else open_directory(str(directory))) as opened:
        for name, _target in before.items() - after.items():
            os.unlink(name, dir_fd=opened)
        for name, target in after.items() - before.items():
            os.symlink(target, name, dir_fd=opened)


def main() -> None:
    module = AnsibleModule(
        {
            "path": {"type": "path", "required": True},
            "hidden": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "parents": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    directory, hidden = Path(module.params["path"]), module.params["hidden"]
    present = module.params["state"] == "present"
    try:
        verify(module.params["path"], hidden)
        before = links_of(directory, hidden)
        after = desired_links(directory, hidden) if present else {}
        refuse_foreign(directory, before, after)
        goes = not present and directory.is_dir() and all(entry.name in before for entry in directory.iterdir())
        if not module.check_mode:
            apply(directory, before, after)
            if goes:
                # Kept if something was put there meanwhile.
                with contextlib.suppress(OSError):
                    for each in [directory, *directory.parents][: module.params["parents"] + 1]:
                        each.rmdir()
    except LabError as error:
        module.fail_json(**error.as_result())
    except OSError as error:
        what = f"The folder {directory} could not be changed."
        module.fail_json(**LabError(what, f"{error.strerror}.", "Run it as a user who may write there.").as_result())
    module.exit_json(changed=before != after or goes, entries=sorted(after), diff={"before": before, "after": after})


if __name__ == "__main__":
    main()
