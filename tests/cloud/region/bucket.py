# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A public bucket: synthetic DESI-shaped data behind an S3 server that machines, and containers in them, can reach."""

from __future__ import annotations

import docker
from docker.errors import ImageNotFound

from region.claim import Claim
from region.words import REGION_LABEL, SAMPLE_IMAGE, SAMPLE_PORT, TEST_LABEL


def run(engine: docker.DockerClient, claim: Claim, network: str) -> str:
    """Run the server; return its URL, or nothing if this computer has no image of it."""
    try:
        container = engine.containers.run(
            SAMPLE_IMAGE,
            name=f"{claim.name}-bucket",
            detach=True,
            network=network,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            tmpfs={"/tmp": "size=64m,mode=1777"},  # noqa: S108 - in the container
            labels={TEST_LABEL: "1", REGION_LABEL: str(claim.number)},
        )
    except ImageNotFound:
        return ""
    container.reload()
    # Not its name: what runs in containers on machines asks another resolver.
    return f"http://{container.attrs['NetworkSettings']['Networks'][network]['IPAddress']}:{SAMPLE_PORT}"
