# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.text import name_option, nearest


@pytest.mark.parametrize(
    ("word", "known", "most", "found"),
    [
        ("lab_prot", ["lab_name", "lab_port", "lab_spot"], 1, ["lab_port"]),
        # Of two that are equally alike, the one that begins as the word does.
        ("lab_prot", ["lab_spot", "lab_port"], 1, ["lab_port"]),
        ("LAB_PORT", ["lab_port"], 1, ["lab_port"]),
        ("desi", ["desi2", "desi", "other"], 3, ["desi", "desi2"]),
        ("xyzzy", ["lab_port"], 3, []),
    ],
)
def test_the_likeliest_word_comes_first(word, known, most, found):
    assert nearest(word, known, most) == found


@pytest.mark.parametrize(("lab", "option"), [("desi", ""), ("desi2", " -e lab_name=desi2"), ("a", " -e lab_name=a")])
def test_lab_is_named_unless_it_is_the_usual_one(lab, option):
    assert name_option(lab) == option
