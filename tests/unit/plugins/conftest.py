# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import uuid

import pytest

# Any image with a shell does; none is pulled.
IMAGES = ("desi-lab-rootfs:bookworm", "desi-lab-base:0.1.0", "debian:bookworm-slim")


@pytest.fixture(scope="session")
def docker_image() -> str:
    """The name of an image on this machine that has a shell."""
    for image in IMAGES:
        if subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True).returncode == 0:
            return image
    pytest.skip(f"none of the images {', '.join(IMAGES)} is here")


@pytest.fixture
def container(docker_image):
    """Make containers by container(shell_script, *options_of_docker_run); all are gone after the test."""
    names = []

    def make(script: str | None, *options: str, may_fail: bool = False) -> str:
        name = f"desi-lab-test-{uuid.uuid4().hex[:12]}"
        names.append(name)
        command = ["no-such-command"] if script is None else ["sh", "-c", script]
        run = ["docker", "run", "--detach", "--name", name, *options, "--entrypoint", command[0]]
        subprocess.run([*run, docker_image, *command[1:]], check=not may_fail, capture_output=True)
        return name

    yield make
    for name in names:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], check=False, capture_output=True)
