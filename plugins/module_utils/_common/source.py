# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a module, for programs of ours that run by themselves elsewhere."""

from __future__ import annotations

import types


def source_of(module: types.ModuleType) -> str:
    """Return the text of an imported module, whoever loaded it: Python, Ansible, or an archive's importer."""
    # Ansible's loader has no source in get_source until it has compiled the module itself.
    text = module.__loader__.get_data(module.__file__)  # type: ignore[union-attr] - what was imported has one
    return bytes(text).decode()
