# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gather the state of an AWS account and a lab in it, in two rounds of parallel queries."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.desi.lab.plugins.module_utils._aws import pricing as cost
from ansible_collections.desi.lab.plugins.module_utils._aws.account import Account, Rows, where
from ansible_collections.desi.lab.plugins.module_utils._aws.error_messages import FORBIDDEN
from ansible_collections.desi.lab.plugins.module_utils._aws.errors import code_of
from ansible_collections.desi.lab.plugins.module_utils._aws.permissions import Action, DryRun, DryRunTargets, dry_run
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import NAME_TAG
from ansible_collections.desi.lab.plugins.module_utils._ec2.ami import parameters_of
from ansible_collections.desi.lab.plugins.module_utils._ec2.quotas import COUNTED
from ansible_collections.desi.lab.plugins.module_utils._ec2.quotas import code_of as quota_of
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import LabRecord
from ansible_collections.desi.lab.plugins.module_utils._ec2.subnets import ON_DEMAND, SPOT


@dataclass(frozen=True)
class LabSpec:
    """The settings of a lab on EC2."""

    name: str
    region: str
    access: str
    port: int
    instance_types: t.Sequence[str]
    disk_gib: int
    os: str
    allow_from: t.Sequence[str]
    security_group: str
    subnet: str
    spot: bool
    release: str
    public_key: str
    prices: t.Mapping[str, t.Any]
    directory: str = ""
    record: LabRecord | None = None
    idle_minutes: float = 60
    max_hours: float = 12


@dataclass
class AccountState:
    """The state of the account as AWS describes it. ``notes`` says what is unknown and not essential."""

    arn: str = ""
    account: str = ""
    user_id: str = ""
    named: Rows = field(default_factory=list)
    running: Rows = field(default_factory=list)
    keys: Rows = field(default_factory=list)
    groups: Rows = field(default_factory=list)
    vpcs: Rows = field(default_factory=list)
    subnets: Rows = field(default_factory=list)
    tables: Rows | None = None
    types: Rows = field(default_factory=list)
    offered: dict[str, set[str]] = field(default_factory=dict)
    all_types: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    images: Rows = field(default_factory=list)
    volumes: Rows = field(default_factory=list)
    quotas: dict[str, float | None] = field(default_factory=dict)
    type_prices: dict[str, cost.Price | None] = field(default_factory=dict)
    disk_price: cost.Price | None = None
    notes: list[str] = field(default_factory=list)


class Discovery:
    """Query an account in two rounds; the second depends on the first."""

    def __init__(self, account: Account, spec: LabSpec) -> None:
        self.account, self.spec = account, spec

    def first(self) -> AccountState:
        """Query all that depends on no other answer."""
        spec, account = self.spec, self.account
        markets = [SPOT, ON_DEMAND] if spec.spot else [ON_DEMAND]
        codes = sorted({quota_of(name, market) for name in spec.instance_types for market in markets} - {""})
        names = [f"desi-lab-{spec.name}", f"desi-lab-{spec.name}-*"]
        groups = [spec.security_group, f"{spec.security_group}-{spec.name}"]
        types = where("instance-type", *spec.instance_types)
        subnets = where("subnet-id", spec.subnet) if spec.subnet else where("default-for-az", "true")
        questions: dict[str, t.Callable[[], t.Any]] = {
            "caller": account.clients["sts"].get_caller_identity,
            "named": lambda: account.instances(where(f"tag:{NAME_TAG}", spec.name)),
            "running": lambda: account.instances(where("instance-state-name", *COUNTED)),
            "keys": lambda: account.ec2.describe_key_pairs(Filters=where("key-name", *names), IncludePublicKey=True),
            "groups": lambda: account.pages("describe_security_groups", "SecurityGroups", where("group-name", *groups)),
            "tagged": lambda: account.pages(
                "describe_security_groups", "SecurityGroups", where(f"tag:{NAME_TAG}", spec.name)
            ),
            "vpcs": lambda: account.pages("describe_vpcs", "Vpcs", where("is-default", "true")),
            "subnets": lambda: account.pages("describe_subnets", "Subnets", subnets),
            "types": lambda: account.pages("describe_instance_types", "InstanceTypes", types),
            "offerings": lambda: account.offerings("availability-zone", types),
            "parameters": lambda: account.clients["ssm"].get_parameters(Names=parameters_of(spec.os)),
            "disk price": lambda: account.price(cost.disk_filters(spec.region), "GB-Mo"),
            **{f"quota {code}": (lambda code=code: account.quota(code)) for code in codes},
            **{f"price {name}": (lambda name=name: account.type_price(name)) for name in spec.instance_types},
        }
        soft = {name for name in questions if name.startswith(("quota ", "price ", "disk price"))}
        answers = account.query(questions, soft)
        offered: dict[str, set[str]] = {}
        for row in answers["offerings"]:
            offered.setdefault(row["InstanceType"], set()).add(row["Location"])
        known = {group["GroupId"]: group for group in [*answers["groups"], *answers["tagged"]]}
        seen = AccountState(
            arn=answers["caller"]["Arn"],
            account=str(answers["caller"]["Account"]),
            user_id=str(answers["caller"].get("UserId") or ""),
            named=answers["named"],
            running=answers["running"],
            keys=answers["keys"].get("KeyPairs", []),
            groups=list(known.values()),
            vpcs=answers["vpcs"],
            subnets=answers["subnets"],
            types=answers["types"],
            offered=offered,
            parameters={row["Name"]: row["Value"] for row in answers["parameters"].get("Parameters", [])},
            quotas={code: answers.get(f"quota {code}") for code in codes},
            type_prices={name: answers.get(f"price {name}") for name in spec.instance_types},
            disk_price=answers.get("disk price"),
            notes=_unknown(answers.errors),
        )
        self.help(seen)
        return seen

    def help(self, seen: AccountState) -> None:
        """Query what is only needed for an unknown type or a subnet that may be private."""
        spec, account = self.spec, self.account
        questions: dict[str, t.Callable[[], t.Any]] = {}
        if not {row["InstanceType"] for row in seen.types} >= set(spec.instance_types):
            questions["types"] = lambda: account.offerings("region", [])
        if spec.subnet and seen.subnets and not seen.subnets[0].get("MapPublicIpOnLaunch"):
            vpc = where("vpc-id", seen.subnets[0]["VpcId"])
            questions["tables"] = lambda: account.pages("describe_route_tables", "RouteTables", vpc)
        if questions:
            answers = account.query(questions, may_lack=questions)
            seen.tables = answers.get("tables")
            seen.all_types = [row["InstanceType"] for row in answers.get("types") or []]

    def second(
        self,
        seen: AccountState,
        instance: t.Mapping[str, t.Any] | None,
        image_id: str,
        tries: t.Mapping[Action, DryRunTargets],
    ) -> list[DryRun]:
        """Query what the first answers require, and make the dry runs."""
        spec, account = self.spec, self.account
        questions: dict[str, t.Callable[[], t.Any]] = {
            action.name: (lambda action=action, targets=targets: dry_run(account.ec2, action, targets))
            for action, targets in tries.items()
        }
        if instance is None:
            questions["images"] = lambda: account.ec2.describe_images(ImageIds=[image_id]).get("Images", [])
        else:
            name = str(instance["InstanceType"])
            attached = where("attachment.instance-id", str(instance["InstanceId"]))
            questions["volumes"] = lambda: account.pages("describe_volumes", "Volumes", attached)
            if name not in spec.instance_types:
                types = where("instance-type", name)
                questions["types"] = lambda: account.pages("describe_instance_types", "InstanceTypes", types)
                questions["price"] = lambda: account.type_price(name)
        answers = account.query(questions, may_lack=("volumes", "price"))
        seen.images, seen.volumes = answers.get("images") or [], answers.get("volumes") or []
        if instance is not None and "types" in answers:
            seen.types = [*seen.types, *answers["types"]]
            seen.type_prices[str(instance["InstanceType"])] = answers.get("price")
        return [answers[action.name] for action in tries]


def _unknown(errors: t.Mapping[str, Exception]) -> list[str]:
    """Return notes on what is unknown, one for each kind of query."""
    said = []
    for kind, sentence in (
        ("quota ", "Whether your account may run a machine of this size was not to be had from AWS"),
        ("price ", "Prices were not to be had from AWS"),
    ):
        found = next((error for name, error in errors.items() if name.startswith(kind)), None)
        if found is not None:
            reason = "you may not ask" if code_of(found) in FORBIDDEN else code_of(found) or type(found).__name__
            said.append(f"{sentence} ({reason}).")
    return said
