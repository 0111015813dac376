# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.desi.lab.plugins.filter.labs import FilterModule, status_document, status_table


def test_url_at_another_place_is_a_filter():
    url_at = FilterModule().filters()["url_for_address"]
    assert url_at("http://127.0.0.1:8888/lab", "203.0.113.7", 443, "https") == "https://203.0.113.7/lab"
    assert url_at("http://127.0.0.1:8888/lab", "203.0.113.7", 8888) == "http://203.0.113.7:8888/lab"


def test_what_the_filter_cannot_do_is_told_in_three_sentences():
    with pytest.raises(AnsibleFilterError, match=r"What .*\nWhy .*\nDo "):
        FilterModule().filters()["url_for_address"]("rubbish", "h", 80)


def found():
    return status_document({"labs": [], "engine": False, "reason": "why " * 60}, [], [])


@pytest.mark.parametrize(("columns", "widest"), [("60", 60), ("1000", 100), ("", 80)])
def test_status_is_as_wide_as_the_terminal_and_never_too_wide_to_read(monkeypatch, columns, widest):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(Display(), "columns", 79)
    lengths = [len(line) for line in status_table(found()).splitlines()]
    assert widest - 5 < max(lengths) <= widest
