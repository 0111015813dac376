# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action.refuse import ActionModule

SENTENCES = {"what": "The folder is empty.", "why": "Nobody put anything in it.", "do": "Give another folder."}


def test_refusal_fails_with_its_three_sentences_and_changes_nothing(act):
    assert act(ActionModule, **SENTENCES) == {
        "failed": True,
        "changed": False,
        "msg": "What  The folder is empty.\nWhy   Nobody put anything in it.\nDo    Give another folder.",
        **SENTENCES,
    }


@pytest.mark.parametrize("missing", SENTENCES)
def test_refusal_without_one_of_its_sentences_names_it(act, missing):
    with pytest.raises(AnsibleActionFail, match=f"missing required arguments: {missing}"):
        act(ActionModule, **{name: text for name, text in SENTENCES.items() if name != missing})


def test_refusal_with_more_than_its_sentences_is_a_mistake(act):
    with pytest.raises(AnsibleActionFail, match="Unsupported parameters"):
        act(ActionModule, **SENTENCES, how="Carefully.")


def test_refusal_needs_no_connection_to_a_host():
    assert ActionModule._requires_connection is False
