# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters about labs; each is documented in the YAML file of its name."""

from __future__ import annotations

import os
import time
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import stops_when
from ansible_collections.desi.lab.plugins.module_utils._common.text import name_option
from ansible_collections.desi.lab.plugins.module_utils._docker.ports import is_loopback
from ansible_collections.desi.lab.plugins.module_utils._lab import url as lab_url
from ansible_collections.desi.lab.plugins.module_utils._lab.instance_answer import lab_answer
from ansible_collections.desi.lab.plugins.module_utils._lab.labels import published, server_api
from ansible_collections.desi.lab.plugins.module_utils._status.document import document
from ansible_collections.desi.lab.plugins.plugin_utils._status_table import status_text
from ansible_collections.desi.lab.plugins.plugin_utils._workers import memory_of_each, workers_text


def url_at(url: str, host: str, port: int | str, scheme: str = "") -> str:
    """Return the URL with another host and port, and optionally another scheme."""
    try:
        return lab_url.url_at(url, host, port, scheme)
    except LabError as error:
        raise AnsibleFilterError(str(error)) from error


def status_document(
    found: t.Mapping[str, t.Any], elsewhere: t.Sequence[t.Mapping[str, t.Any]], unseen: t.Sequence[str]
) -> dict[str, t.Any]:
    """Return labs here and labs elsewhere as one status document."""
    return document(found, elsewhere, unseen, time.time())


def status_table(found: t.Mapping[str, t.Any]) -> str:
    """Return a status document as a table, as wide as the terminal."""
    # Workers have no terminal: callback steps, or else Ansible itself, read its width before.
    given = (os.environ.get(name, "") for name in ("COLUMNS", "DESI_LAB_COLUMNS"))
    columns = next((int(text) for text in given if text.isdecimal() and int(text)), Display().columns + 1)
    return status_text(found, columns)


class FilterModule:
    """The filters about labs."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "lab_answer": lab_answer,
            "is_loopback": is_loopback,
            "name_option": name_option,
            "published_address": published,
            "server_api_url": server_api,
            "status_document": status_document,
            "status_table": status_table,
            "worker_memory": memory_of_each,
            "workers_text": workers_text,
            "stop_time_text": stops_when,
            "url_for_address": url_at,
        }
