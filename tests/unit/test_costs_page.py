# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The amounts in docs/costs.md are those that the price table comes to, and the limits those that are set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import HOURS_A_MONTH, cost_of, from_table, money

ROOT = Path(__file__).parents[2]
PAGE = ROOT.joinpath("docs/costs.md").read_text()
TABLE = yaml.safe_load(ROOT.joinpath("roles/lab/files/prices.yml").read_text())
SPEC = yaml.safe_load(ROOT.joinpath("roles/lab/meta/argument_specs.yml").read_text())["argument_specs"]["main"]
DAYS = SPEC["options"]["lab_expire_days"]["default"]
HOURS = SPEC["options"]["lab_max_hours"]["default"]
# Type and disk, as the page has them in its first column.
ROWS = [("t2.micro", 30), ("t3.large", 30), ("t3.xlarge", 64), ("r7i.xlarge", 100)]


def amounts(name: str, gib: int) -> list[str]:
    """Return a line's amounts: an hour, a day, a month running, a month stopped, forgotten, its snapshot."""
    prices = from_table(TABLE, "us-west-2", [name])
    cost = cost_of(name, gib, prices)
    disk_day = cost.month_stopped / HOURS_A_MONTH * 24
    # It runs for the longest that it may, then lies there for the days, and goes at the end of the last.
    forgotten = HOURS * cost.hour + (DAYS + 1) * disk_day
    running = [24 * cost.hour, HOURS_A_MONTH * cost.hour]
    sums = [*running, cost.month_stopped, forgotten, gib * prices.snapshot_gib_month.usd]
    return [money(cost.hour), *(f"{usd:.2f}" for usd in sums)]


def cells(name: str, gib: int) -> list[str]:
    found = re.findall(rf"^\| {re.escape(name)}, {gib} GiB \|(.*)\|$", PAGE, re.MULTILINE)
    assert len(found) == 1, f"docs/costs.md has to have one line for {name} with {gib} GiB"
    return [cell.strip() for cell in found[0].split("|")]


@pytest.mark.parametrize(("name", "gib"), ROWS)
def test_line_of_a_machine_is_what_the_price_table_comes_to(name, gib):
    assert cells(name, gib) == amounts(name, gib)


def test_page_has_no_other_machine():
    assert re.findall(r"^\| (\S+), (\d+) GiB \|", PAGE, re.MULTILINE) == [(name, str(gib)) for name, gib in ROWS]


def test_page_says_of_which_day_the_prices_are():
    assert f"prices of {TABLE['date']}" in PAGE


def test_page_says_the_limits_that_are_set():
    assert f"`lab_expire_days` | {DAYS}" in PAGE
    assert f"after {HOURS} hours" in PAGE
    assert f"{DAYS} days" in PAGE
