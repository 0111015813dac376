# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prices as the Pricing API tells them, for a few types: enough to show that they are asked for, read and added up."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# USD an hour in us-west-2, on demand, Linux.
HOURS = {
    "t2.micro": 0.0116,
    "t2.small": 0.023,
    "t2.medium": 0.0464,
    "t3.micro": 0.0104,
    "t3.small": 0.0208,
    "t3.medium": 0.0416,
    "t3.large": 0.0832,
    "t3.xlarge": 0.1664,
    "t3.2xlarge": 0.3328,
    "t4g.micro": 0.0084,
    "t4g.xlarge": 0.1344,
    "c5.large": 0.085,
    "m5.large": 0.096,
    "m5.xlarge": 0.192,
    "m7i.large": 0.1008,
    "m7g.large": 0.0816,
    "r5.large": 0.126,
}
PLACES = {"us-west-2": "US West (Oregon)"}
GP3_MONTH = 0.08
ADDRESS_HOUR = 0.005


def products(request: Mapping[str, Any]) -> list[str]:
    """Return the documents that a GetProducts asks for: those whose attributes are as all its filters say."""
    wanted = {each["Field"]: each["Value"] for each in request.get("Filters", [])}
    return [
        json.dumps(product)
        for product in every()
        if product["serviceCode"] == request.get("ServiceCode") and meets(product["product"], wanted)
    ]


def meets(product: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    has = {**product["attributes"], "productFamily": product["productFamily"]}
    return all(has.get(name) == value for name, value in wanted.items())


def every() -> Iterator[dict[str, Any]]:
    """Yield all products."""
    for region, place in PLACES.items():
        where = {"regionCode": region, "location": place, "locationType": "AWS Region"}
        for (name, hour), system in itertools.product(HOURS.items(), ("Linux", "Windows")):
            # Windows costs more: who forgets to say Linux shall see it.
            yield product(
                "AmazonEC2",
                "Compute Instance",
                {
                    **where,
                    "instanceType": name,
                    "operatingSystem": system,
                    "tenancy": "Shared",
                    "capacitystatus": "Used",
                    "preInstalledSw": "NA",
                    "licenseModel": "No License required",
                    "marketoption": "OnDemand",
                    "operation": {"Linux": "RunInstances", "Windows": "RunInstances:0002"}[system],
                    "usagetype": f"USW2-BoxUsage:{name}",
                },
                hour if system == "Linux" else round(hour * 1.5, 4),
                "Hrs",
            )
        storage = {
            **where,
            "volumeApiName": "gp3",
            "volumeType": "General Purpose",
            "usagetype": "USW2-EBS:VolumeUsage.gp3",
        }
        yield product("AmazonEC2", "Storage", storage, GP3_MONTH, "GB-Mo")
        address = {**where, "group": "VPCPublicIPv4Address", "usagetype": "USW2-PublicIPv4:InUseAddress"}
        yield product("AmazonVPC", "VpcPublicIPv4Address", address, ADDRESS_HOUR, "Hrs")


def product(service: str, family: str, attributes: Mapping[str, str], price: float, unit: str) -> dict[str, Any]:
    """Return a product as the Pricing API writes it."""
    number = hashlib.sha256(json.dumps([family, attributes]).encode()).hexdigest()[:16].upper()
    term = {
        "sku": number,
        "effectiveDate": "2026-11-01T00:00:00Z",
        "offerTermCode": "JRTCKXETXF",
        "priceDimensions": {
            f"{number}.JRTCKXETXF.6YS6EN2CT7": {
                "unit": unit,
                "beginRange": "0",
                "endRange": "Inf",
                "description": f"${price} per {unit}",
                "pricePerUnit": {"USD": f"{price:.10f}"},
            }
        },
    }
    return {
        "serviceCode": service,
        "publicationDate": "2026-11-20T00:00:00Z",
        "version": "20261120000000",
        "product": {"sku": number, "productFamily": family, "attributes": dict(attributes)},
        "terms": {"OnDemand": {f"{number}.JRTCKXETXF": term}},
    }


def page(documents: Sequence[str], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of the documents, and where the next one begins."""
    first, most = int(request.get("NextToken") or 0), int(request.get("MaxResults") or 100)
    answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": list(documents[first : first + most])}
    if first + most < len(documents):
        answer["NextToken"] = str(first + most)
    return answer
