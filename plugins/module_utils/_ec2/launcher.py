# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ensure that exactly one instance of a lab runs."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._aws.errors import aws_error, botocore_errors, code_of
from .._aws.tags import is_ours, is_worker
from . import launch_errors as texts
from .quotas import refusal
from .record import LaunchRecord
from .run_instances import (
    ALIVE,
    ELSEWHERE,
    STOPS,
    Attempt,
    InstanceSpec,
    facts_of,
    market_of,
    reason_code,
    run_parameters,
    state_of,
    tagged_instances,
    verdict_on,
)

Described = t.Dict[str, t.Any]  # noqa: UP006 - evaluated by Python 3.9, too

POLL_SECONDS = 1.0
# The API may tell of an instance only some seconds after it was made.
SETTLE_SECONDS = 10.0
# Each generation is an instance of this lab that was terminated within the last day or so.
MOST_GENERATIONS = 50
MOST_LOST_ANSWERS = 3


class Unavailable(Exception):
    """The instance is not available in this way."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class LaunchResult:
    """The instance, and how it came to run."""

    instance: dict[str, str]
    how: str
    changed: bool
    tried: list[dict[str, str]]


class Launcher:
    """Ensure that the instance of a lab runs, whatever state it is in."""

    def __init__(
        self,
        ec2: t.Any,  # noqa: ANN401 - a client of botocore, which makes its class at run time
        spec: InstanceSpec,
        region: str = "",
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
        record: LaunchRecord | None = None,
    ) -> None:
        self.ec2, self.spec, self.region, self.sleep, self.clock = ec2, spec, region, sleep, clock
        self.record = record or LaunchRecord()
        self.tried: list[dict[str, str]] = []
        self.from_another_run = False

    def ensure(self, check: bool = False) -> LaunchResult:
        """Find and start the instance, or launch one; in check mode, return which of these."""
        found = self._ours(self.tagged())
        if len(found) > 1:
            raise texts.several_instances(found, self.spec.name)
        if found:
            starts = state_of(found[0]) in STOPS
            kept = LaunchResult(facts_of(found[0]), "started" if starts else "runs", starts, [])
            return kept if check else self._bring_up(found[0], "runs")
        if not self.spec.attempts:
            # Whoever planned saw an instance to be used, and gave no way to make one.
            raise texts.no_attempts()
        first = self.spec.attempts[0]
        planned = {"InstanceType": first.type, "Placement": {"AvailabilityZone": first.zone}}
        facts = {**facts_of(planned), "state": "absent", "market": first.market}
        return LaunchResult(facts, "launched", True, []) if check else self._launch()

    def tagged(self) -> list[Described]:
        """Return the instances that have the tags of the lab and are not terminated, the oldest first."""
        found = tagged_instances(self.ec2, self.spec, "look for the lab's machine", self.region)
        own = [item for item in found if is_ours(item, self.spec.name, self.spec.owner) and not is_worker(item)]
        ours = [item for item in own if state_of(item) in ALIVE]
        return sorted(ours, key=lambda item: (facts_of(item)["launched"], facts_of(item)["id"]))

    # Making one

    def _launch(self) -> LaunchResult:
        end = self.clock() + self.spec.look_seconds
        for attempt in self.spec.attempts:
            if self.clock() >= end:
                raise texts.no_capacity(self.tried, self.region, out_of_time=True)
            try:
                instance = self._run(attempt, end)
                self.record.add_instances([instance])
                return self._only(self._bring_up(instance, "runs" if self.from_another_run else "launched"))
            except Unavailable as error:
                row = {"type": attempt.type, "zone": attempt.zone, "market": attempt.market, "reason": error.reason}
                self.tried.append(row)
        raise texts.no_capacity(self.tried, self.region, out_of_time=False)

    def _run(self, attempt: Attempt, end: float) -> Described:
        """Call RunInstances until there is an instance, or it is known that there will be none."""
        generation = lost = 0
        while True:
            parameters = run_parameters(self.spec, attempt, generation)
            first = self.record.add_launch(parameters["ClientToken"])
            try:
                answer = self.ec2.run_instances(**parameters)
                if state_of(answer["Instances"][0]) in ALIVE:
                    return answer["Instances"][0]
                # It was made by an earlier run, and terminated since.
                verdict, failure = "used", texts.only_terminated()
            except botocore_errors() as error:
                verdict, doing = verdict_on(error), "start a machine for the lab"
                failure = refusal(error, doing, attempt.type, attempt.market, self.region)
                if verdict in ("elsewhere", "stop", "differs") and first and code_of(error):
                    # AWS has made nothing, or has for somebody else who asked with this token.
                    self.record.drop_launch(parameters["ClientToken"])
                if verdict == "elsewhere":
                    raise Unavailable(ELSEWHERE[code_of(error)]) from error
            if verdict in ("again", "differs"):
                found = self._found_within(SETTLE_SECONDS if verdict == "differs" else 0)
                if found:
                    # The same request with other parameters was that of another run.
                    self.from_another_run = verdict == "differs"
                    return self._ours(found)[0]
            lost += verdict == "again"
            generation += verdict in ("used", "differs")
            if verdict == "stop" or lost == MOST_LOST_ANSWERS or generation == MOST_GENERATIONS or self.clock() >= end:
                raise failure
            if verdict == "again":
                self.sleep(2.0**lost)

    def _found_within(self, seconds: float) -> list[Described]:
        end = self.clock() + seconds
        found = self.tagged()
        while not found and self.clock() < end:
            self.sleep(POLL_SECONDS)
            found = self.tagged()
        return found

    def _ours(self, tagged: list[Described]) -> list[Described]:
        """Return the instances that were made from here; refuse if there are only foreign ones."""
        found = [instance for instance in tagged if self.record.knows(instance)]
        if tagged and not found:
            raise texts.foreign_instance(tagged[0], self.spec.name)
        return found

    def _only(self, outcome: LaunchResult) -> LaunchResult:
        """Terminate the instance just launched where another run was first; the oldest stays."""
        # What has the tags alone may be anybody's, and ends nothing of ours.
        found = [instance for instance in self.tagged() if self.record.knows(instance)]
        mine = outcome.instance["id"]
        if len(found) < 2 or facts_of(found[0])["id"] == mine:
            return outcome
        for instance in found:
            if facts_of(instance)["id"] == mine:
                self._terminate(instance)
        return self._bring_up(found[0], "runs")

    def _terminate(self, instance: Described) -> None:
        try:
            if instance.get("SpotInstanceRequestId"):
                # A persistent request would make another instance in its place.
                self.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[instance["SpotInstanceRequestId"]])
            self.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        except botocore_errors() as error:
            raise aws_error(error, f"give up the second machine {instance['InstanceId']}", self.region) from error

    # Bringing one up

    def _bring_up(self, instance: Described, how: str) -> LaunchResult:
        """Wait until the instance runs and has an address; start it if it is stopped."""
        end, settled = self.clock() + self.spec.wait_seconds, 0.0
        while True:
            state = state_of(instance)
            if state == "running" and instance.get("PublicIpAddress"):
                # Only now does EC2 describe its disks.
                self.record.add_instances([instance])
                return LaunchResult(facts_of(instance), how, how != "runs", self.tried)
            if state in ("shutting-down", "terminated") or (state in STOPS and how == "launched"):
                self._raise_ended(instance, how)
            if state == "stopped" and self.clock() >= settled:
                if settled:
                    raise texts.died(instance)
                if self._start(instance):
                    # For a while, the API may go on saying that it is stopped.
                    settled = self.clock() + SETTLE_SECONDS
                how = "started"
            if self.clock() >= end:
                raise texts.too_slow(instance, self.spec.wait_seconds)
            self.sleep(POLL_SECONDS)
            instance = self._describe(instance)

    def _raise_ended(self, instance: Described, how: str) -> t.NoReturn:
        if how == "launched":
            if instance.get("SpotInstanceRequestId"):
                self._terminate(instance)
            if reason_code(instance) == "Server.InsufficientInstanceCapacity":
                raise Unavailable(ELSEWHERE["InsufficientInstanceCapacity"])
        raise texts.died(instance)

    def _start(self, instance: Described) -> bool:
        """Start a stopped instance, and return whether that is known to be under way."""
        try:
            self.ec2.start_instances(InstanceIds=[instance["InstanceId"]])
        except botocore_errors() as error:
            code, verdict = code_of(error), verdict_on(error)
            if code == "IncorrectSpotRequestState":
                raise texts.spot_waits(instance) from error
            if verdict == "elsewhere":
                raise texts.no_place_to_start(instance, ELSEWHERE[code]) from error
            # Somebody else starts or stops it at the same time, or nobody knows: the next look tells.
            if verdict != "again" and code != "IncorrectInstanceState":
                doing = f"start the lab's machine {instance['InstanceId']}"
                raise refusal(error, doing, instance["InstanceType"], market_of(instance), self.region) from error
            return False
        return True

    def _describe(self, instance: Described) -> Described:
        """Return the instance as it is now, or as it was where that is unknown at this moment."""
        try:
            answer = self.ec2.describe_instances(InstanceIds=[instance["InstanceId"]])
            found = [item for reservation in answer["Reservations"] for item in reservation["Instances"]]
        except botocore_errors() as error:
            if code_of(error) != "InvalidInstanceID.NotFound" and verdict_on(error) != "again":
                raise aws_error(error, f"inspect the machine {instance['InstanceId']}", self.region) from error
            found = []
        return found[0] if found else instance
