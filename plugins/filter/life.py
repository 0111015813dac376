# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters about changes of a lab; each is documented in the YAML file of its name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import instance_wait as ec2_instance_wait
from ansible_collections.desi.lab.plugins.plugin_utils._disk_resize import disk_is_seen, grow_commands
from ansible_collections.desi.lab.plugins.plugin_utils._same_settings import as_saved
from ansible_collections.desi.lab.plugins.plugin_utils._saved_settings import no_such_lab, remembered
from ansible_collections.desi.lab.plugins.plugin_utils._settings import words
from ansible_collections.desi.lab.plugins.plugin_utils._settings_resolve import settings_label


def instance_changes(
    machine: t.Mapping[str, t.Any],
    types: t.Sequence[str],
    disk_gib: int,
    name: str,
    prices: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """Return the changes of an instance, or under ``error`` why they are impossible."""
    try:
        return {**ec2_instance_wait.changes(machine, words(types), int(disk_gib), name, prices), "error": {}}
    except LabError as error:
        return {"type": "", "disk_gib": 0, "lines": [], "error": {"what": error.what, "why": error.why, "do": error.do}}
    except (KeyError, ValueError) as error:
        raise AnsibleFilterError(f"This is no machine: {error}") from error


class FilterModule:
    """The filters about the life of a lab."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "disk_size_visible": disk_is_seen,
            "resize_commands": grow_commands,
            "instance_changes": instance_changes,
            "unknown_lab_error": no_such_lab,
            "saved_settings": remembered,
            "settings_as_saved": as_saved,
            "settings_label": settings_label,
        }
