# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.desi.lab.plugins.filter.labs import FilterModule


def test_url_at_another_place_is_a_filter():
    url_at = FilterModule().filters()["url_at"]
    assert url_at("http://127.0.0.1:8888/lab", "203.0.113.7", 443, "https") == "https://203.0.113.7/lab"
    assert url_at("http://127.0.0.1:8888/lab", "203.0.113.7", 8888) == "http://203.0.113.7:8888/lab"


def test_what_the_filter_cannot_do_is_told_in_three_sentences():
    with pytest.raises(AnsibleFilterError, match=r"What .*\nWhy .*\nDo "):
        FilterModule().filters()["url_at"]("rubbish", "h", 80)
