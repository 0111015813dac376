# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of machines: what happens to a container when moto's instance is run, started, stopped and so on."""

from __future__ import annotations

import copy
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import moto.ec2.models.instances as moto_instances
from moto.ec2.models import ec2_backends

from region.equipment import files_of, system_of
from region.faults import Faults
from region.firewall import Reached, rules_of
from region.machines import Machines, Place
from region.words import ACCOUNT

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
# A call waits this long for the machine to follow, for callers who have to ask again do so at long intervals.
SETTLED = 8.0
SSH = 22

# moto's own, before rooms of the region stand in for them.
STOP = moto_instances.Instance.stop
START = moto_instances.Instance.start
TERMINATE = moto_instances.Instance.terminate


@dataclass
class Body:
    """What the region knows of an instance's machine."""

    place: Place | None = None
    booted: float = 0.0
    silent: bool = False
    # Held while the machine is brought from one state to another.
    lock: threading.RLock = field(default_factory=threading.RLock)


class Life:
    """The machines of all instances."""

    def __init__(self, machines: Machines, images: dict[str, str], faults: Faults) -> None:
        self._machines = machines
        self._images = images
        self._faults = faults
        self._bodies: dict[str, Body] = {}
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Let nothing come alive any more: all machines are about to be removed."""
        self._closed = True

    def body(self, instance: Any) -> Body:
        """Return what is known of an instance's machine."""
        with self._lock:
            return self._bodies.setdefault(instance.id, Body())

    # What the calls do. Each returns the state before, as moto's own methods do.

    def run(self, instance: Any) -> Callable[[], None]:
        """Let a new instance come alive; return what waits for that."""
        return self._come_up(instance, first=True)

    def start(self, instance: Any) -> Any:
        """Start an instance that is stopped, at a new address."""
        before = START(instance)
        self._come_up(instance, first=False)()
        return before

    def _come_up(self, instance: Any, *, first: bool) -> Callable[[], None]:
        set_state(instance, "pending")
        slow = self._faults.use("slow_boot")
        waits = self._soon(instance, lambda: self._boot(instance, first=first), slow["seconds"] if slow else 0)
        return (lambda: None) if slow else waits

    def stop(self, instance: Any) -> Any:
        """Stop an instance that runs; its address goes at once."""
        before = STOP(instance)
        set_state(instance, "stopping")
        self._soon(instance, lambda: self._halt(instance))()
        return before

    def terminate(self, instance: Any) -> Any:
        """Terminate an instance, whatever it does."""
        before = TERMINATE(instance)
        set_state(instance, "shutting-down")
        self._soon(instance, lambda: self._remove(instance))()
        return before

    def reboot(self, instance: Any) -> None:
        """Reboot an instance, which keeps its address."""
        self._soon(instance, lambda: self._again(instance))

    # What happens to machines by themselves.

    def died(self, number: str, code: int) -> None:
        """See to a machine whose init has ended, with the code of its container."""
        instance = find(number)
        if instance is None:
            return
        body = self.body(instance)
        with body.lock:
            # Else it was told to, by a call that saw to everything.
            if instance.state != "running" or self._closed or self._machines.runs(instance.id):
                return
            body.place = None
            # The kernel tells the parent of an init that reboots by SIGHUP, and of one that powers off by SIGINT.
            if code == 129:
                self._up(instance, self._machines.start)
            elif instance.instance_initiated_shutdown_behavior == "terminate":
                self._end(instance, "terminated", "Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
            else:
                self._end(instance, "stopped", "Client.InstanceInitiatedShutdown", "Instance initiated shutdown")

    def _end(self, instance: Any, state: str, code: str, message: str) -> None:
        reason = moto_instances.StateReason(f"{code}: {message}", code)
        if state == "stopped":
            STOP(instance)
            set_state(instance, "stopping", reason)
            self._halt(instance)
        else:
            TERMINATE(instance)
            set_state(instance, "shutting-down", reason)
            self._remove(instance)

    def _die(self, instance: Any, state: str, booted: float) -> None:
        body = self.body(instance)
        with body.lock:
            # It may have been stopped, or have booted anew, since.
            if instance.state != "running" or body.booted != booted:
                return
            if state == "silent":
                self._machines.freeze(instance.id)
                body.silent = True
            else:
                self._end(instance, state, "Server.InternalError", "Internal error on launch")

    # What is done to containers, with the body's lock held.

    def _boot(self, instance: Any, *, first: bool) -> None:
        # Somebody may have terminated it meanwhile.
        if instance.state != "pending" or self._closed:
            return
        if first:
            image, name = self._images[system_of(instance)], instance.private_dns_name.split(".")[0]
            files = files_of(
                instance,
                wrong_key=self._faults.use("ssh_rejects_key") is not None,
                own_host_key=self._faults.use("ssh_another_host") is not None,
            )
            self._machines.create(instance.id, image, name, files)
        self._up(instance, self._machines.start)
        set_state(instance, "running")

    def _up(self, instance: Any, how: Callable[[str], Place]) -> None:
        body = self.body(instance)
        body.place = how(instance.id)
        # By this machines reach each other, as in a VPC.
        instance.nics[0].private_ip_address = body.place.address
        body.booted = time.monotonic()
        body.silent = False
        dies = self._faults.use("dies")
        if dies:
            what = (instance, dies.get("as", "terminated"), body.booted)
            timer = threading.Timer(dies["seconds"], self._die, what)
            timer.daemon = True
            timer.start()

    def _halt(self, instance: Any) -> None:
        if instance.state == "stopping":
            self._machines.stop(instance.id)
            self.body(instance).place = None
            set_state(instance, "stopped")

    def _again(self, instance: Any) -> None:
        if instance.state == "running":
            self._up(instance, self._machines.restart)

    def _remove(self, instance: Any) -> None:
        self.body(instance).place = None
        self._machines.remove(instance.id)
        set_state(instance, "terminated")
        # Nobody waits for that, and it takes a second.
        threading.Thread(target=self._machines.remove_disk, args=(instance.id,), daemon=True).start()

    def _soon(self, instance: Any, work: Callable[[], None], seconds: float = 0) -> Callable[[], None]:
        body = self.body(instance)

        def run() -> None:
            time.sleep(seconds)
            try:
                with body.lock:
                    work()
            except Exception:  # there is nobody to hand it to: it is told, and the instance ends as AWS ends such
                traceback.print_exc()
                with body.lock:
                    self._end(instance, "terminated", "Server.InternalError", "Internal error on launch")

        thread = threading.Thread(target=run, name=instance.id, daemon=True)
        thread.start()
        return lambda: thread.join(SETTLED)

    # What the firewall sees.

    def reached(self) -> Iterator[Reached]:
        """Yield the machines that callers can reach right now."""
        late = self._faults.seen("ssh_late")
        refused = self._faults.seen("ssh_refused")
        for instance in instances():
            body = self.body(instance)
            if instance.state == "running" and instance.public_ip and body.place:
                waits = late is not None and time.monotonic() < body.booted + late["seconds"]
                groups = {group.id: group for nic in instance.nics.values() for group in nic.group_set}
                closed = frozenset({SSH}) if refused or waits else frozenset()
                yield Reached(instance.public_ip, body.place, rules_of(groups.values()), closed, body.silent)


def instances() -> list[Any]:
    """Return all of moto's instances, of every AWS region."""
    return [instance for backend in list(ec2_backends[ACCOUNT].values()) for instance in backend.all_instances()]


def find(number: str) -> Any | None:
    return next((instance for instance in instances() if instance.id == number), None)


def set_state(instance: Any, name: str, reason: Any = None) -> None:
    """Let an instance be in a state; what moto has handed out as the state before stays as it is."""
    if reason is not None:
        instance.state_reason, instance._reason = reason, ""
    instance._state = copy.copy(instance._state)
    instance._state.name, instance._state.code = name, CODES[name]
