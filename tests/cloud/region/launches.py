# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RunInstances and the other verbs, as EC2 takes them: a client token counts, a quota holds, states are minded."""

from __future__ import annotations

import copy
import threading
from typing import Any

import moto.ec2.models.elastic_network_interfaces as moto_interfaces
import moto.ec2.models.instances as moto_instances
from moto.ec2.exceptions import EC2ClientError

from region import orders
from region.addresses import Addresses
from region.faults import Faults
from region.life import Life, instances
from region.missing import standard_vcpus

# What moto takes for the token of a call that has none.
NO_TOKEN = "ABCDE"  # noqa: S105 - nothing secret

RUN = moto_instances.InstanceBackend.run_instances
REBOOT = moto_instances.Instance.reboot


class Launches:
    """What stands in for moto's own ways with instances."""

    def __init__(self, life: Life, faults: Faults, addresses: Addresses) -> None:
        self._life = life
        self._faults = faults
        self._addresses = addresses
        self._lock = threading.Lock()
        # What was launched by a token, and what it was asked for.
        self._launched: dict[tuple[str, str], tuple[str, Any]] = {}

    def install(self) -> None:
        """Put them in moto's place. Names of parameters stay: moto's spot requests give them by name."""
        life, run = self._life, self.run

        def run_instances(
            self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **more: Any
        ) -> Any:
            return run(self, image_id, count, user_data, security_group_names, more)

        def start(self: Any) -> Any:
            demand(self, "started", "stopped", "running", "pending")
            return life.start(self) if self.state == "stopped" else copy.copy(self._state)

        def stop(self: Any) -> Any:
            demand(self, "stopped", "running", "stopped", "stopping")
            return life.stop(self) if self.state == "running" else copy.copy(self._state)

        def terminate(self: Any) -> Any:
            ended = self.state in ("terminated", "shutting-down")
            return copy.copy(self._state) if ended else life.terminate(self)

        def reboot(self: Any) -> None:
            demand(self, "rebooted", "running")
            REBOOT(self)
            life.reboot(self)

        moto_instances.InstanceBackend.run_instances = run_instances
        for method in (start, stop, terminate, reboot):
            setattr(moto_instances.Instance, method.__name__, method)
        moto_interfaces.random_public_ip = self._addresses.new

    def run(self, backend: Any, image: str, count: int, data: Any, groups: list[str], more: dict[str, Any]) -> Any:
        """Launch instances, or return those that were launched by the same token."""
        token = more.get("client_token") or NO_TOKEN
        asked = repr((image, count, str(data or ""), sorted(groups), sorted(more.items(), key=str)))
        with self._lock:
            if token != NO_TOKEN and (backend.region_name, token) in self._launched:
                before, reservation = self._launched[backend.region_name, token]
                if before != asked:
                    raise EC2ClientError(
                        "IdempotentParameterMismatch",
                        "Arguments on this idempotent request are inconsistent with arguments used in previous "
                        "request(s).",
                    )
                return reservation
            orders.check(backend, image, more)
            orders.complete(backend, more)
            if not more.get("instance_market_options"):
                self._mind_quota(backend, more["instance_type"], count)
            reservation = RUN(backend, image, count, data, groups, **more)
            self._launched[backend.region_name, token] = asked, reservation
            for instance in reservation.instances:
                orders.settle(instance, more)
            waits = [self._life.run(instance) for instance in reservation.instances]
        for wait in waits:
            wait()
        return reservation

    def _mind_quota(self, backend: Any, instance_type: str, count: int) -> None:
        limit = standard_vcpus(self._faults)
        live = [one for one in instances() if one.ec2_backend is backend and one.state in ("pending", "running")]
        used = sum(vcpus(backend, one.instance_type) for one in live if one.lifecycle != "spot")
        if used + count * vcpus(backend, instance_type) > limit:
            raise EC2ClientError(
                "VcpuLimitExceeded",
                f"You have requested more vCPU capacity than your current vCPU limit of {limit:g} allows for the "
                "instance bucket that the specified instance type belongs to. Please visit "
                "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
            )


def demand(instance: Any, verb: str, *states: str) -> None:
    """Raise as EC2 does if an instance is in none of the states."""
    if instance.state not in states:
        raise EC2ClientError(
            "IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be {verb}."
        )


def vcpus(backend: Any, instance_type: str) -> int:
    """Return the vCPUs of a type; of one that is not known, one."""
    known = backend.describe_instance_types([instance_type])
    return int(known[0]["VCpuInfo"]["DefaultVCpus"]) if known else 1
