# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the ``docker`` command for its engine."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Docker
from ansible_collections.desi.lab.plugins.module_utils._docker.engine import Engine, platform_of, read_engine

# A daemon's folder is not on every user's PATH.
DAEMON_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")


def endpoint_of(docker: Docker, environment: str, patience: float) -> str:
    """Return the address of the engine that was chosen; ``environment`` is what DOCKER_HOST says."""
    shown = docker.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", timeout=patience)
    # What stands in for docker in WSL, where it is not set up, prints a text instead.
    return shown.stdout.strip() if shown.returncode == 0 and "://" in shown.stdout else environment


def find_engine(patience: float, daemon_folders: Sequence[str] = DAEMON_FOLDERS) -> Engine:
    """Ask the docker command once. An engine that hangs for so many seconds is as good as none."""
    docker, has_command = Docker(), bool(shutil.which("docker"))
    stdout, stderr, endpoint = "", "", os.environ.get("DOCKER_HOST", "")
    if has_command:
        try:
            endpoint = endpoint_of(docker, endpoint, patience)
            info = docker.run("info", "--format", "{{json .}}", timeout=patience)
            stdout, stderr = info.stdout, info.stderr
        except LabError as error:
            stderr = error.why
    return read_engine(
        stdout=stdout,
        stderr=stderr,
        endpoint=endpoint,
        has_command=has_command,
        has_daemon=bool(shutil.which("dockerd", path=os.pathsep.join([os.environ.get("PATH", ""), *daemon_folders]))),
        platform=platform_of(platform.system(), platform.release()),
    )
