# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action.report_findings import ActionModule

GOOD = {"check": "engine", "title": "Docker Engine", "verdict": "ok", "found": "27.3.1"}
BAD = {**GOOD, "verdict": "broken", "found": "down", "why": "It is a reason.", "do": "start it", "facts": {"a": 1}}


def test_findings_are_given_as_they_are_and_as_lines(act):
    result = act(ActionModule, findings=[GOOD, BAD])
    assert [finding["verdict"] for finding in result["findings"]] == ["ok", "broken"]
    assert result["msg"] == [
        "  ✓ Docker Engine             27.3.1",
        "  ✗ Docker Engine             down",
        "    Why  It is a reason.",
        "    Do   start it",
        "",
        "  1 broken.",
    ]
    assert result["changed"] is False


@pytest.mark.parametrize(
    "arguments",
    [{}, {"findings": [{}]}, {"findings": [{**GOOD, "verdict": "fine"}]}, {"findings": [{**GOOD, "colour": "red"}]}],
)
def test_what_is_no_finding_is_refused(act, arguments):
    with pytest.raises(AnsibleActionFail):
        act(ActionModule, **arguments)
