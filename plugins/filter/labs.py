# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labs as templates need them; each filter is documented in the YAML file of its name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.desi.lab.plugins.module_utils import _url_at
from ansible_collections.desi.lab.plugins.module_utils._errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._labs import published, server_api, status_table
from ansible_collections.desi.lab.plugins.module_utils._stops import stops_when


def url_at(url: str, host: str, port: int | str, scheme: str = "") -> str:
    """Return the URL with another host and port, and with another scheme if one is given."""
    try:
        return _url_at.url_at(url, host, port, scheme)
    except LabError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters about labs."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "published": published,
            "server_api": server_api,
            "status_table": status_table,
            "stops_when": stops_when,
            "url_at": url_at,
        }
