# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.filter.labs import FilterModule


@pytest.mark.parametrize(
    ("idle", "hours", "words"),
    [
        (60, 12, "stops by itself after 60 idle minutes, and anyway after 12 hours"),
        ("1", "1.0", "stops by itself after 1 idle minute, and anyway after 1 hour"),
        (0.5, 0.25, "stops by itself after 0.5 idle minutes, and anyway after 0.25 hours"),
        (60, 0, "stops by itself after 60 idle minutes; as long as it is used it runs, and costs, without end"),
        (0, 12, "stops by itself after 12 hours, used or not, and not before"),
        (0, 0, "never stops by itself: it runs, and costs, until you stop it or ./lab down takes it away"),
    ],
)
def test_people_are_told_when_a_machine_stops_by_itself(idle, hours, words):
    assert FilterModule().filters()["stop_time_text"](idle, hours) == words
