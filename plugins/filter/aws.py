# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters about AWS; each is documented in the YAML file of its name."""

from __future__ import annotations

import typing as t

from ..module_utils._aws.errors import aws_failure
from ..module_utils._aws.tags import owner_of
from ..module_utils._ec2.expiry import role_name, role_path
from ..plugin_utils._settings_resolve import remembered_settings, settings_to_remember, unknown_limits
from ..plugin_utils._ssh_access import is_allowed, recorded_access


class FilterModule:
    """The filters about AWS."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "aws_failure": aws_failure,
            "expiry_role_name": role_name,
            "expiry_role_path": role_path,
            "remembered_settings": remembered_settings,
            "settings_to_remember": settings_to_remember,
            "unknown_limits": unknown_limits,
            "ssh_access": recorded_access,
            "lab_owner": owner_of,
            "ssh_access_confirmed": is_allowed,
        }
