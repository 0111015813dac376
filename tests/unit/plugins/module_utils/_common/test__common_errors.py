# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError


def test_error_prints_and_returns_its_three_sentences():
    sentences = {"what": "It is empty.", "why": "Nobody put anything in it.", "do": "Give another."}
    error = LabError(**sentences)
    assert str(error).splitlines() == ["What  It is empty.", "Why   Nobody put anything in it.", "Do    Give another."]
    assert error.as_result() == {"msg": str(error), **sentences}
    for given in ((), ("what",), ("what", "why")):
        with pytest.raises(TypeError):
            LabError(*given)
