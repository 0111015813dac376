# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done once for all tasks, each of which runs in a fork of Ansible's process."""

from __future__ import annotations

import gc
import importlib
import pkgutil

from ansible_collections.desi.lab.plugins import filter as filters


def prepare_forks() -> None:
    """Load the filters once for all tasks, each of which runs in a fork of this process."""
    # A task that uses one loads all. Ansible keeps no bytecode of collections, so each task would compile them.
    for found in pkgutil.iter_modules(filters.__path__, f"{filters.__name__}."):
        importlib.import_module(found.name)
    # The collector would write to every object, and so copy the memory that a fork shares.
    gc.collect()
    gc.freeze()
