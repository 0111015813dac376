# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.desi.lab.plugins.filter.doctor import FilterModule


def test_a_report_of_findings_is_a_filter():
    findings = [{"check": "clock", "verdict": "skipped"}, {"check": "engine", "verdict": "warning"}]
    assert FilterModule().filters()["doctor_report"](findings) == {
        "version": 1,
        "verdict": "warning",
        "counts": {"ok": 0, "warning": 1, "broken": 0, "skipped": 1},
        "findings": findings,
    }
