#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: text_files
short_description: Write several text files, and remove others, in one go
version_added: "0.1.0"
description:
  - Writes files and the directories that they are in, in one trip to the host.
  - For root, each directory above a file has to be root's and writable by nobody else, but for O(root_owned).
  - M(ansible.builtin.copy) takes two trips for each file, which over SSH takes seconds, and proves no path.
options:
  files:
    description: The content of each file, by its absolute path.
    type: dict
    default: {}
  absent:
    description:
      - Absolute paths of files that are removed, and of directories with all that is in them. Links are not followed.
    type: list
    elements: str
    default: []
  kept:
    description: Of files that are JSON objects, the keys whose values stay as they are where they exist, by the path.
    type: dict
    default: {}
  mode:
    description: The mode of the files. Directories that are made are open to everybody.
    type: str
    choices: ["0644", "0600"]
    default: "0644"
  root_owned:
    description:
      - Whether root writes only where all directories above a file are root's.
      - Turn it off for files of the person who runs Ansible, whose home may be another's under C(sudo -E).
    type: bool
    default: true
extends_documentation_fragment: desi.lab.attributes
attributes:
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Install a program and its settings
  desi.lab.text_files:
    files:
      /usr/local/lib/desi-lab/watch/__main__.py: "{{ lookup('ansible.builtin.file', 'watch/__main__.py') }}"
      /etc/desi-lab/watch.json: "{{ settings | to_json }}"
"""

RETURN = r"""
written:
  description: The files that differed.
  returned: success
  type: list
  elements: str
  sample: ["/etc/desi-lab/watch.json"]
removed:
  description: Those of O(absent) that were there.
  returned: success
  type: list
  elements: str
kept:
  description: The files of which something was kept because of O(kept).
  returned: success
  type: list
  elements: str
"""

import contextlib
import errno
import json
import os
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import closing, open_directory, open_made, open_root_owned, remove_below, write_beside

ROOM = "Make room on that disk, then run the same command again."
REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EACCES: "Run it as a user who may write there.",
    errno.EPERM: "Run it as a user who may write there.",
    errno.EROFS: "Have that disk mounted to be written to, then run the same command again.",
}


class File(t.NamedTuple):
    path: Path
    before: str
    after: str


@contextlib.contextmanager
def naming(path: Path) -> t.Iterator[None]:
    """Raise LabError with the whole path for an OSError, which knows a part of it or nothing."""
    try:
        yield
    except OSError as error:
        do = REMEDIES.get(error.errno or 0, "Put that right, then run the same command again.")
        raise LabError(f"The file {path} could not be written or removed.", f"{error.strerror}.", do) from error


def with_kept(files: t.Mapping[str, t.Any], keys: t.Mapping[str, t.Sequence[str]]) -> dict[str, t.Any]:
    """Return those of the files that keep values of what is there, with these."""
    found: dict[str, t.Any] = {}
    for name in files.keys() & keys.keys():
        kept = {}
        with naming(Path(name)), contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            there, made = json.loads(Path(name).read_text(encoding="utf-8")), json.loads(str(files[name]))
            kept = {key: there[key] for key in keys[name] if key in there}
        if kept:
            same = all(made.get(key) == value for key, value in kept.items())
            found[name] = files[name] if same else json.dumps({**made, **kept}, indent=2, sort_keys=True)
    return found


def absolute(name: str) -> Path:
    """Return a path. Raises LabError unless it is whole."""
    path = Path(name)
    if not path.is_absolute() or path.name in ("", ".."):
        why = "It is not the absolute path of a file."
        raise LabError(f"The file {name} cannot be changed.", why, "Give the whole path.")
    return path


def differing(files: t.Mapping[str, t.Any], mode: int) -> list[File]:
    """Return the files that differ in content or mode, in the order of their paths."""
    found = []
    for name, content in sorted(files.items()):
        path, after = absolute(name), str(content)
        before, same = "", False
        with naming(path), contextlib.suppress(FileNotFoundError, PermissionError):
            before = path.read_text(encoding="utf-8", errors="surrogateescape")
            same = before == after and path.stat().st_mode & 0o7777 == mode and not path.is_symlink()
        if not same:
            found.append(File(path, before, after))
    return found


def owner_of(directory: int, name: str) -> tuple[int, int]:
    """Return the UID and GID of a file, or of its directory where there is none."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        found = os.fstat(directory)
    return found.st_uid, found.st_gid


def write(file: File, mode: int, *, root_owned: bool) -> None:
    """Write a file whole or not at all. For root, all that is above it has to be root's if that is wanted."""
    above = str(file.path.parent)
    with (
        naming(file.path),
        closing(open_root_owned(above, make=True) if root_owned else open_made(above, 0o755)) as here,
    ):
        # Under sudo -E, a person's file stays theirs.
        theirs = owner_of(here, file.path.name) if os.geteuid() == 0 and not root_owned else None
        write_beside(here, file.path.name, file.after.encode(), mode, theirs)


def remove(path: Path, *, root_owned: bool) -> None:
    """Remove a file, or a directory with all that is in it. For root, as with write."""
    above = str(path.parent)
    with naming(path), closing(open_root_owned(above) if root_owned else open_directory(above)) as directory:
        remove_below(directory, path.name)


def difference(file: File) -> dict[str, str]:
    """Return how a file differs, as Ansible shows it."""
    shown = file.before.encode(errors="surrogateescape").decode(errors="replace")
    return {"before_header": str(file.path), "after_header": str(file.path), "before": shown, "after": file.after}


def main() -> None:
    module = AnsibleModule(
        {
            "files": {"type": "dict", "default": {}},
            "absent": {"type": "list", "elements": "str", "default": []},
            "kept": {"type": "dict", "default": {}},
            "mode": {"type": "str", "choices": ["0644", "0600"], "default": "0644"},
            "root_owned": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    mode = int(module.params["mode"], 8)
    root_owned = module.params["root_owned"] and os.geteuid() == 0
    try:
        files = module.params["files"]
        kept = with_kept(files, module.params["kept"])
        found = differing({**files, **kept}, mode)
        gone = [path for path in map(absolute, module.params["absent"]) if os.path.lexists(path)]
        if not module.check_mode:
            for file in found:
                write(file, mode, root_owned=root_owned)
            for path in gone:
                remove(path, root_owned=root_owned)
    except LabError as error:
        module.fail_json(**error.as_result())
    diff = [
        *map(difference, found),
        *({"path": str(path), "before": {"state": "present"}, "after": {"state": "absent"}} for path in gone),
    ]
    written, removed = [str(file.path) for file in found], [str(path) for path in gone]
    module.exit_json(changed=bool(diff), written=written, removed=removed, kept=sorted(kept), diff=diff)


if __name__ == "__main__":
    main()
