# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible import constants as C
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action import settings_check
from ansible_collections.desi.lab.plugins.action.settings_check import ActionModule

RELEASES = {"edr": {"specprod": "fuji", "public": True}}
KNOWN = ["lab_name", "lab_port"]


@pytest.fixture(autouse=True)
def answers_kept_apart(monkeypatch):
    """What ansible.cfg of DESI Lab says."""
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", False)


@pytest.mark.security("H1")
def test_ansible_that_makes_variables_of_answers_is_refused_before_anything_else(act, monkeypatch):
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", True)
    result = act(ActionModule, given=["lab_prot"], known=KNOWN)
    assert result["failed"]
    assert "inject_facts_as_vars=false" in result["do"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"given": ["lab_port"], "known": KNOWN},
        {"given": [], "known": KNOWN},
        {"values": {"lab_port": "8889", "lab_release": "EDR"}, "releases": RELEASES},
        {"given": ["lab_name"], "known": KNOWN, "values": {}, "releases": RELEASES},
    ],
)
def test_settings_that_can_work_change_nothing(act, arguments):
    assert act(ActionModule, **arguments) == {"changed": False}


@pytest.mark.parametrize(("arguments", "what", "do"), [
    ({"given": ["lab_prot"], "known": KNOWN}, "There is no setting lab_prot.",
     "Say -e lab_port=… if that is what you meant."),
    ({"values": {"lab_port": "eighty"}, "releases": RELEASES}, "The setting lab_port=eighty cannot work.",
     "Choose another, for example -e lab_port=8889."),
    ({"values": {"lab_release": "dr9"}, "releases": RELEASES}, "The setting lab_release=dr9 cannot work.",
     "Choose one of them, for example edr."),
])  # fmt: skip
def test_setting_that_cannot_work_fails_in_three_sentences(act, arguments, what, do):
    result = act(ActionModule, **arguments)
    assert (result["failed"], result["changed"]) == (True, False)
    assert (result["what"], result["do"]) == (what, do)
    assert result["msg"] == f"What  {what}\nWhy   {result['why']}\nDo    {do}"


@pytest.mark.security("L3", "P11")
@pytest.mark.parametrize("typed", [{"lab_config": "/home/ann/work"}, {"lab_port": "{{ lookup('pipe', 'id') }}"}])
def test_what_is_no_setting_of_people_and_what_is_no_data_is_refused_as_it_was_given(act, monkeypatch, typed):
    monkeypatch.setattr(settings_check, "load_extra_vars", lambda _loader: typed)
    result = act(ActionModule, given=["lab_config", "lab_port"], known=[*KNOWN, "lab_config"], own=["lab_config"])
    assert result["failed"]
    assert next(iter(typed)) in result["what"]


def test_names_are_looked_at_before_values(act):
    result = act(ActionModule, given=["lab_prot"], known=KNOWN, values={"lab_port": 0}, releases=RELEASES)
    assert result["what"] == "There is no setting lab_prot."


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"given": ["lab_port"]},
        {"known": KNOWN},
        {"values": {}},
        {"given": ["lab_port"], "known": KNOWN, "releases": RELEASES},
        {"given": ["lab_port"], "known": KNOWN, "more": 1},
        {"values": "lab_port", "releases": RELEASES},
    ],
)
def test_arguments_that_do_not_belong_together_are_a_mistake(act, arguments):
    with pytest.raises(AnsibleActionFail):
        act(ActionModule, **arguments)


def test_settings_are_the_callers_and_need_no_connection():
    assert ActionModule._requires_connection is False
