# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What moto does not have: prices, and the quotas of EC2."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from region import prices
from region.answers import Answer, as_error, as_json
from region.faults import Faults

# The vCPUs that may run where no rule says otherwise, by quota code.
QUOTAS = {
    "L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 64.0),
    "L-34B43A08": ("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 64.0),
    "L-DB2E81BA": ("Running On-Demand G and VT instances", 0.0),
}
STANDARD = "L-1216C47A"


def answer(service: str, action: str, body: bytes, faults: Faults) -> Answer | None:
    """Return the answer to a call that moto cannot answer, or nothing."""
    known: Mapping[tuple[str, str], Callable[[dict[str, Any], Faults], Answer | None]] = {
        ("pricing", "GetProducts"): get_products,
        ("servicequotas", "GetServiceQuota"): get_quota,
        ("servicequotas", "GetAWSDefaultServiceQuota"): get_quota,
        ("servicequotas", "ListServiceQuotas"): list_quotas,
    }
    found = known.get((service, action))
    return found(json.loads(body or b"{}"), faults) if found else None


def get_products(request: dict[str, Any], _faults: Faults) -> Answer:
    """Answer what things cost."""
    return as_json(prices.page(prices.products(request), request))


def get_quota(request: dict[str, Any], faults: Faults) -> Answer | None:
    """Answer how much of something the account may have; of other services than EC2 moto knows it."""
    if request.get("ServiceCode") != "ec2":
        return None
    if request.get("QuotaCode") not in QUOTAS:
        missing = {
            "code": "NoSuchResourceException",
            "message": "The request failed because the specified quota is unknown.",
        }
        return as_error("servicequotas", missing, speaks_json=True)
    return as_json({"Quota": quota(request["QuotaCode"], faults)})


def list_quotas(request: dict[str, Any], faults: Faults) -> Answer | None:
    """Answer all of EC2's."""
    if request.get("ServiceCode") != "ec2":
        return None
    return as_json({"Quotas": [quota(code, faults) for code in QUOTAS]})


def quota(code: str, faults: Faults) -> dict[str, Any]:
    """Return a quota as the service writes it."""
    name, value = QUOTAS[code]
    return {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(standard_vcpus(faults)) if code == STANDARD else value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def standard_vcpus(faults: Faults) -> float:
    """Return the vCPUs of standard types that may run on demand."""
    rule = faults.seen("quota")
    return rule["vcpus"] if rule else QUOTAS[STANDARD][1]
