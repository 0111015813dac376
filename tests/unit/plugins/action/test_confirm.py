# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action.confirm import ActionModule

ASKED = {"question": "Go on?", "would": "delete it"}


@pytest.mark.parametrize("arguments", [ASKED, {**ASKED, "assume_yes": True}])
def test_check_mode_does_not_ask_and_goes_on(act, arguments):
    assert act(ActionModule, **arguments) == {"changed": False, "asked": False, "answer": True, "why": "", "do": ""}


@pytest.mark.parametrize(
    "arguments",
    [{}, {"assume_yes": True}, {"question": "x"}, {**ASKED, "assume_yes": "perhaps"}, {**ASKED, "no": 1}],
)
def test_what_is_asked_and_what_would_be_done_are_needed_and_yes_is_a_bool(act, arguments):
    with pytest.raises(AnsibleActionFail):
        act(ActionModule, **arguments)
