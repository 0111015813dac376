# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.desi.lab.plugins.module_utils._aws import pricing as cost
from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import API, MIXED, TABLE, Cost, Price, Prices

ROOT = Path(__file__).parents[5]
TABLE_FILE = yaml.safe_load((ROOT / "roles/lab/files/prices.yml").read_text())
SMALL = {
    "date": "2025-07-01",
    "ipv4_hour": 0.005,
    "regions": {"us-west-2": {"gib_month": 0.08, "types": {"t2.micro": 0.0116}}},
}


def product(usd="0.0116000000", unit="Hrs", published="2026-11-01T10:11:12Z", effective="2026-10-01T00:00:00Z"):
    cost = {"A.B.C": {"unit": unit, "pricePerUnit": {"USD": usd}}}
    terms = {"OnDemand": {"A.B": {"effectiveDate": effective, "priceDimensions": cost}}}
    return json.dumps({"product": {"attributes": {}}, "publicationDate": published, "terms": terms})


def prices(names=("t2.micro",), table=None, region="us-west-2"):
    return cost.from_table(SMALL if table is None else table, region, names)


# Where prices are from


@pytest.mark.parametrize(
    ("documents", "price"),
    [
        ([product()], Price(0.0116, "2026-11-01", API)),
        # The day from which it holds, where no other is told.
        ([product(published="")], Price(0.0116, "2026-10-01", API)),
        ([product("0.0000000000")], None),
        ([product("0.5"), product("0.2"), product("0.0")], Price(0.2, "2026-11-01", API)),
        ([product(unit="Quantity")], None),
    ],
)
def test_price_is_the_lowest_of_what_the_pricing_api_says_and_never_nothing(documents, price):
    assert cost.read_price(documents, "Hrs") == price


TERMS = ("{}", '{"OnDemand": []}', '{"OnDemand": {"A": {}}}')
EMPTY = ["", "{", "[]", "null", "{}", *(f'{{"terms": {one}}}' for one in TERMS)]


@pytest.mark.parametrize("document", [*EMPTY, product("free"), None, 7])
def test_document_that_is_none_is_passed_over(document):
    assert cost.read_price([document, product()], "Hrs") == Price(0.0116, "2026-11-01", API)


def test_table_knows_what_stands_in_it():
    assert prices(["t2.micro", "t9.huge"]) == Prices(
        {"t2.micro": Price(0.0116, "2025-07-01", TABLE), "t9.huge": None},
        Price(0.08, "2025-07-01", TABLE),
        Price(0.005, "2025-07-01", TABLE),
    )


@pytest.mark.parametrize("table", [{}, {"regions": None}, {"regions": {}}, {"regions": {"us-west-2": None}}])
def test_table_that_knows_nothing_says_so(table):
    assert prices(table=table) == Prices({"t2.micro": None}, None, None)


def test_what_aws_says_now_goes_before_the_table():
    asked = Prices({"t2.micro": Price(0.02, "2026-11-01", API), "t9.huge": None}, None, None)
    found = cost.joined(asked, prices(["t2.micro", "t9.huge"]))
    assert found.types["t2.micro"] == Price(0.02, "2026-11-01", API)
    assert found.types["t9.huge"] is None
    assert found.gib_month == Price(0.08, "2025-07-01", TABLE)


# What a machine costs


def test_machine_costs_itself_its_address_and_its_disk():
    assert cost.cost_of("t2.micro", 30, prices()) == Cost(0.0199, 2.4, "2025-07-01", TABLE)


def test_oldest_day_and_both_sources_are_told():
    asked = Prices({"t2.micro": Price(0.02, "2026-11-01", API)}, None, None)
    found = cost.cost_of("t2.micro", 30, cost.joined(asked, prices()))
    assert (found.date, found.source) == ("2025-07-01", MIXED)
    # The price of an address does not make the others old.
    asked = Prices(asked.types, Price(0.09, "2026-11-02", API), None)
    found = cost.cost_of("t2.micro", 30, cost.joined(asked, prices()))
    assert (found.date, found.source) == ("2026-11-01", API)


def test_unknown_price_leaves_what_is_known():
    found = cost.cost_of("t9.huge", 100, prices(["t9.huge"]))
    assert (found.hour, found.month_stopped) == (None, 8.0)
    assert cost.cost_of("t2.micro", 30, prices(region="eu-west-1")) == Cost(None, None, "", "")


# How it is told


def test_unknown_price_is_not_told_as_nothing():
    line = cost.cost_line({"t2.micro": Cost(None, None, "", "")}, spot=False)
    assert line["text"] == "the price of t2.micro is not known here: https://aws.amazon.com/ec2/pricing/on-demand/"
    assert line["about"] == ""


@pytest.mark.parametrize(
    ("hours", "spot", "text"),
    [
        ({"t2.micro": 0.0199}, True, "at most 0.020 USD an hour running"),
        ({"t3.micro": 0.0187, "m7i.xl": 0.175, "t9.x": None}, False, "0.019 USD an hour running (with m7i.xl 0.175)"),
        # A cheaper alternative is not told.
        ({"t3.micro": 0.0187, "t3a.micro": 0.0177}, False, "0.019 USD an hour running"),
    ],
)
def test_hour_is_told_with_the_dearest_alternative_and_at_most_for_spot(hours, spot, text):
    assert cost.hour_text({name: Cost(usd, 2.4, "", "") for name, usd in hours.items()}, spot) == text


@pytest.mark.parametrize(("usd", "text"), [(0.0199, "0.020"), (0.9996, "1.000"), (1.0, "1.00"), (12.345, "12.35")])
def test_money_is_told_as_finely_as_it_matters(usd, text):
    assert cost.money(usd) == text


# The table that comes with it


def test_table_knows_what_the_guide_and_the_notes_recommend():
    assert TABLE_FILE["date"].count("-") == 2
    assert 0 < TABLE_FILE["ipv4_hour"] < 0.1
    for name in ("t2.nano", "t2.micro", "t3.micro", "t3.xlarge", "t3.2xlarge", "m7i.xlarge", "r7i.xlarge"):
        assert cost.cost_of(name, 30, cost.from_table(TABLE_FILE, "us-west-2", [name])).hour


@pytest.mark.parametrize("region", list(TABLE_FILE["regions"]))
def test_larger_machine_of_a_family_costs_in_proportion(region):
    sizes = {"nano": 0.25, "micro": 0.5, "small": 1, "medium": 2, "large": 4, "xlarge": 8, "2xlarge": 16}
    families: dict[str, list[float]] = {}
    for name, usd in TABLE_FILE["regions"][region]["types"].items():
        family, _dot, size = name.partition(".")
        families.setdefault(family, []).append(usd / sizes[size])
    for family, units in families.items():
        assert max(units) / min(units) < 1.02, family
