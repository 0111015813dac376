# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings are data: templates in them are refused, since they could run programs."""

from __future__ import annotations

import typing as t

from ..module_utils._common.errors import LabError

MARKS = ("{{", "{%", "{#")
# Settings, and the sudo password, which an encrypted file may hold.
OURS = "lab_"
PASSWORDS = ("ansible_become_pass", "ansible_become_password")


def has_template(value: object) -> bool:
    """Return whether a value contains a template, in any text, entry or key."""
    if isinstance(value, dict):
        return any(has_template(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple, set)):
        return any(map(has_template, value))
    if value is None or isinstance(value, (bool, int, float)):
        return False
    # Other types, such as vault-encrypted strings, are read as text.
    return any(mark in str(value) for mark in MARKS)


def check_plain(settings: t.Mapping[str, object]) -> None:
    """Refuse the first setting with a template, without repeating its value."""
    for name, value in settings.items():
        if has_template(name) or has_template(value):
            shown = "with such a name" if has_template(name) else str(name)
            raise LabError(
                f"The setting {shown} is refused.",
                "It holds {{, {% or {#: Ansible would work that out, and it could run any program.",
                "Write the value itself. A settings file is data, and is never run.",
            )


def check_names_in_file(path: str, names: t.Iterable[object]) -> None:
    """Refuse the first name in a settings file that is no setting: others could control Ansible."""
    for name in names:
        if not str(name).startswith(OURS) and name not in PASSWORDS:
            raise LabError(
                f"The file {path} is refused: it sets {name}.",
                f"A settings file holds settings of DESI Lab, whose names begin with {OURS}, and nothing else.",
                "Take that line out of the file. On the command line, -e sets whatever you like.",
            )
