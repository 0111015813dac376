# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError


def failure() -> LabError:
    return LabError("The folder is empty.", "Nobody put anything in it.", "Give another folder.")


def test_error_prints_its_three_sentences_each_on_a_line_of_its_own():
    assert str(failure()).splitlines() == [
        "What  The folder is empty.",
        "Why   Nobody put anything in it.",
        "Do    Give another folder.",
    ]


def test_result_has_the_sentences_by_name_and_all_of_them_as_message():
    error = failure()
    assert error.as_result() == {
        "msg": str(error),
        "what": "The folder is empty.",
        "why": "Nobody put anything in it.",
        "do": "Give another folder.",
    }


@pytest.mark.parametrize("sentences", [(), ("what",), ("what", "why")])
def test_error_without_all_three_sentences_cannot_be_made(sentences):
    with pytest.raises(TypeError):
        LabError(*sentences)
