# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions that only talk to the person: what each returns, and which arguments are refused."""

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action import box, confirm, refuse, report, report_findings, report_step

TOKEN = "http://127.0.0.1:8888/lab?token=6f1c"  # noqa: S105 - made up
LINES = [{"label": "Open", "text": TOKEN}, {"label": "Stop", "text": "./lab stop"}]
SENTENCES = {"what": "The folder is empty.", "why": "Nobody put anything in it.", "do": "Give another folder."}
STEP = {"name": "Docker", "how": "", "msg": "Docker"}
ASKED = {"question": "Go on?", "would": "delete it"}
GOOD = {"check": "engine", "title": "Docker Engine", "verdict": "ok", "found": "27.3.1"}
BAD = {**GOOD, "verdict": "broken", "found": "down", "why": "It is a reason.", "do": "start it", "facts": {"a": 1}}


@pytest.mark.parametrize(
    ("action", "arguments", "expected"),
    [
        (box, {"lines": LINES, "notes": ["A note."]}, {"msg": [f"Open  {TOKEN}", "Stop  ./lab stop", "", "A note."]}),
        (report, {"text": " a\n b "}, {"msg": " a\n b ", "json": False}),
        *((report, {"data": data}, {"msg": data, "json": True}) for data in ({"labs": []}, None)),
        (report_step, {"name": "Docker", "how": "installed"}, {**STEP, "how": "installed", "msg": "Docker: installed"}),
        (report_step, {"name": "Docker", "changed": True}, {**STEP, "changed": True}),
        (report_step, {"name": "Docker", "changed": "no"}, STEP),
    ],
)
def test_what_is_reported_is_shown_by_every_callback_and_holds_nothing_else(act, action, arguments, expected):
    shown = {"changed": False, "_ansible_verbose_always": True, **expected}
    assert act(action.ActionModule, **arguments) == shown


def test_findings_are_returned_as_they_are_and_as_lines(act):
    result = act(report_findings.ActionModule, findings=[GOOD, BAD])
    assert [finding["verdict"] for finding in result["findings"]] == ["ok", "broken"]
    assert result["msg"] == [
        "  ✓ Docker Engine             27.3.1",
        "  ✗ Docker Engine             down",
        "    Why  It is a reason.",
        "    Do   start it",
        "",
        "  1 error.",
    ]
    assert result["changed"] is False


def test_refusal_fails_with_its_three_sentences_and_changes_nothing(act):
    message = "What  The folder is empty.\nWhy   Nobody put anything in it.\nDo    Give another folder."
    assert act(refuse.ActionModule, **SENTENCES) == {"failed": True, "changed": False, "msg": message, **SENTENCES}
    assert refuse.ActionModule._requires_connection is False


@pytest.mark.parametrize("arguments", [ASKED, {**ASKED, "assume_yes": True}])
def test_check_mode_does_not_ask_and_goes_on(act, arguments):
    expected = {"changed": False, "asked": False, "answer": True, "why": "", "do": ""}
    assert act(confirm.ActionModule, **arguments) == expected


@pytest.mark.security("L4")
def test_a_token_is_hidden_where_it_would_be_kept(act, monkeypatch):
    for action in (box, report):
        monkeypatch.setattr(action, "keeper_of_this_run", lambda: "Ansible's log /var/log/a")
    shown = act(box.ActionModule, lines=LINES)
    refused = act(report.ActionModule, text=TOKEN)
    assert "6f1c" not in f"{shown} {refused}"
    assert "/var/log/a" in str(shown["msg"])
    assert "./lab stop" in str(shown["msg"])
    assert (refused["failed"], "/var/log/a" in refused["why"]) == (True, True)
    assert act(report.ActionModule, text="no secret")["msg"] == "no secret"


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        *((box, lines) for lines in ({}, {"lines": ["6f1c"]})),
        (box, {"lines": [{"label": "a", "text": "b", "c": "6f1c"}]}),
        *((confirm, given) for given in ({}, {"assume_yes": True}, {"question": "x"}, {**ASKED, "no": 1})),
        (confirm, {**ASKED, "assume_yes": "perhaps"}),
        (refuse, {"what": "The folder is empty.", "why": "Nobody put anything in it."}),
        (refuse, {**SENTENCES, "how": "Carefully."}),
        *((report, given) for given in ({}, {"text": "a", "data": 1}, {"txt": "a"})),
        *((report_step, given) for given in ({}, {"name": "a", "hwo": "b"}, {"name": "a", "changed": "perhaps"})),
        *((report_findings, given) for given in ({}, {"findings": [{}]}, {"findings": [{**GOOD, "verdict": "fine"}]})),
        (report_findings, {"findings": [{**GOOD, "color": "red"}]}),
    ],
)
def test_wrong_arguments_are_refused_without_repeating_what_may_be_secret(act, action, arguments):
    with pytest.raises(AnsibleActionFail) as caught:
        act(action.ActionModule, **arguments)
    assert "6f1c" not in str(caught.value)
