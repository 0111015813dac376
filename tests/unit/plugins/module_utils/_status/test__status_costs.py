# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import Cost
from ansible_collections.desi.lab.plugins.module_utils._status.costs import Ran, costs, spent

HOUR, DAY = 3600.0, 86400.0
NOW = 1_795_521_600.0
# A disk of 7.30 USD a month costs 0.01 an hour; with machine and address it is 0.11.
COST = Cost(0.11, 7.30, "2026-11-01", "Pricing API")


def test_machine_that_runs_costs_its_hour_and_would_cost_that_all_month():
    told = costs(Ran(NOW - 5 * HOUR, NOW - 5 * HOUR, None, True), COST, False, NOW)
    assert (told["usd_hour"], told["usd_month"], told["usd_so_far"]) == (0.11, 80.3, 0.55)
    assert told["usd_so_far_how"].startswith("estimate")
    assert told["prices"] == "2026-11-01, Pricing API"


def test_machine_that_is_stopped_costs_its_disk():
    told = costs(Ran(NOW - 10 * HOUR, NOW - 10 * HOUR, NOW - 8 * HOUR, False), COST, False, NOW)
    assert (told["usd_hour"], told["usd_month"]) == (0.01, 7.30)
    # Two hours of machine and address, ten of the disk.
    assert told["usd_so_far"] == pytest.approx(0.3)
    assert told["usd_so_far_how"].startswith("estimate")


@pytest.mark.parametrize(
    ("ran", "usd", "how"),
    [
        # Of runs before the last start there is no record.
        (Ran(NOW - 10 * DAY, NOW - 1 * HOUR, None, True), 0.10 + 2.40, "at least"),
        # Without the time of its end, only the disk counts.
        (Ran(NOW - DAY, NOW - DAY, None, False), 0.24, "at least"),
        # A clock that is behind.
        (Ran(NOW + HOUR, NOW + HOUR, None, True), 0.0, ""),
        (Ran(None, None, None, True), None, ""),
    ],
)
def test_what_is_not_known_of_earlier_runs_is_said(ran, usd, how):
    found = spent(ran, COST, NOW)
    assert found[0] == (usd if usd is None else pytest.approx(usd))
    assert found[1].startswith(how)


@pytest.mark.parametrize("cost", [Cost(None, 7.3, "", ""), Cost(None, None, "", "")])
def test_price_that_is_not_known_makes_the_sum_not_known(cost):
    told = costs(Ran(NOW, NOW, None, True), cost, False, NOW)
    assert (told["usd_hour"], told["usd_so_far"], told["usd_month"]) == (None, None, None)


def test_spot_machine_is_told_to_cost_less():
    assert "less" in costs(Ran(NOW, NOW, None, True), COST, True, NOW)["usd_so_far_how"]
