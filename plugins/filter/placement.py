# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: where data are mounted, documented in the YAML files of their names."""

from __future__ import annotations

import typing as t

from ansible_collections.desi.lab.plugins.plugin_utils._mount_placement import (
    may_mount,
    mount_key,
    mount_place,
    mounting_rights,
    volumes,
    writable_by,
)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "can_mount": may_mount,
            "mount_key": mount_key,
            "mount_place": mount_place,
            "mounting_rights": mounting_rights,
            "volumes": volumes,
            "writable_by": writable_by,
        }
