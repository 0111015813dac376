# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the type of an instance, once it is known that AWS will start it as such."""

from __future__ import annotations

import typing as t

from .._aws.account import Account, where
from .._aws.error_messages import FORBIDDEN
from .._aws.errors import aws_error, botocore_errors, code_of
from .._aws.permissions import OF_RESIZE
from .._common.errors import LabError
from . import quotas
from .instance_types import InstanceType, chosen, read_instance_type
from .run_instances import RUNS, STANDARD_CREDITS, Attempt, facts_of, has_cpu_credits

Described = t.Mapping[str, t.Any]
# A type for whole coadds, by processor.
_OF_PROCESSOR = {"arm64": "t4g.xlarge", "x86_64": "m7i.xlarge"}


def verify(account: Account, instance: Described, name: str) -> None:
    """Refuse a type that the instance cannot have, as far as AWS shows that before it is stopped."""
    code, of_type = quotas.code_of(name, facts_of(instance)["market"]), where("instance-type", name)
    questions: dict[str, t.Callable[[], t.Any]] = {
        "types": lambda: account.pages("describe_instance_types", "InstanceTypes", of_type),
        "zones": lambda: account.offerings("availability-zone", of_type),
        "running": lambda: account.instances(where("instance-state-name", *RUNS)),
    }
    if code:
        questions["quota"] = lambda: account.quota(code)
    answers = account.query(questions, may_lack=("quota",))
    every: list[str] = []
    if not answers["types"]:
        offered = account.query({"every": lambda: account.offerings("region", [])}, may_lack=("every",))
        every = [row["InstanceType"] for row in offered.get("every") or []]
    (kind,) = chosen([name], map(read_instance_type, answers["types"]), every, account.region)
    check_place(kind, instance, [str(row["Location"]) for row in answers["zones"]])
    check_quota(kind, instance, {code: answers.get("quota")}, answers["running"], account.region)


def check_place(kind: InstanceType, instance: Described, zones: t.Collection[str]) -> None:
    """Refuse a type for another processor than that of the instance's system, or that its zone does not have."""
    view = facts_of(instance)
    what = f"The machine {view['id']} cannot become a {kind.name}."
    architecture = str(instance.get("Architecture") or kind.architecture)
    if kind.architecture != architecture:
        why = f"Its system is made for {architecture} processors, and {kind.name} has one of {kind.architecture}."
        other = _OF_PROCESSOR.get(architecture, "")
        such = f", such as -e lab_instance_type={other}" if other else ""
        raise LabError(what, why, f"choose a type with a processor of its kind{such}")
    if view["zone"] not in zones:
        there = (
            f"It is offered in {', '.join(sorted(zones))} alone" if zones else "It is offered in no zone of the region"
        )
        why = f"{there}, and the lab's disk lies in {view['zone']}."
        raise LabError(what, why, f"choose a type that is offered in {view['zone']}")


def check_quota(
    kind: InstanceType,
    instance: Described,
    limits: t.Mapping[str, float | None],
    running: t.Iterable[Described],
    region: str,
) -> None:
    """Refuse a type for which the account's quota has no room once the instance itself is stopped."""
    view = facts_of(instance)
    others = [one for one in running if one.get("InstanceId") != view["id"]]
    attempt = Attempt(kind.name, view["zone"], str(instance.get("SubnetId") or ""), view["market"])
    quotas.within_quota([attempt], {kind.name: kind}, limits, others, region)


def change(ec2: t.Any, number: str, name: str, region: str) -> str:  # noqa: ANN401 - a client of botocore
    """Change the type of a stopped instance; return why it may cost more than its price, else an empty string."""
    try:
        ec2.modify_instance_attribute(InstanceId=number, InstanceType={"Value": name})
        return _choose_credits(ec2, number) if has_cpu_credits(name) else ""
    except botocore_errors() as error:
        raise aws_error(error, f"change the type of the machine {number}", region) from error


def _choose_credits(ec2: t.Any, number: str) -> str:  # noqa: ANN401 - as above
    """Choose the CPU credits that cost nothing; return why that was not possible."""
    chosen_credits = [{"InstanceId": number, **STANDARD_CREDITS}]
    try:
        answer = ec2.modify_instance_credit_specification(InstanceCreditSpecifications=chosen_credits)
    except botocore_errors() as error:
        # A policy of 0.1.0 lacks it, and the type is changed already.
        if code_of(error) not in FORBIDDEN:
            raise
        return f"you may not do that ({OF_RESIZE[0]})"
    refused = answer.get("UnsuccessfulInstanceCreditSpecifications") or []
    return "; ".join(str((one.get("Error") or {}).get("Message") or "AWS does not say why") for one in refused)
