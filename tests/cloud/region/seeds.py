# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds: a folder of Docker's with the lab's images in it, prepared once, of which each machine gets a copy.

It stands for what a machine on AWS pulls from a registry, and takes no time where loading takes half a minute.
What Docker only reads, the layers of images, is not copied: each machine sees it in the seed itself, by links.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker
from docker.errors import ImageNotFound, NotFound

from region import leftovers
from region.claim import FOLDER, Claim, others_live
from region.waiting import wait_until
from region.words import REGION_LABEL, SEED_LABEL, TEST_LABEL

# The lab's image, and those that it is built on: role image looks at all of them to tell whether it is up to date.
IMAGES = ("debian:bookworm-slim", "desi-lab-rootfs:bookworm", "desi-lab-base:0.1.0", "desi-lab:0.1.0")
# Changes with the way in which seeds are prepared.
VERSION = "3"
# Where a machine has the seed.
PLACE = "/var/lib/seed-of-the-stand-in"
# There, if the seed was prepared to the end.
COMPLETE = ".complete"


class Seeds:
    """The prepared folder for the images that this computer has now."""

    def __init__(self, engine: docker.DockerClient, claim: Claim, images: Sequence[str] = IMAGES) -> None:
        self._engine = engine
        self._claim = claim
        self.images = {name: number for name in images if (number := self._number(name))}
        parts = [VERSION, *(f"{name} {number}" for name, number in sorted(self.images.items()))]
        self.key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        self._folder: Path | None = None

    def _number(self, name: str) -> str:
        try:
            return str(self._engine.images.get(name).id)
        except ImageNotFound:
            return ""

    def prepare(self, image: str) -> None:
        """Have the folder. ``image`` is that of a machine, whose package manager knows Docker."""
        if self.images:
            with only_one():
                self._folder = self._found() or self._made(image)

    def sow(self, folder: Path) -> list[str]:
        """Fill the folder of a new machine; return what the machine has to be given besides, as Docker's bind."""
        if self._folder is None:
            return []
        copy(self._folder, folder)
        return [f"{self._volume}:{PLACE}:ro"]

    @property
    def _volume(self) -> str:
        return f"desi-lab-test-seed-{self.key}"

    def _found(self) -> Path | None:
        try:
            folder = Path(self._engine.volumes.get(self._volume).attrs["Mountpoint"])
        except NotFound:
            return None
        return folder if (folder / COMPLETE).exists() else None

    def _made(self, image: str) -> Path:
        # A region that runs beside this one may still sow from an older seed.
        old = [] if others_live() else self._engine.volumes.list(filters={"label": SEED_LABEL})
        for name in {self._volume, *(volume.name for volume in old)}:
            leftovers.remove_volume(self._engine, name)
        folder = Path(self._engine.volumes.create(self._volume, labels={SEED_LABEL: self.key}).attrs["Mountpoint"])
        self._load(image)
        (folder / COMPLETE).touch()
        return folder

    def _load(self, image: str) -> None:
        name = f"{self._claim.name}-seed"
        self._engine.containers.run(
            image,
            ["sh", "-ec", "dnf -qy install docker >/dev/null; exec dockerd --iptables=false --bridge=none"],
            name=name,
            detach=True,
            init=True,
            cap_add=["ALL"],
            cap_drop=["SYS_RESOURCE"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            network_mode="none",
            stop_signal="SIGTERM",
            volumes=[f"{self._volume}:/var/lib/docker"],
            labels={TEST_LABEL: "1", REGION_LABEL: str(self._claim.number)},
        )
        try:
            wait_until(lambda: run(["docker", "exec", name, "docker", "info"]).returncode == 0, 60)
            with subprocess.Popen(["docker", "save", *self.images], stdout=subprocess.PIPE) as save:
                load = run(["docker", "exec", "--interactive", name, "docker", "load"], stdin=save.stdout)
            if save.returncode or load.returncode:
                raise RuntimeError(f"The images could not be loaded for machines. {load.stderr.strip()}")
            # In order, so that its databases are whole.
            self._engine.api.stop(name, timeout=60)
        finally:
            leftovers.remove_container(self._engine, name)


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Let one region at a time prepare a seed; the others then find it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "seed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def copy(source: Path, target: Path) -> None:
    """Copy a folder of Docker's, with links in place of layers."""
    whole = [str(place) for place in source.iterdir() if place.name not in ("overlay2", COMPLETE)]
    done = run(["cp", "--archive", *whole, str(target)])
    if done.returncode:
        raise RuntimeError(f"The images could not be copied for a machine. {done.stderr.strip()}")
    link_layers(source / "overlay2", target / "overlay2")


def link_layers(source: Path, target: Path) -> None:
    """Copy what Docker notes of each layer, and link to what is in it."""
    target.mkdir(mode=0o710)
    shutil.copytree(source / "l", target / "l", symlinks=True)
    for layer in source.iterdir():
        if layer.name == "l" or not layer.is_dir():
            continue
        (target / layer.name).mkdir(mode=0o710)
        for part in layer.iterdir():
            copied = target / layer.name / part.name
            if part.name == "diff":
                copied.symlink_to(f"{PLACE}/overlay2/{layer.name}/diff")
            elif part.is_dir():
                copied.mkdir(mode=0o700)
            else:
                shutil.copy2(part, copied)


def run(command: Sequence[str], stdin: object = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
