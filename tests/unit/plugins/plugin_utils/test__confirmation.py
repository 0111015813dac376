# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._confirmation import (
    Consent,
    Interrupted,
    NobodyThere,
    consent,
    means_yes,
)

YES = Consent(asked=False, answer=True)


def typing(answer):
    def ask():
        if isinstance(answer, bytes):
            return answer
        raise answer

    return ask


@pytest.mark.parametrize("typed", [b"y", b"Y", b"yes", b"YES", b"Yes", b" y ", b"yes\r"])
def test_yes_is_a_yes(typed):
    assert means_yes(typed) is True
    assert consent(False, False, "delete it", typing(typed)) == Consent(asked=True, answer=True)


@pytest.mark.parametrize(
    "typed", [b"", b" ", b"n", b"no", b"N", b"yep", b"yy", b"ye", b"true", b"1", b"\x04", b"\xff", b"y\x00", b"ja"]
)
def test_other_answers_count_as_no(typed):
    assert means_yes(typed) is False
    assert consent(False, False, "delete it", typing(typed)) == Consent(True, False, why="You did not say yes.")


def test_whoever_ends_the_question_was_asked_and_said_no():
    assert consent(False, False, "delete it", typing(Interrupted())).answer is False


@pytest.mark.parametrize(("assume_yes", "check_mode"), [(True, False), (False, True), (True, True)])
def test_no_confirmation_with_assume_yes_or_in_check_mode(assume_yes, check_mode):
    assert consent(assume_yes, check_mode, "delete it", typing(AssertionError())) == YES


@pytest.mark.security("M3", "P10")
def test_where_nobody_can_be_asked_the_answer_is_no_and_says_how_to_say_yes():
    given = consent(False, False, "delete the machine i-1", typing(NobodyThere()))
    assert (given.asked, given.answer) == (False, False)
    assert "delete the machine i-1" in given.why
    assert "nobody could be asked" in given.why
    assert "-e lab_yes=true" in given.do
