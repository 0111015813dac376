# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prices of a lab: from the Pricing API where that is allowed, else from a dated table, else unknown."""

from __future__ import annotations

import json
import re
import typing as t

# AWS itself counts so for the price of a disk.
HOURS_A_MONTH = 730
PRICE_LIST = "https://aws.amazon.com/ec2/pricing/on-demand/"
API, TABLE, MIXED = "Pricing API", "table of DESI Lab", "Pricing API and table of DESI Lab"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Price(t.NamedTuple):
    """A price in USD, the day that it was published, and its source."""

    usd: float
    date: str
    source: str


class Prices(t.NamedTuple):
    """What is known of prices in a region; None is not known."""

    types: t.Mapping[str, Price | None]
    gib_month: Price | None
    ipv4_hour: Price | None
    snapshot_gib_month: Price | None = None


class Cost(t.NamedTuple):
    """What an instance costs. ``hour`` has all that is paid while it runs, ``month_stopped`` what is paid while not."""

    hour: float | None
    month_stopped: float | None
    date: str
    source: str


def type_filters(name: str, region: str) -> dict[str, str]:
    """Return the Pricing API filters for an on-demand instance type with plain Linux."""
    return {
        "instanceType": name,
        "regionCode": region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
    }


def disk_filters(region: str) -> dict[str, str]:
    """Return the Pricing API filters for a gp3 disk."""
    return {"productFamily": "Storage", "volumeApiName": "gp3", "regionCode": region}


def read_price(documents: t.Iterable[t.Any], unit: str) -> Price | None:
    """Return the lowest on-demand price in the Pricing API's documents; None without any that is above zero."""
    found = []
    for document in documents:
        try:
            data = json.loads(document) if isinstance(document, str) else document
            date = str(data.get("publicationDate") or "")
            for term in data["terms"]["OnDemand"].values():
                for dimension in term["priceDimensions"].values():
                    usd = float(dimension["pricePerUnit"]["USD"])
                    # Reservations and free tiers have a price of 0.
                    if usd > 0 and dimension.get("unit") == unit:
                        day = _DATE.match(date) or _DATE.match(str(term.get("effectiveDate") or ""))
                        found.append(Price(usd, day[0] if day else "", API))
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
    return min(found, default=None)


def from_table(table: t.Mapping[str, t.Any], region: str, names: t.Iterable[str]) -> Prices:
    """Return the prices of a region in the dated table."""
    date = str(table.get("date") or "")
    here = (table.get("regions") or {}).get(region) or {}
    known = here.get("types") or {}

    def price(value: t.Any) -> Price | None:  # noqa: ANN401 - whatever stands in a file
        return Price(float(value), date, TABLE) if value is not None else None

    return Prices(
        {name: price(known.get(name)) for name in names},
        price(here.get("gib_month")),
        price(table.get("ipv4_hour")),
        price(here.get("snapshot_gib_month")),
    )


def joined(asked: Prices, table: Prices) -> Prices:
    """Return the prices of both; those of AWS take precedence over the table's."""
    names = {**table.types, **asked.types}
    return Prices(
        {name: asked.types.get(name) or table.types.get(name) for name in names},
        asked.gib_month or table.gib_month,
        asked.ipv4_hour or table.ipv4_hour,
        asked.snapshot_gib_month or table.snapshot_gib_month,
    )


def cost_of(name: str, disk_gib: int, prices: Prices) -> Cost:
    """Return the cost of an instance of a type with a disk, None where a price is not known."""
    instance, disk, address = prices.types.get(name), prices.gib_month, prices.ipv4_hour
    month = disk.usd * disk_gib if disk else None
    hour = None
    if instance and disk and address:
        hour = instance.usd + address.usd + disk.usd * disk_gib / HOURS_A_MONTH
    # All of them are as good as the oldest. An address costs the same everywhere, and has for years.
    dated = [price for price in (instance, disk) if price]
    sources = {price.source for price in dated}
    return Cost(
        None if hour is None else round(hour, 4),
        None if month is None else round(month, 2),
        min((price.date for price in dated if price.date), default=""),
        MIXED if len(sources) > 1 else next(iter(sources), ""),
    )


def money(usd: float) -> str:
    """Return an amount as people read it: to the cent, and finer where it is small."""
    return f"{usd:.2f}" if usd >= 1 else f"{usd:.3f}"


def hour_text(costs: t.Mapping[str, Cost], spot: bool) -> str:
    """Return what an hour costs; the first is the type that is tried first, the others are alternatives."""
    (first, cost), *others = costs.items()
    if cost.hour is None:
        return f"the price of {first} is not known here: {PRICE_LIST}"
    text = f"{'at most ' if spot else ''}{money(cost.hour)} USD an hour running"
    dearest = max(((other.hour or 0, name) for name, other in others), default=(0, ""))
    return f"{text} (with {dearest[1]} {money(dearest[0])})" if dearest[0] > cost.hour else text


def cost_line(costs: t.Mapping[str, Cost], spot: bool) -> dict[str, str]:
    """Return the line of the plan that shows the cost."""
    first = next(iter(costs.values()))
    parts = [hour_text(costs, spot)]
    if first.month_stopped is not None:
        parts.append(f"{first.month_stopped:.2f} USD a month stopped")
    about = ""
    if first.date:
        by = {API: "by AWS", TABLE: "from a table", MIXED: "by AWS and from a table"}[first.source]
        about = f"prices of {first.date}, {by}"
    return {"label": "cost", "text": " · ".join(parts), "about": about}
