# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines: containers with systemd as init, which boot, go down and take their disk with them as EC2's do."""

from __future__ import annotations

import contextlib
import io
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, NotFound

from region import leftovers
from region.claim import Claim
from region.seeds import Seeds
from region.words import INSTANCE_LABEL, REGION_LABEL, TEST_LABEL

# How long a machine may take to go down before its power is cut.
PATIENCE = 20


@dataclass(frozen=True)
class File:
    """A file that a machine is given before its first boot."""

    path: str
    content: bytes
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True)
class Place:
    """Where a machine that runs is found: its address on the region's network and the number of its init."""

    address: str
    pid: int


class Machines:
    """The containers of one region."""

    def __init__(self, engine: docker.DockerClient, claim: Claim, network: str, seeds: Seeds) -> None:
        self._engine = engine
        self._claim = claim
        self._network = network
        self._seeds = seeds

    def name(self, instance: str) -> str:
        """Return what the container of an instance is called."""
        return f"{self._claim.name}-{instance}"

    def create(self, instance: str, image: str, hostname: str, files: Sequence[File]) -> None:
        """Make a machine that has not booted yet, with images in its Docker's folder, as if it had pulled them."""
        labels = {TEST_LABEL: "1", REGION_LABEL: str(self._claim.number), INSTANCE_LABEL: instance}
        volume = self._engine.volumes.create(self.name(instance), labels=labels)
        seed = self._seeds.sow(Path(volume.attrs["Mountpoint"]))
        api = self._engine.api
        # --privileged would be shorter, but it wants a right that machines for tests often do not have (SYS_RESOURCE).
        host = api.create_host_config(
            cap_add=["ALL"],
            cap_drop=["SYS_RESOURCE"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            cgroupns="host",
            devices=["/dev/fuse"],
            tmpfs={"/run": "", "/tmp": ""},  # noqa: S108 - in the machine
            binds=["/sys/fs/cgroup:/sys/fs/cgroup:rw", f"{volume.name}:/var/lib/docker", *seed],
            network_mode=self._network,
        )
        made = api.create_container(image, name=self.name(instance), hostname=hostname, host_config=host, labels=labels)
        api.put_archive(made["Id"], "/", packed(files))

    def start(self, instance: str) -> Place:
        """Boot a machine."""
        self._engine.api.start(self.name(instance))
        return self.place(instance)

    def stop(self, instance: str) -> None:
        """Ask a machine to go down, and wait until it has."""
        # One that is paused does not hear.
        with contextlib.suppress(APIError):
            self._engine.api.unpause(self.name(instance))
        self._engine.api.stop(self.name(instance), timeout=PATIENCE)

    def restart(self, instance: str) -> Place:
        """Boot a machine anew."""
        self.stop(instance)
        return self.start(instance)

    def freeze(self, instance: str) -> None:
        """Let a machine answer nobody any more, though it runs."""
        self._engine.api.pause(self.name(instance))

    def remove(self, instance: str) -> None:
        """Remove a machine; its disk is left."""
        leftovers.remove_container(self._engine, self.name(instance))

    def remove_disk(self, instance: str) -> None:
        """Remove the disk that a machine has left."""
        leftovers.remove_volume(self._engine, self.name(instance))

    def runs(self, instance: str) -> bool:
        """Return whether a machine is up."""
        try:
            return bool(self._engine.api.inspect_container(self.name(instance))["State"]["Running"])
        except NotFound:
            return False

    def place(self, instance: str) -> Place:
        """Return where a machine that runs is found."""
        seen = self._engine.api.inspect_container(self.name(instance))
        return Place(seen["NetworkSettings"]["Networks"][self._network]["IPAddress"], seen["State"]["Pid"])


def packed(files: Sequence[File]) -> bytes:
    """Return files as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(file.content), file.mode, int(time.time())
            entry.uid = entry.gid = file.owner
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()
