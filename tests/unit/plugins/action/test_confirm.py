# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.utils.display import Display

from ansible_collections.desi.lab.plugins.action.confirm import ActionModule


@pytest.fixture
def ask(act, monkeypatch):
    """Run the action where somebody types an answer, or where the prompt raises."""

    def run(answer, check_mode=False, **given):
        def prompt(_display, question):
            assert question == "  Go on? [y/N]"
            if isinstance(answer, bytes):
                return answer
            raise answer

        monkeypatch.setattr(Display, "prompt_until", prompt)
        return act(ActionModule, check_mode, question="Go on?", would="delete the machine i-1", **given)

    return run


@pytest.mark.parametrize("typed", [b"y", b"Y", b"yes", b"YES", b"Yes", b" y ", b"yes\r"])
def test_yes_is_a_yes(ask, typed):
    assert ask(typed) == {"changed": False, "asked": True, "answer": True, "why": "", "do": ""}


@pytest.mark.parametrize(
    "typed",
    [
        *(b"", b" ", b"n", b"no", b"N", b"yep", b"yy", b"ye", b"true", b"1", b"\x04", b"\xff", b"y\x00", b"ja"),
        AnsiblePromptInterrupt(),
    ],
)
def test_other_answers_count_as_no_and_so_does_the_end_of_the_question(ask, typed):
    assert ask(typed) == {"changed": False, "asked": True, "answer": False, "why": "You did not say yes.", "do": ""}


@pytest.mark.parametrize(("assume_yes", "check_mode"), [(True, False), (False, True), (True, True)])
def test_no_confirmation_with_assume_yes_or_in_check_mode(ask, assume_yes, check_mode):
    given = ask(AssertionError(), check_mode, assume_yes=assume_yes)
    assert given == {"changed": False, "asked": False, "answer": True, "why": "", "do": ""}


@pytest.mark.security("M3", "P10")
def test_where_nobody_can_be_asked_the_answer_is_no_and_says_how_to_say_yes(ask):
    given = ask(AnsiblePromptNoninteractive())
    assert (given["asked"], given["answer"]) == (False, False)
    assert "delete the machine i-1" in given["why"]
    assert "nobody could be asked" in given["why"]
    assert "-e lab_yes=true" in given["do"]
