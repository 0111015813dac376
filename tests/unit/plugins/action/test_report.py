# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action import report
from ansible_collections.desi.lab.plugins.action.report import ActionModule


def test_text_is_handed_on_as_it_is(act):
    assert act(ActionModule, text=" a\n b ") == {
        "changed": False,
        "msg": " a\n b ",
        "json": False,
        "_ansible_verbose_always": True,
    }


@pytest.mark.parametrize("data", [{"labs": []}, [], "text", 0, None, False])
def test_data_are_a_document_whatever_they_are(act, data):
    result = act(ActionModule, data=data)
    assert result["json"] is True
    assert result["msg"] == data


@pytest.mark.parametrize("arguments", [{}, {"text": "a", "data": 1}, {"txt": "a"}])
def test_what_is_to_be_said_is_one_thing(act, arguments):
    with pytest.raises(AnsibleActionFail):
        act(ActionModule, **arguments)


@pytest.mark.security("L4")
def test_a_token_is_not_said_where_it_would_be_kept(act, monkeypatch):
    monkeypatch.setattr(report, "keeper_of_this_run", lambda: "Ansible's log /var/log/a")
    result = act(ActionModule, text="http://127.0.0.1:8888/lab?token=6f1c")
    assert result["failed"]
    assert "/var/log/a" in result["why"]
    assert "6f1c" not in str(result)
    assert act(ActionModule, text="no secret")["msg"] == "no secret"
