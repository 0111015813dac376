# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine of the tests: prepared before, cleaned after."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.parts import MARK, Part

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = Path("/var/tmp/desi-lab-test")  # noqa: S108 - one place, so that what a killed run left is found
# There, if an engine runs that was started for the tests, by this run or by one that was killed.
ENGINE_IS_OURS = Path("/run/desi-lab-test-engine")

# What the tests need of the system, as command and Debian package. Not everybody has the folder of sshd on PATH.
NEEDED = {
    "chromium": "chromium",
    "fusermount3": "fuse3",
    "git": "git",
    "ip": "iproute2",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "pgrep": "procps",
    "rsync": "rsync",
    "/usr/sbin/sshd": "openssh-server",
    "unshare": "util-linux",
}


def packages_missing() -> list[str]:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return sorted({package for command, package in NEEDED.items() if shutil.which(command, path=path) is None})


def engine_answers() -> bool:
    return shutil.which("docker") is not None and docker("info") is not None


def docker(*arguments: str) -> list[str] | None:
    """Return the words of docker's output, or None if it fails."""
    run = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return run.stdout.split() if run.returncode == 0 else None


def preparations() -> list[Part]:
    """Return the parts that prepare the machine."""
    parts = []
    packages = packages_missing()
    if packages:
        install = f"apt-get update -q && apt-get install -qy --no-install-recommends {' '.join(packages)}"
        parts.append(Part("packages", ["sh", "-c", install], environment={"DEBIAN_FRONTEND": "noninteractive"}))
    if not engine_answers():
        ENGINE_IS_OURS.touch()
        # The engine is to outlive a run that is killed, as the next run uses it: so it is not marked.
        parts.append(Part("engine", ["env", "-u", MARK, "ansible-playbook", "tests/harness/engine.yml"]))
    return parts


def clean(environment: Mapping[str, str]) -> None:
    """Remove leftovers of tests, also of a run that was killed."""
    end_orphans()
    if engine_answers():
        for kind, remove in (("container", ["rm", "--force", "--volumes"]), ("volume", ["rm"]), ("network", ["rm"])):
            every = ["--all"] if kind == "container" else []
            found = docker(kind, "ls", *every, "--quiet", "--filter", "label=desi.lab.test")
            if found:
                docker(kind, *remove, *found)
        play("clean.yml", environment)
        if ENGINE_IS_OURS.exists():
            play("engine_stop.yml", environment)
    ENGINE_IS_OURS.unlink(missing_ok=True)
    # What is mounted there is not to be deleted.
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        if line.split()[1].startswith(f"{SCRATCH}/"):
            subprocess.run(["umount", "--lazy", line.split()[1]], check=False)
    shutil.rmtree(SCRATCH, ignore_errors=True)


def play(name: str, environment: Mapping[str, str]) -> None:
    """Run a playbook, and print its output only if it failed."""
    command = ["ansible-playbook", str(ROOT / "tests/harness" / name)]
    run = subprocess.run(command, cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False)
    if run.returncode:
        print(run.stdout + run.stderr)


def end_orphans() -> None:
    """Kill marked processes of a run that was killed, except in containers."""
    here = Path("/proc/self/ns/pid").readlink()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            marked = any(word.startswith(MARK.encode()) for word in (place / "environ").read_bytes().split(b"\0"))
            if marked and (place / "ns/pid").readlink() == here:
                os.kill(int(place.name), signal.SIGKILL)
        except OSError:
            continue
