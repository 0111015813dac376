# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The estimates of docs/scale.md: their arithmetic, and that its prices are those of the price table."""

from pathlib import Path

import pytest
from estimates import COADDS, REAL_TARGETS, START_S, VCPUS, Measured, estimate, hour, machines

PAGE = Path(__file__).parents[2].joinpath("docs/scale.md").read_text()
# As if a real coadd were measured.
ONE = Measured(targets=REAL_TARGETS, seconds=0.8, read_mb=42.5, requests=13.75, kept_mb=6.25)


@pytest.mark.parametrize(
    ("name", "number", "compute", "read", "exchange"),
    [("m6i.2xlarge", 1, 2000, 2125, 0), ("m6i.xlarge", 25, 160, 100, 40), ("m6i.xlarge", 100, 40, 50, 10)],
)
def test_an_estimate_adds_up_what_all_machines_take_together(name, number, compute, read, exchange):
    found = estimate(ONE, name, number)
    parts = (found.compute, found.read, found.exchange)
    assert parts == pytest.approx((compute, read, exchange))
    scheduler = 160.8 if number > 1 else 0
    assert found.total == pytest.approx(START_S + sum(parts) + scheduler)
    beside = hour("m6i.large") if number > 1 else 0
    assert found.usd == pytest.approx(found.total / 3600 * (number * hour(name) + beside))


def test_twice_the_targets_take_twice_as_much():
    half = Measured(REAL_TARGETS / 2, 0.8, 42.5, 13.75, 6.25)
    assert estimate(half, "m6i.large", 1).compute == pytest.approx(2 * COADDS * 0.8 / VCPUS["m6i.large"])


def test_the_page_has_the_prices_of_the_table():
    assert machines() in PAGE
