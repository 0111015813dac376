# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action.confirm import ActionModule, means_yes


@pytest.mark.parametrize("typed", [b"y", b"Y", b"yes", b"YES", b"Yes", b" y ", b"yes\r"])
def test_yes_is_a_yes(typed):
    assert means_yes(typed) is True


@pytest.mark.parametrize(
    "typed", [b"", b" ", b"n", b"no", b"N", b"yep", b"yy", b"ye", b"true", b"1", b"\x04", b"\xff", b"y\x00", b"ja"]
)
def test_everything_else_is_a_no(typed):
    assert means_yes(typed) is False


@pytest.mark.parametrize("arguments", [{"question": "Go on?"}, {"question": "Go on?", "assume_yes": True}])
def test_check_mode_does_not_ask_and_goes_on(act, arguments):
    assert act(ActionModule, **arguments) == {"changed": False, "asked": False, "answer": True}


@pytest.mark.parametrize(
    "arguments", [{}, {"assume_yes": True}, {"question": "x", "assume_yes": "perhaps"}, {"question": "x", "no": 1}]
)
def test_question_is_needed_and_yes_is_a_bool(act, arguments):
    with pytest.raises(AnsibleActionFail):
        act(ActionModule, **arguments)
