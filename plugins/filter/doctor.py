# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters about the doctor; each is documented in the YAML file of its name."""

from __future__ import annotations

import typing as t

from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import report_of


class FilterModule:
    """The filters about the doctor."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"doctor_report": report_of}
