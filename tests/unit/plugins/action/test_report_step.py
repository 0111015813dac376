# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action.report_step import ActionModule


def test_step_has_a_name_and_a_how(act):
    result = act(ActionModule, name="Docker Engine 20.10", how="installed")
    assert (result["name"], result["how"]) == ("Docker Engine 20.10", "installed")
    assert result["msg"] == "Docker Engine 20.10: installed"


@pytest.mark.parametrize(("said", "counted"), [({}, False), ({"changed": True}, True), ({"changed": "no"}, False)])
def test_step_counts_as_changed_only_when_told_so(act, said, counted):
    assert act(ActionModule, name="Docker", **said)["changed"] is counted


@pytest.mark.parametrize("arguments", [{}, {"name": "a", "hwo": "b"}, {"name": "a", "changed": "perhaps"}])
def test_wrong_step_is_refused(act, arguments):
    with pytest.raises(AnsibleActionFail):
        act(ActionModule, **arguments)
