# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gather the state of an AWS account and a lab in it, in few rounds of parallel queries."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._aws import pricing as cost
from .._aws.account import Account, Answers, Questions, Rows, where
from .._aws.error_messages import FORBIDDEN
from .._aws.errors import code_of
from .._aws.permissions import Action, DryRun, DryRunTargets, dry_run
from .._aws.tags import NAME_TAG, is_ours
from .ami import parameters_of
from .instance_types import read_instance_type
from .quotas import code_of as quota_of
from .record import LabRecord
from .run_instances import RUNS, STOPS, market_of, state_of
from .subnets import ON_DEMAND, SPOT
from .workers_plan import UNCHANGED, Facts


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
    unknown_limits: t.Sequence[str] = ()
    image: str = ""
    workers: int = UNCHANGED
    worker_type: str = ""
    worker_memory: str = ""
    needs: t.Mapping[str, t.Any] = field(default_factory=dict)


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
    acls: Rows | None = None
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
    """Query an account: the lab's resources, what a launch needs, then what depends on both."""

    def __init__(self, account: Account, spec: LabSpec) -> None:
        self.account, self.spec, self.has_launch = account, spec, False

    def first(self, launch: bool = True) -> AccountState:
        """Query the lab's resources and, in the same round, what a launch needs: missing rights are told at once."""
        account, named = self.account, where(f"tag:{NAME_TAG}", self.spec.name)
        keys = where("key-name", f"desi-lab-{self.spec.name}", f"desi-lab-{self.spec.name}-*")
        self.has_launch = launch
        answers = self._query(
            {
                "caller": account.clients["sts"].get_caller_identity,
                "named": lambda: account.instances(named),
                "keys": lambda: account.ec2.describe_key_pairs(Filters=keys, IncludePublicKey=True),
                "tagged": lambda: account.pages("describe_security_groups", "SecurityGroups", named),
                **(self._launch_questions() if launch else {}),
            }
        )
        seen = AccountState(
            arn=answers["caller"]["Arn"],
            account=str(answers["caller"]["Account"]),
            user_id=str(answers["caller"].get("UserId") or ""),
            named=answers["named"],
            keys=answers["keys"].get("KeyPairs", []),
            groups=answers["tagged"],
        )
        self._add(seen, answers)
        return seen

    def complete(self, seen: AccountState, instance: t.Mapping[str, t.Any] | None, owner: str) -> None:
        """Query what the first round left out: what a launch needs, or names of groups that may be taken."""
        if self.has_launch:
            return
        if instance is None:
            self._add(seen, self._query(self._launch_questions()))
            return
        attached = {group["GroupId"] for group in instance.get("SecurityGroups") or []}
        if not any(group["GroupId"] in attached and is_ours(group, self.spec.name, owner) for group in seen.groups):
            self._add(seen, self._query({"groups": self._groups}))

    def _groups(self) -> Rows:
        names = [self.spec.security_group, f"{self.spec.security_group}-{self.spec.name}"]
        return self.account.pages("describe_security_groups", "SecurityGroups", where("group-name", *names))

    def _launch_questions(self) -> Questions:
        spec, account = self.spec, self.account
        markets = [SPOT, ON_DEMAND] if spec.spot else [ON_DEMAND]
        types = where("instance-type", *spec.instance_types)
        subnets = where("subnet-id", spec.subnet) if spec.subnet else where("default-for-az", "true")
        return {
            "groups": self._groups,
            "vpcs": lambda: account.pages("describe_vpcs", "Vpcs", where("is-default", "true")),
            "subnets": lambda: account.pages("describe_subnets", "Subnets", subnets),
            "offerings": lambda: account.offerings("availability-zone", types),
            "parameters": lambda: account.clients["ssm"].get_parameters(Names=parameters_of(spec.os)),
            "disk price": account.disk_price,
            **self._quota_questions(spec.instance_types, markets),
            **{f"price {name}": (lambda name=name: account.type_price(name)) for name in spec.instance_types},
        }

    def _quota_questions(self, names: t.Sequence[str], markets: t.Sequence[str]) -> Questions:
        account, codes = self.account, {quota_of(name, market) for name in names for market in markets} - {""}
        types = where("instance-type", *names)
        return {
            "running": lambda: account.instances(where("instance-state-name", *RUNS)),
            "types": lambda: account.pages("describe_instance_types", "InstanceTypes", types),
            **{f"quota {code}": (lambda code=code: account.quota(code)) for code in sorted(codes)},
        }

    def of_workers(self, names: t.Sequence[str], launch: bool) -> Facts:
        """Query the type and price of workers and, if any are launched, whether AWS can launch them."""
        spec, account = self.spec, self.account
        questions = {f"price {name}": (lambda name=name: account.type_price(name)) for name in names}
        of_type = where("instance-type", *names)
        questions["types"] = lambda: account.pages("describe_instance_types", "InstanceTypes", of_type)
        if launch:
            questions["offerings"] = lambda: account.offerings("availability-zone", of_type)
            questions.update(self._quota_questions(names, [SPOT, ON_DEMAND]))
        if cost.from_table(spec.prices, spec.region, ()).gib_month is None:
            questions["disk price"] = account.disk_price
        answers = self._query(questions)
        by_aws = cost.Prices({name: answers.get(f"price {name}") for name in names}, answers.get("disk price"), None)
        offered: dict[str, set[str]] = {}
        for row in answers.get("offerings") or ():
            offered.setdefault(row["InstanceType"], set()).add(row["Location"])
        return Facts(
            {kind.name: kind for kind in map(read_instance_type, answers.get("types") or ())},
            offered,
            {name.partition(" ")[2]: value for name, value in answers.items() if name.startswith("quota ")},
            answers.get("running") or [],
            cost.joined(by_aws, cost.from_table(spec.prices, spec.region, names)),
        )

    def _query(self, questions: Questions, may_lack: t.Collection[str] = ()) -> Answers:
        soft = {name for name in questions if name.startswith(("quota ", "price ", "disk price"))}
        return self.account.query(questions, soft.union(may_lack))

    def _add(self, seen: AccountState, answers: Answers) -> None:
        """Add answers to the state of the account."""
        for name, answer in answers.items():
            kind, _space, of = name.partition(" ")
            if name in ("running", "vpcs", "subnets", "types", "images", "volumes", "disk price"):
                setattr(seen, name.replace(" ", "_"), answer)
            elif name == "groups":
                seen.groups = list({group["GroupId"]: group for group in [*seen.groups, *answer]}.values())
            elif name == "parameters":
                seen.parameters = {row["Name"]: row["Value"] for row in answer.get("Parameters", [])}
            elif name == "offerings":
                for row in answer:
                    seen.offered.setdefault(row["InstanceType"], set()).add(row["Location"])
            elif kind == "quota":
                seen.quotas[of] = answer
            elif kind == "price":
                seen.type_prices[of] = answer
        # What was not to be had is not asked for again.
        seen.type_prices.update({name.partition(" ")[2]: None for name in answers.errors if name.startswith("price ")})
        seen.notes += _unknown(answers.errors)
        if "offerings" in answers:
            self.help(seen)

    def help(self, seen: AccountState) -> None:
        """Query the subnets' VPC, and what helps with an unknown type."""
        spec, account = self.spec, self.account
        questions: dict[str, t.Callable[[], t.Any]] = {}
        if not {row["InstanceType"] for row in seen.types} >= set(spec.instance_types):
            questions["types"] = lambda: account.offerings("region", [])
        if seen.subnets:
            vpc = where("vpc-id", *dict.fromkeys(str(subnet["VpcId"]) for subnet in seen.subnets))
            questions["tables"] = lambda: account.pages("describe_route_tables", "RouteTables", vpc)
            questions["acls"] = lambda: account.pages("describe_network_acls", "NetworkAcls", vpc)
        if questions:
            answers = account.query(questions, may_lack=questions)
            seen.tables, seen.acls = answers.get("tables"), answers.get("acls")
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
            if name not in seen.type_prices:
                questions[f"price {name}"] = lambda: account.type_price(name)
            if not self.has_launch and cost.from_table(spec.prices, spec.region, ()).gib_month is None:
                questions["disk price"] = account.disk_price
            if state_of(instance) in STOPS and name not in (kind["InstanceType"] for kind in seen.types):
                questions.update(self._quota_questions([name], [market_of(instance)]))
        answers = self._query(questions, may_lack=("volumes",))
        self._add(seen, answers)
        return [answers[action.name] for action in tries]


def _unknown(errors: t.Mapping[str, Exception]) -> list[str]:
    """Return notes on what is unknown, one for each kind of query."""
    said = []
    for kind, sentence in (
        ("quota ", "Whether your account may run a machine of this size could not be learned from AWS"),
        ("price ", "Prices could not be had from AWS"),
    ):
        found = next((error for name, error in errors.items() if name.startswith(kind)), None)
        if found is not None:
            reason = "you may not ask" if code_of(found) in FORBIDDEN else code_of(found) or type(found).__name__
            said.append(f"{sentence} ({reason}).")
    return said
