# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removing what a region has made in Docker: at its end, and, for one that was killed, when the next one starts."""

from __future__ import annotations

import contextlib
from http import HTTPStatus
from pathlib import Path

import docker
from docker.errors import APIError, NotFound

from region.waiting import wait_until
from region.words import REGION_LABEL

CGROUPS = Path("/sys/fs/cgroup")


def remove(engine: docker.DockerClient, number: int) -> None:
    """Remove all that carries the number of a region."""
    mine = {"label": f"{REGION_LABEL}={number}"}
    # Again, for a call that was at work when its region ended may have made something meanwhile.
    while containers := engine.containers.list(all=True, filters=mine, ignore_removed=True):
        for container in containers:
            remove_container(engine, container.name)
    for volume in engine.volumes.list(filters=mine):
        remove_volume(engine, volume.name)
    for network in engine.networks.list(filters=mine):
        with contextlib.suppress(NotFound):
            network.remove()


def remove_container(engine: docker.DockerClient, name: str) -> None:
    with contextlib.suppress(NotFound):
        number = engine.api.inspect_container(name)["Id"]
        # One that is paused cannot be killed.
        with contextlib.suppress(APIError):
            engine.api.unpause(number)
        try:
            engine.api.remove_container(number, force=True, v=True)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            # Somebody else is at it.
            engine.api.wait(number, condition="removed", timeout=60)
        remove_cgroups(number)


def remove_volume(engine: docker.DockerClient, name: str) -> None:
    """Remove a volume if it is there, and what the containers on it have left on this computer."""
    with contextlib.suppress(NotFound):
        volume = engine.volumes.get(name)
        containers = Path(volume.attrs["Mountpoint"]) / "containers"
        nested = [place.name for place in containers.glob("*")] if containers.is_dir() else []
        try:
            volume.remove(force=True)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            # Somebody else is at it.
            wait_until(lambda: not engine.volumes.list(filters={"name": f"^{name}$"}), 60)
        for number in nested:
            remove_cgroups(number)


def remove_cgroups(container: str) -> None:
    """Remove the control groups of a container whose machine had its power cut, which nobody else removes."""
    for top in CGROUPS.glob(f"*/docker/{container}"):
        for place in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                place.rmdir()
        with contextlib.suppress(OSError):
            top.rmdir()
