# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verify that an instance fits into the vCPU quotas of the account.

EC2 counts them by class of family, spot and on-demand apart.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
"""

from __future__ import annotations

import re
import typing as t

from .._aws.error_messages import quota_increase, vcpu_limit
from .._aws.errors import aws_error, message_of
from .._aws.errors import code_of as error_code
from .._common.errors import LabError
from .instance_types import InstanceType
from .run_instances import RUNS, Attempt, state_of
from .subnets import SPOT

STANDARD = "Standard"


class Codes(t.NamedTuple):
    """The codes of the quotas of a class of types; empty where AWS has no such quota."""

    on_demand: str
    spot: str


QUOTAS = {
    STANDARD: Codes("L-1216C47A", "L-34B43A08"),
    "DL": Codes("L-6E869C2A", "L-85EED4F7"),
    "F": Codes("L-74FC7D96", "L-88CF9481"),
    "G and VT": Codes("L-DB2E81BA", "L-3819A6DF"),
    "High Memory": Codes("L-43DA4232", ""),
    "HPC": Codes("L-F7808C92", ""),
    "Inf": Codes("L-1945791B", "L-B5D1601B"),
    "P": Codes("L-417A185B", "L-7212CCBC"),
    "Trn": Codes("L-2C3B7624", "L-6B0D517C"),
    "X": Codes("L-7295265B", "L-E3A00192"),
}
FAMILIES = {
    **dict.fromkeys("acdhimrtz", STANDARD),
    **dict.fromkeys(("g", "gr", "vt"), "G and VT"),
    **{name.lower(): name for name in ("DL", "F", "HPC", "Inf", "P", "Trn", "X")},
    "u": "High Memory",
}
_FAMILY = re.compile(r"([a-z]+)")
_SIZE = re.compile(r"\.(?:metal-)?(\d*)x(?:large|l)$")
USED_UP = ("VcpuLimitExceeded", "InstanceLimitExceeded")
"""What AWS answers where a quota has no room."""


def class_of(name: str) -> str:
    """Return the class that a type is counted in; empty where it is not known."""
    found = _FAMILY.match(name)
    letters = found[1] if found else ""
    if letters.startswith("mac"):
        return ""
    # Families such as is4gen and im4gn are called after their first letter.
    return FAMILIES.get(letters) or FAMILIES.get(letters[:1], "")


def code_of(name: str, market: str) -> str:
    """Return the code of the quota that a type counts against; empty where there is none, or none is known."""
    codes = QUOTAS.get(class_of(name))
    return (codes.spot if market == SPOT else codes.on_demand) if codes else ""


def guessed(name: str) -> int:
    """Return how many virtual processors a type has by its size, as nearly all families count."""
    found = _SIZE.search(name)
    if found:
        return 4 * int(found[1] or 1)
    return 64 if name.endswith("metal") else 2


def in_use(code: str, running: t.Iterable[t.Mapping[str, t.Any]], vcpus: t.Mapping[str, int]) -> int:
    """Return how many virtual processors count against a quota now; ``vcpus`` are those of the types that are known."""
    total = 0
    for instance in running:
        name = str(instance.get("InstanceType", ""))
        market = SPOT if instance.get("InstanceLifecycle") == "spot" else ""
        # Only what runs counts.
        if code_of(name, market) == code and state_of(instance) in RUNS:
            options = instance.get("CpuOptions") or {}
            cores, threads = options.get("CoreCount"), options.get("ThreadsPerCore")
            total += cores * threads if cores and threads else vcpus.get(name) or guessed(name)
    return total


def within_quota(
    attempts: t.Sequence[Attempt],
    kinds: t.Mapping[str, InstanceType],
    quotas: t.Mapping[str, float | None],
    running: t.Sequence[t.Mapping[str, t.Any]],
    region: str,
) -> tuple[list[Attempt], list[str]]:
    """Return the attempts that fit into the quotas, and notes on the others; unknown quotas exclude none."""
    vcpus = {name: kind.vcpus for name, kind in kinds.items()}
    good: list[Attempt] = []
    bad: dict[tuple[str, str], LabError] = {}
    for attempt in attempts:
        code = code_of(attempt.type, attempt.market)
        limit = quotas.get(code) if code else None
        need = kinds[attempt.type].vcpus
        if limit is None or in_use(code, running, vcpus) + need <= limit:
            good.append(attempt)
        elif (attempt.market, attempt.type) not in bad:
            used = in_use(code, running, vcpus)
            bad[attempt.market, attempt.type] = shortage(attempt, need, used, int(limit), region)
    if attempts and not good:
        raise next(iter(bad.values()))
    return good, [f"{market} {name} is left out: {error.why}" for (market, name), error in bad.items()]


def shortage(attempt: Attempt, need: int, used: int, limit: int, region: str) -> LabError:
    """Return the failure that names the quota and the command that asks for more."""
    code = code_of(attempt.type, attempt.market)
    market = "spot " if attempt.market == SPOT else ""
    many = "1 vCPU" if limit == 1 else f"{limit} vCPUs"
    why = f"In {region} your account may use {many} at a time for {market}machines of this kind "
    why += f"({class_of(attempt.type)}, quota {code}). Running machines use {used}, and {attempt.type} needs {need}."
    do = _larger(quota_increase(code, used + need, region))
    return LabError(f"A {market}machine {attempt.type} exceeds what this account may run.", why, do)


def refusal(error: BaseException, doing: str, name: str, market: str, region: str) -> LabError:
    """Return what went wrong with a machine of a type; where it was a quota, which of them is to be larger."""
    failure, code, limit = aws_error(error, doing, region), code_of(name, market), vcpu_limit(message_of(error))
    if error_code(error) not in USED_UP or not code or limit is None:
        return failure
    ask = quota_increase(code, limit + guessed(name), region)
    return LabError(failure.what, failure.why, _larger(ask))


def _larger(ask: str) -> str:
    return f"ask for more (it takes a day or so): {ask} · or choose a smaller type, or stop another machine"
