# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action import box
from ansible_collections.desi.lab.plugins.action.box import ActionModule

LINES = [{"label": "Open", "text": "http://127.0.0.1:8888/lab?token=6f1c"}, {"label": "Stop", "text": "./lab stop"}]


def test_box_is_a_list_of_plain_lines(act):
    result = act(ActionModule, lines=LINES, notes=["Synthetic."])
    assert result["msg"] == ["Open  " + LINES[0]["text"], "Stop  ./lab stop", "", "Synthetic."]
    assert result["changed"] is False


def test_box_is_shown_by_other_callbacks_too(act):
    assert act(ActionModule, lines=LINES)["_ansible_verbose_always"] is True


def test_secret_is_in_the_lines_alone(act):
    result = act(ActionModule, lines=LINES)
    del result["msg"]
    assert "6f1c" not in str(result)
    assert "invocation" not in result


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"lines": ["secret-6f1c"]},
        {"lines": [{"label": "Open"}]},
        {"lines": [{"label": "a", "text": "b", "c": "6f1c"}]},
    ],
)
def test_wrong_box_is_refused_without_repeating_its_content(act, arguments):
    with pytest.raises(AnsibleActionFail) as caught:
        act(ActionModule, **arguments)
    assert "6f1c" not in str(caught.value)


@pytest.mark.security("L4")
def test_a_token_is_hidden_where_it_would_be_kept(act, monkeypatch):
    monkeypatch.setattr(box, "keeper_of_this_run", lambda: "Ansible's log /var/log/a")
    result = act(ActionModule, lines=LINES)
    assert "6f1c" not in str(result)
    assert "/var/log/a" in str(result["msg"])
    assert "./lab stop" in str(result["msg"])
