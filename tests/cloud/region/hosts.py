# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of machines, built from tests/hosts where what they are made of has changed.

Docker's own cache does not tell that: its builder makes ``ENTRYPOINT []`` anew each time, and all that stands on it.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

from region.words import BASE_IMAGE, HOSTS

CONTEXT_LABEL = "desi.lab.test.context"
# Which folders a machine's image is made of, and how each image on the way is built, in order.
AMAZON = ("amazon", "machine", "amazon_machine")
UBUNTU = ("machine", "ubuntu_machine")
STEPS = {
    "amazon_machine": (("amazon", ("amazon",)), ("amazon_machine", ("--file", "amazon_machine/Dockerfile", "."))),
    "ubuntu_machine": (("ubuntu_machine", ("--file", "ubuntu_machine/Dockerfile", ".")),),
}


def build() -> dict[str, str]:
    """Have the images; return what they are called, by system."""
    base = seen(BASE_IMAGE, "{{.Id}}")
    if not base:
        raise RuntimeError(f"There is no image {BASE_IMAGE}. Run: ./lab test cloud, or ./lab demo, which builds it.")
    for system, folders in (("amazon_machine", AMAZON), ("ubuntu_machine", UBUNTU)):
        wanted = context(base, (HOSTS / folder for folder in folders))
        if seen(called(system), f'{{{{index .Config.Labels "{CONTEXT_LABEL}"}}}}') != wanted:
            for name, how in STEPS[system]:
                docker_build(name, wanted, *how)
    return {system: called(system) for system in STEPS}


def called(system: str) -> str:
    return f"desi-lab-test-{system}"


def context(base: str, folders: Iterable[Path]) -> str:
    """Return a hash of an image's base and of the files that go into it."""
    whole = hashlib.sha256(base.encode())
    for folder in folders:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            told = f"{file.relative_to(HOSTS)} {file.stat().st_mode:o} {hashlib.sha256(file.read_bytes()).hexdigest()}"
            whole.update(told.encode())
    return whole.hexdigest()


def docker_build(system: str, wanted: str, *how: str) -> None:
    """Build an image, and remove the one whose place it takes."""
    name = called(system)
    before = seen(name, "{{.Id}}")
    done = docker("build", "--quiet", "--tag", name, "--label", f"{CONTEXT_LABEL}={wanted}", *how)
    if done.returncode:
        raise RuntimeError(f"The image {name} could not be built. {done.stderr.strip()}")
    if before and before != done.stdout.strip():
        # Where something still stands on it, it stays.
        docker("image", "rm", before)


def seen(image: str, what: str) -> str:
    """Return something of an image, or nothing if there is none."""
    return docker("image", "inspect", "--format", what, image).stdout.strip()


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the docker command and return what it said."""
    return subprocess.run(["docker", *arguments], cwd=HOSTS, capture_output=True, text=True, check=False)
