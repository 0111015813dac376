# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: resource limits of a lab, documented in the YAML files of their names."""

from __future__ import annotations

import typing as t

from ansible_collections.desi.lab.plugins.module_utils._docker.limits import interface_name, lab_limits, limits_update


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"network_interface": interface_name, "lab_limits": lab_limits, "limits_update": limits_update}
