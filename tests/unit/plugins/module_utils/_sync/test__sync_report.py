# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._sync.report import conflict_name, how


@pytest.mark.parametrize("name", ["x" * 255, "\N{GREEK SMALL LETTER ALPHA}" * 127])
def test_the_name_of_a_copy_is_one_that_a_file_can_have(name):
    made = conflict_name(f"folder/{name}", "a-host", ["file", 1, 10**18, ""])
    assert made.startswith("folder/")
    assert len(made.removeprefix("folder/").encode()) <= 251


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (([0, 0], [0, 0], [0, 0], 0), "nothing to do"),
        (([1, 0], [999, 0], [0, 0], 0), "1 file brought (999 B)"),
        (([2, 3], [1500, 2_000_000], [0, 0], 0), "2 files brought (1.5 kB), 3 files sent (2.0 MB)"),
        (([0, 0], [0, 0], [1, 2], 0), "1 removed here, 2 removed there"),
        (([1, 0], [0, 0], [0, 0], 1), "1 file brought (0 B), 1 kept twice"),
    ],
)
def test_what_was_done_is_said_in_a_few_words(given, words):
    assert how(*given) == words
