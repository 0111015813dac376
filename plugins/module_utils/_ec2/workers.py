# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launch and terminate the machines of a lab's Dask workers, in a security group without foreign ingress rules."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._aws.errors import aws_error, botocore_errors, code_of
from .._aws.tags import as_tag_list, is_ours, lab_tags
from .._common.errors import LabError
from .._common.humanize import amount
from .quotas import USED_UP
from .record import GROUP, LaunchRecord
from .run_instances import (
    ELSEWHERE,
    RUNS,
    Attempt,
    InstanceSpec,
    facts_of,
    run_parameters,
    state_of,
    tagged_instances,
    verdict_on,
)
from .security_group import SSH_PORT, has_foreign_ingress, workers_group
from .workers_plan import lab_workers

Described = t.Mapping[str, t.Any]

# SSH through the lab's machine, the image and the scheduler on that, and processes on the machines of workers.
SCHEDULER_PORTS = (8785, 8786)
PORTS = ((SSH_PORT, SSH_PORT), SCHEDULER_PORTS, (9000, 9255))
POLL_SECONDS = 1.0
MOST_GENERATIONS = 20
MOST_LOST_ANSWERS = 3


@dataclass(frozen=True)
class Result:
    """The workers that a lab has now, surplus ones, and why there are fewer than requested."""

    workers: list[dict[str, str]]
    surplus: list[str]
    launched: list[str]
    short: list[str]

    @property
    def changed(self) -> bool:
        return bool(self.launched)


class Workers:
    """The workers of a lab. ``spec`` is what one is launched from; its image, key and place are those of the lab."""

    def __init__(
        self,
        ec2: t.Any,  # noqa: ANN401 - a client of botocore, which makes its class at run time
        spec: InstanceSpec,
        lab: str,
        region: str = "",
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
        record: LaunchRecord | None = None,
    ) -> None:
        self.ec2, self.spec, self.lab, self.region = ec2, spec, lab, region
        self.sleep, self.clock = sleep, clock
        self.record = record or LaunchRecord()
        self.short: list[str] = []

    def ensure(self, count: int, least: int, kind: str, markets: t.Sequence[str], memory: str = "") -> Result:
        """Launch what is missing, and return surplus workers. With fewer than ``least``, none is launched."""
        tagged = self._tagged()
        lab, found = self._lab(tagged), self._known(tagged)
        self.record.set_workers(count, kind, memory)
        launched: list[Described] = []
        if count > len(found):
            self.spec = replace(
                self.spec,
                group_id=self._group(lab),
                image_id=str(lab["ImageId"]),
                root_device=str(lab.get("RootDeviceName") or "/dev/xvda"),
                key_name=str(lab.get("KeyName") or ""),
                beside=tuple(one["InstanceId"] for one in found),
            )
            try:
                launched = self._launched(lab, found, count, least, kind, markets)
            except LabError:
                self._terminate_new(found)
                raise
        rows = [facts_of(one) for one in [*found, *launched]]
        surplus = [row["id"] for row in rows[count:]]
        return Result(rows[:count], surplus, [one["InstanceId"] for one in launched], self.short)

    def plan(self, count: int) -> Result:
        """Return the existing and the surplus workers, without a change."""
        rows = [facts_of(one) for one in self._known(self._tagged())]
        return Result(rows[:count], [row["id"] for row in rows[count:]], [], [])

    def terminate(self, ids: t.Sequence[str]) -> list[str]:
        """Terminate workers by their ids, and return those. Nothing else is touched, whatever it is called."""
        tagged = self._tagged() if ids else []
        ours = [one for one in self._known(tagged) if one["InstanceId"] in ids]
        gone = [one["InstanceId"] for one in ours]
        if gone:
            try:
                self.ec2.terminate_instances(InstanceIds=gone)
                requests = [one["SpotInstanceRequestId"] for one in ours if one.get("SpotInstanceRequestId")]
                if requests:
                    self.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=requests)
            except botocore_errors() as error:
                raise aws_error(error, "end workers of the lab", self.region) from error
        return gone

    def _launched(
        self, lab: Described, found: t.Sequence[Described], count: int, least: int, kind: str, markets: t.Sequence[str]
    ) -> list[Described]:
        """Launch what is missing besides ``found``, and return it once it runs."""
        missing = count - len(found)
        launched = self._launch(lab, missing, kind, markets)
        if len(launched) < missing and not self.short:
            self.short.append(f"AWS has {len(launched)} of {amount(missing, 'machine')} at this moment")
        if len(found) + len(launched) < min(least, count):
            raise self._too_few(len(launched), missing)
        return self._wait(launched)

    def _terminate_new(self, found: t.Sequence[Described]) -> None:
        """Terminate all that was launched besides ``found``, also where the answer to a launch was lost."""
        before = {one["InstanceId"] for one in found}
        self.terminate([one["InstanceId"] for one in self._known(self._tagged()) if one["InstanceId"] not in before])

    def _tagged(self) -> list[Described]:
        return tagged_instances(self.ec2, self.spec, "look for the lab's workers", self.region)

    def _known(self, tagged: t.Sequence[Described]) -> list[Described]:
        return [one for one in lab_workers(tagged, self.spec.name, self.spec.owner) if self.record.knows(one)]

    def _lab(self, tagged: t.Sequence[Described]) -> Described:
        found = next((one for one in tagged if one["InstanceId"] == self.lab and state_of(one) == "running"), None)
        if found is None:
            raise LabError(
                f"The lab {self.spec.name} cannot have workers.",
                f"Its machine {self.lab} does not run.",
                "Run the same command again: it starts it.",
            )
        return found

    # The group

    def _group(self, lab: Described) -> str:
        """Ensure the group, with the lab's machine in it, and return its id."""
        name, vpc = workers_group(self.spec.name), str(lab["VpcId"])
        named = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc]}]
        try:
            found = self.ec2.describe_security_groups(Filters=named)["SecurityGroups"]
            if found and not is_ours(found[0], self.spec.name, self.spec.owner):
                raise LabError(
                    f"The lab {self.spec.name} cannot have workers.",
                    f"There is a security group {name} that is not this lab's, and it is never changed.",
                    "Delete it in the console if nobody needs it, or use another name: -e lab_name=NAME",
                )
            if found and has_foreign_ingress(found[0]):
                raise LabError(
                    f"The lab {self.spec.name} cannot have workers.",
                    f"Its security group {name} lets in others than the lab's own machines.",
                    "Remove those rules in the AWS console, then run this again.",
                )
            number = str(found[0]["GroupId"]) if found else self._make_group(name, vpc)
            self._let_in(number, found[0].get("IpPermissions") or [] if found else [])
            groups = [str(group["GroupId"]) for group in lab.get("SecurityGroups") or []]
            if number not in groups:
                self.ec2.modify_instance_attribute(InstanceId=self.lab, Groups=[*groups, number])
        except botocore_errors() as error:
            raise aws_error(error, "make the security group of the lab's workers", self.region) from error
        return number

    def _make_group(self, name: str, vpc: str) -> str:
        tags = as_tag_list(lab_tags(self.spec.name, self.spec.owner))
        text = f"DESI Lab {self.spec.name}: its machine and its Dask workers, and nobody else"
        made = self.ec2.create_security_group(
            GroupName=name,
            Description=text,
            VpcId=vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
        )
        self.record.add_resources([{"kind": GROUP, "id": str(made["GroupId"])}])
        return str(made["GroupId"])

    def _let_in(self, group: str, present: t.Sequence[Described]) -> None:
        there = {
            (rule.get("FromPort"), rule.get("ToPort"))
            for rule in present
            if any(pair.get("GroupId") == group for pair in rule.get("UserIdGroupPairs") or [])
        }
        missing = [ports for ports in PORTS if ports not in there]
        if missing:
            peers = [{"GroupId": group, "Description": "The lab and its Dask workers"}]
            rules = [
                {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, "UserIdGroupPairs": peers}
                for first, last in missing
            ]
            self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)

    # Launching

    def _launch(self, lab: Described, missing: int, kind: str, markets: t.Sequence[str]) -> list[Described]:
        """Launch in one market after the other until there are enough; note what AWS has no capacity for."""
        launched: list[Described] = []
        zone, subnet = facts_of(lab)["zone"], str(lab["SubnetId"])
        for market in markets:
            if len(launched) == missing:
                break
            attempt = Attempt(kind, zone, subnet, market)
            beside = (*self.spec.beside, *(one["InstanceId"] for one in launched))
            spec = replace(self.spec, workers=missing - len(launched), beside=beside)
            try:
                launched += self._run(spec, attempt)
            except LabError as error:
                self.short.append(f"{market}: {error.why}")
        return launched

    def _run(self, spec: InstanceSpec, attempt: Attempt) -> list[Described]:
        generation = lost = 0
        while True:
            parameters = run_parameters(spec, attempt, generation)
            first = self.record.add_launch(parameters["ClientToken"])
            try:
                made = self.ec2.run_instances(**parameters)["Instances"]
                alive = [one for one in made if state_of(one) in RUNS]
                if alive:
                    self.record.add_instances(alive)
                    return alive
                verdict, failure = "used", LabError("No worker was launched.", "AWS ended them at once.", "try again")
            except botocore_errors() as error:
                verdict, failure = verdict_on(error), aws_error(error, "start workers of the lab", self.region)
                code = code_of(error)
                # AWS has made nothing, or has for somebody else who asked with this token.
                if verdict in ("elsewhere", "stop", "differs") and first and code:
                    self.record.drop_launch(parameters["ClientToken"])
                if verdict == "elsewhere" or code in USED_UP:
                    why = ELSEWHERE.get(code, "the quota of the account is used up")
                    raise LabError("No worker was launched.", why, failure.do) from error
                if verdict == "stop":
                    raise failure from error
            lost += verdict == "again"
            generation += verdict in ("used", "differs")
            if lost == MOST_LOST_ANSWERS or generation == MOST_GENERATIONS:
                raise failure
            if verdict == "again":
                self.sleep(2.0**lost)

    def _too_few(self, launched: int, missing: int) -> LabError:
        why = "; ".join(self.short)
        return LabError(
            f"AWS has {launched or 'none'} of the {amount(missing, 'machine')} for workers at this moment.",
            f"{why[:1].upper()}{why[1:]}. Those that it had are ended again." if launched else f"{why}.",
            "try again later · give another type: -e lab_worker_type=… · or take what there is: -e lab_workers_least=1",
        )

    def _wait(self, launched: t.Sequence[Described]) -> list[Described]:
        """Wait until each runs; note and leave out one that is terminated meanwhile."""
        ids, end = [one["InstanceId"] for one in launched], self.clock() + self.spec.wait_seconds
        while True:
            found = {one["InstanceId"]: one for one in self._tagged()}
            there = [found[number] for number in ids if number in found and state_of(found[number]) in RUNS]
            ready = [one for one in there if state_of(one) == "running" and one.get("PrivateIpAddress")]
            if ready == there and found.keys() >= set(ids):
                self.record.add_instances(there)
                if len(there) < len(ids):
                    self.short.append(f"{amount(len(ids) - len(there), 'machine')} ended while being started")
                return there
            if self.clock() >= end:
                raise LabError(
                    "The machines of workers are not ready.",
                    f"After {self.spec.wait_seconds:g} seconds AWS does not say that all of them run. They are ended.",
                    "Run the same command again.",
                )
            self.sleep(POLL_SECONDS)
