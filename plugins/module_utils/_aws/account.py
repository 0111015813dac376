# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Query AWS in parallel, prices included, and report the errors of all queries as one."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._common.errors import LabError
from . import pricing as cost
from .client import WORKERS, clients_of
from .credentials import SECONDS
from .error_messages import FORBIDDEN, OPEN_REGIONS
from .errors import action_in, aws_error, botocore_errors, code_of
from .permissions import refusal

# Without an answer to these, the plan is only less exact.
LITTLE_PATIENCE = {"retries": {"mode": "standard", "max_attempts": 2}, "connect_timeout": 3, "read_timeout": 8}
# Every account may use it, and AWS tells the prices of all regions there.
COMMON_REGION = "us-east-1"
UNKNOWN_KEYS = ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure")

Rows = t.List[t.Dict[str, t.Any]]  # noqa: UP006 - evaluated by Python 3.9, too
Questions = t.Mapping[str, t.Callable[[], t.Any]]


class Answers(t.Dict[str, t.Any]):  # noqa: UP006 - evaluated by Python 3.9, too
    """The answers by query, and the errors of queries without one."""

    def __init__(self, answers: t.Mapping[str, t.Any], errors: t.Mapping[str, Exception]) -> None:
        super().__init__(answers)
        self.errors = errors


class Account:
    """Asks AWS. ``clients`` are those of ec2, sts, ssm, service-quotas and pricing, by name.

    ``sts_elsewhere`` makes a client of sts in a region that every account may use, ``client_in`` one of any service in
    any region.
    """

    def __init__(
        self,
        clients: t.Mapping[str, t.Any],
        region: str,
        sts_elsewhere: t.Callable[[], t.Any] | None = None,
        client_in: t.Callable[[str, str], t.Any] | None = None,
    ) -> None:
        self.clients, self.region, self.sts_elsewhere = clients, region, sts_elsewhere
        self.client_in = client_in
        self.ec2 = clients["ec2"]

    def query(self, questions: Questions, may_lack: t.Container[str] = ()) -> Answers:
        """Run all queries in parallel; refuse with all permissions that are missing, else with the first error."""
        answers: dict[str, t.Any] = {}
        errors: dict[str, Exception] = {}
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            waiting = {name: pool.submit(question) for name, question in questions.items()}
            for name, answer in waiting.items():
                try:
                    answers[name] = answer.result()
                # The others are those of an answer that is not what AWS says it would be.
                except (*botocore_errors(), KeyError, TypeError, ValueError) as error:
                    errors[name] = error
        hard = {name: error for name, error in errors.items() if name not in may_lack}
        if "caller" in hard:
            raise self.no_caller(hard["caller"])
        refused = [error for error in hard.values() if code_of(error) in FORBIDDEN]
        missing = [action_in(str(error), f"ec2:{getattr(error, 'operation_name', '')}") for error in refused]
        if missing:
            raise refusal(missing)
        for error in hard.values():
            raise aws_error(error, "inspect your AWS account", self.region) from error
        return Answers(answers, errors)

    def no_caller(self, error: Exception) -> LabError:
        """Return why the caller is unknown. A region that is not enabled answers as if the credentials were bad."""
        region = self.region
        if code_of(error) in UNKNOWN_KEYS and region not in OPEN_REGIONS and self.sts_elsewhere is not None:
            try:
                self.sts_elsewhere().get_caller_identity()
            except (*botocore_errors(), LabError):
                return aws_error(error, "log in to AWS", region)
            return LabError(
                f"The region {region} cannot be used by this account yet.",
                "An account has to enable it first; your credentials are good elsewhere.",
                f"enable it: aws account enable-region --region-name {region} (it takes minutes), or use us-west-2",
            )
        return aws_error(error, "log in to AWS", region)

    def pages(self, operation: str, key: str, filters: Rows) -> Rows:
        """Return all rows of an answer that may come in pages."""
        paginator = self.ec2.get_paginator(operation)
        return [row for page in paginator.paginate(Filters=filters) for row in page.get(key, [])]

    def instances(self, filters: Rows) -> Rows:
        found = self.pages("describe_instances", "Reservations", filters)
        return [instance for reservation in found for instance in reservation.get("Instances", [])]

    def offerings(self, by: str, filters: Rows) -> Rows:
        """Return the instance types that are offered, by location."""
        paginator = self.ec2.get_paginator("describe_instance_type_offerings")
        pages = paginator.paginate(LocationType=by, Filters=filters)
        return [row for page in pages for row in page.get("InstanceTypeOfferings", [])]

    def quota(self, code: str) -> float | None:
        """Return the value of a quota: the account's own, else the one that every account begins with."""
        quotas = self.clients["service-quotas"]
        try:
            return float(quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])
        except botocore_errors() as error:
            if code_of(error) != "NoSuchResourceException":
                raise
        return float(quotas.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])

    def type_price(self, name: str) -> cost.Price | None:
        return self.price(cost.type_filters(name, self.region), "Hrs")

    def disk_price(self) -> cost.Price | None:
        return self.price(cost.disk_filters(self.region), "GB-Mo")

    def price(self, filters: t.Mapping[str, str], unit: str) -> cost.Price | None:
        terms = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in filters.items()]
        paginator = self.clients["pricing"].get_paginator("get_products")
        pages = paginator.paginate(ServiceCode="AmazonEC2", FormatVersion="aws_v1", Filters=terms)
        return cost.read_price((document for page in pages for document in page.get("PriceList", [])), unit)


def account_of(module: t.Any, seconds: float = SECONDS) -> Account:  # noqa: ANN401 - an AnsibleAWSModule
    """Return the account that the options of a module lead to, with a client for each service that is asked."""
    client = clients_of(module, seconds)
    clients = {service: client(service) for service in ("ec2", "sts", "ssm")}
    clients["service-quotas"] = client("service-quotas", patience=LITTLE_PATIENCE)
    clients["pricing"] = client("pricing", COMMON_REGION, LITTLE_PATIENCE)
    return Account(clients, module.region or "", lambda: client("sts", COMMON_REGION), client)


def where(name: str, *values: str) -> Rows:
    """Return a filter as the EC2 API takes it."""
    return [{"Name": name, "Values": list(values)}]
