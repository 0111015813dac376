# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of an AWS account for a lab on EC2, by dry runs; nothing is created."""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .._aws.account import Account
from .._aws.error_messages import quota_increase
from .._aws.errors import aws_error, botocore_errors
from .._aws.permissions import judge, needed, refusal
from .._aws.pricing import from_table
from .._aws.tags import Caller, caller_of
from .._common import run_lock as common_run_lock
from .._common.errors import LabError
from .._ec2.discovery import AccountState, Discovery, LabSpec
from .._ec2.instance_types import read_instance_type
from .._ec2.plan import ROOT_NOTE, Draft, begin, dry_run_targets, place
from .._ec2.quotas import code_of as quota_of
from .._ec2.quotas import in_use
from .._ec2.record import endpoint_of, read_for, read_or_none
from .._ec2.resources import ResourceQuery
from .._ec2.subnets import ON_DEMAND, SPOT
from .aws_orphans import TITLE, judge_orphans, orphans
from .findings import BROKEN, OK, SKIPPED, WARNING, Finding, from_error

NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError")
NOT_ALLOWED = refusal([]).what


def account_findings(account: Account, spec: LabSpec, regions: t.Sequence[str], config: str) -> list[Finding]:
    """Return all findings about an account; without a caller identity, that alone."""
    try:
        caller = account.clients["sts"].get_caller_identity()
    except botocore_errors() as error:
        if type(error).__name__ in NO_CREDENTIALS:
            return [without("there are no AWS credentials here; labs on this computer need none")]
        return [from_error("credentials", "AWS credentials", account.no_caller(error))]
    with ThreadPoolExecutor(max_workers=2) as pool:
        left = pool.submit(orphan_findings, account, caller_of(caller), regions, config, spec.prices)
        return [judge_caller(caller), *lab_findings(account, spec), *left.result()]


def without(why: str) -> Finding:
    """Return the finding for an account that was not checked."""
    return Finding("credentials", "EC2", SKIPPED, f"not checked: {why}")


def judge_caller(caller: t.Mapping[str, t.Any]) -> Finding:
    """Judge the caller identity; only the end of the account number is shown."""
    who = caller_of(caller)
    owner, end = who.owner, who.account[-4:]
    facts = {"owner": owner, "account_end": end}
    found = f"{who.name or 'nobody'}, account …{end}"
    if owner == "root":
        do = "make a user for it, and allow it what docs/iam-policy.json has"
        return Finding("credentials", "AWS credentials", WARNING, found, ROOT_NOTE, do, facts)
    return Finding("credentials", "AWS credentials", OK, found, facts=facts)


def lab_findings(account: Account, spec: LabSpec) -> list[Finding]:
    """Check that a lab with these settings could be launched in the region."""
    discovery = Discovery(account, spec)
    try:
        seen = discovery.first()
        begun = begin(spec, seen)
    except LabError as error:
        return [_permissions(error) if error.what == NOT_ALLOWED else from_error("account", "AWS account", error)]
    instance = str((begun.instance or {}).get("InstanceId") or "")
    # The lab's own instance does not count: no second one is launched.
    seen.running = [each for each in seen.running if not instance or each.get("InstanceId") != instance]
    every = [judge_vpc(seen, spec), judge_quota(seen, spec)]
    try:
        # Dry-run the launch even with an instance, which may have to be replaced.
        draft = Draft(begun.owner, None)
        place(spec, seen, draft)
        tried = dict.fromkeys(
            needed("absent", spec.spot), dry_run_targets(spec, seen, draft)._replace(instance_id=instance)
        )
    except LabError as error:
        # It has a finding of its own.
        if not any(finding.verdict == BROKEN for finding in every):
            every.append(from_error("launch", "A machine on EC2", error))
        return every
    try:
        notes = judge(discovery.second(seen, None, draft.image_id, tried))
    except LabError as error:
        every.append(_permissions(error) if error.what == NOT_ALLOWED else from_error("launch", "AWS account", error))
    else:
        found = "all that can be tried are there" if notes else "all are there"
        every.append(Finding("permissions", "AWS permissions", OK, found, facts={"tried": [a.name for a in tried]}))
    return every


def _permissions(error: LabError) -> Finding:
    why = "A lab on EC2 is made, reached and removed with them."
    return Finding("permissions", "AWS permissions", BROKEN, error.why, why, error.do)


def judge_vpc(seen: AccountState, spec: LabSpec) -> Finding:
    """Judge the network of the instance."""
    title, ids = "Default VPC", [str(vpc["VpcId"]) for vpc in seen.vpcs]
    facts = {"vpcs": ids, "subnets": len(seen.subnets), "subnet": spec.subnet}
    if spec.subnet:
        return Finding("vpc", title, OK, f"not needed: the subnet {spec.subnet} was given", facts=facts)
    if not ids:
        why = "A machine stands in it, unless a subnet is given."
        do = f"aws ec2 create-default-vpc --region {spec.region} · or give -e lab_subnet=subnet-…"
        return Finding("vpc", title, BROKEN, f"none in {spec.region}", why, do, facts)
    return Finding("vpc", title, OK, f"{ids[0]}, {len(seen.subnets)} subnets", facts=facts)


def judge_quota(seen: AccountState, spec: LabSpec) -> Finding:
    """Judge the vCPU quota for the first instance type."""
    title, name = "vCPU quota", spec.instance_types[0]
    code = quota_of(name, SPOT if spec.spot else ON_DEMAND)
    limit = seen.quotas.get(code)
    vcpus = {kind.name: kind.vcpus for kind in map(read_instance_type, seen.types)}
    used, need = in_use(code, seen.running, vcpus), vcpus.get(name, 0)
    facts = {"code": code, "limit": limit, "used": used, "needed": need, "type": name}
    if limit is None:
        why = "A launch may be refused for it. Your account did not tell its quotas."
        do = "ask for servicequotas:GetServiceQuota (docs/iam-policy.json), or see Service Quotas in the console"
        return Finding("quota", title, WARNING, f"not known for {name}", why, do, facts)
    found = f"{used} of {limit:g} in use in {spec.region}, {name} takes {need or '?'}"
    if used + need > limit:
        do = f"{quota_increase(code, used + need, spec.region)} · or stop another machine"
        return Finding("quota", title, BROKEN, found, "AWS would refuse to start the machine.", do, facts)
    return Finding("quota", title, OK, found, facts=facts)


def orphan_findings(
    account: Account, caller: Caller, regions: t.Sequence[str], config: str, prices: t.Mapping[str, t.Any]
) -> list[Finding]:
    """Find tagged resources without a lab in each region."""
    rows: list[dict[str, t.Any]] = []
    unseen: list[Finding] = []
    seen: list[str] = []
    for region in regions:
        try:
            client = account.client_in("ec2", region) if account.client_in else account.ec2
            found = [query.everything() for query in _queries(account, client, caller, region, config)]
        except (*botocore_errors(), LabError) as error:
            failure = error if isinstance(error, LabError) else aws_error(error, f"look into {region}", region)
            unseen.append(from_error("orphans", TITLE, failure, WARNING))
            continue
        seen.append(region)
        records = functools.partial(read_or_none, config, region)
        for each in found:
            rows += orphans(each, region, from_table(prices, region, ()), busy_labs(config, region), records)
    return [*(judge_orphans(rows, seen) if seen else []), *unseen]


def _queries(
    account: Account,
    ec2: t.Any,  # noqa: ANN401 - a client of botocore
    caller: Caller,
    region: str,
    config: str,
) -> list[ResourceQuery]:
    """Return the queries of all labs of a caller, and of those made here with other credentials of the account."""
    endpoint, others = endpoint_of(account.clients["sts"]), []
    for directory in sorted(path.parent for path in Path(config, region).glob("*/made.json")) if config else []:
        with contextlib.suppress(LabError, OSError):
            record = read_for(str(directory), caller, region, endpoint)
            if record is not None and record.owner not in (caller.owner, caller.former):
                others.append(ResourceQuery(ec2, record.owner, directory.name))
    return [*(ResourceQuery(ec2, owner) for owner in (caller.owner, caller.former) if owner), *others]


def busy_labs(config: str, region: str) -> set[str]:
    """Return the labs of a region that another run holds; their resources may be incomplete."""
    if not config:
        return set()
    now = datetime.datetime.now().astimezone()
    holds = Path(config, region).glob("*/hold")
    return {hold.parent.name for hold in holds if common_run_lock.take(hold, "", os.getpid(), now, only_look=True)}
