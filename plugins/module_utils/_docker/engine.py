# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker engine that the ``docker`` command reaches: its state, version, address and limits."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .._common.errors import LabError
from .._common.names import object_in
from .api import DEFAULT_ENDPOINT, DENIED, Api, Endpoint, endpoint_of
from .cli import Docker, NotListening

# `uname -m` against the names that images use: https://go.dev/doc/install/source#environment
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}

# Not every kernel and rootless engine supports all of them.
LIMITS = {"memory": "MemoryLimit", "swap": "SwapLimit", "cpus": "CpuCfsQuota", "processes": "PidsLimit"}

# Of Docker Desktop on macOS, below the user's home.
DESKTOP_SOCKET = "/.docker/run/docker.sock"

# Parts of the docker command's error messages, and what they mean. The first match counts.
REASONS = (
    ("wsl integration", "Docker Desktop does not let this Linux use it: its WSL integration is off."),
    ("permission denied (", "The engine's computer does not let this account in by SSH."),
    ("permission denied", DENIED),
    ("no such host", "The name of the engine's computer cannot be resolved."),
    ("connection refused", "Nothing listens at the engine's address."),
    ("no such file", "The engine is not running: its socket is not there."),
    ("is the docker daemon running", "The engine is not running."),
    ("i/o timeout", "The engine's address does not answer in time."),
    ("context deadline exceeded", "The engine's address does not answer in time."),
)


@dataclass(frozen=True)
class Engine:
    """An engine; of one that does not answer, texts are empty and flags false."""

    answers: bool
    denied: bool
    installed: bool
    elsewhere: bool
    platform: str
    endpoint: str
    reason: str
    version: str = ""
    architecture: str = ""
    root: str = ""
    desktop: bool = False
    rootless: bool = False
    memory: int = 0
    cpus: int = 0
    limits: tuple[str, ...] = ()
    log_driver: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The state as a sentence."""
        if self.answers:
            return "Docker Engine answers."
        if self.denied:
            return "Docker Engine runs, but this account may not use it."
        if self.installed:
            return "Docker Engine is installed but not running."
        return "There is no Docker Engine on this computer."


def platform_of(system: str, kernel: str) -> str:
    """Return ``macos``, ``windows`` (WSL) or ``linux``."""
    if system == "Darwin":
        return "macos"
    return "windows" if "microsoft" in kernel.lower() else "linux"


def reason_of(stderr: str) -> str:
    """Return why the engine does not answer, from the docker command's error message."""
    text = stderr.lower()
    for sign, reason in REASONS:
        if sign in text:
            return reason
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else "The docker command says nothing."


def read_engine(
    *, stdout: str, stderr: str, endpoint: Endpoint, has_command: bool, has_daemon: bool, platform: str
) -> Engine:
    """Return the engine from ``docker info --format '{{json .}}'``, which has no ServerVersion if none answers."""
    info = object_in(stdout)
    version = str(info.get("ServerVersion") or "")
    system = str(info.get("OperatingSystem", ""))
    options, architecture = info.get("SecurityOptions"), str(info.get("Architecture") or "")
    reason = "" if version else endpoint.problem or _why_silent(info, stderr or ("" if info else stdout), has_command)
    return Engine(
        answers=bool(version),
        denied=reason == DENIED,
        # One that denies or is slow need not have its daemon where it is sought: a snap has none there.
        installed=has_daemon or bool(version) or reason == DENIED,
        elsewhere=not version and not _is_usual(endpoint.host, platform),
        platform=platform,
        endpoint=endpoint.host,
        reason=reason,
        version=version,
        architecture=ARCHITECTURES.get(architecture, architecture),
        root=str(info.get("DockerRootDir") or ""),
        desktop="Docker Desktop" in system,
        rootless=isinstance(options, list) and "name=rootless" in options,
        memory=_number(info.get("MemTotal")),
        cpus=_number(info.get("NCPU")),
        limits=tuple(name for name, sign in LIMITS.items() if info.get(sign) is True),
        log_driver=str(info.get("LoggingDriver") or ""),
        environment=endpoint.environment,
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _is_usual(endpoint: str, platform: str) -> bool:
    """Return whether it is a default endpoint of the platform."""
    return endpoint == DEFAULT_ENDPOINT or (platform == "macos" and endpoint.endswith(DESKTOP_SOCKET))


def _why_silent(info: dict[str, t.Any], stderr: str, has_command: bool) -> str:
    if not has_command:
        return "The command docker is not installed."
    errors = "\n".join(str(error) for error in info.get("ServerErrors") or [])
    return reason_of(errors or stderr)


# Often not on a user's PATH.
DAEMON_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")


def current_endpoint() -> Endpoint:
    return endpoint_of(os.environ, str(Path.home()))


def engine_api(patience: float) -> Api | None:
    """Return the API of the engine that the docker command would use; None where only the command can ask it."""
    # Without the command there is no engine for labs: it follows logs and builds images.
    endpoint = current_endpoint() if shutil.which("docker") else None
    return Api(endpoint.host, patience) if endpoint and endpoint.direct else None


def query_engine(patience: float, daemon_folders: Sequence[str] = DAEMON_FOLDERS) -> Engine:
    """Query the engine once; one that takes longer than ``patience`` seconds does not answer.

    The docker command is asked only where the engine speaks TLS, or nothing listens at its socket.
    """
    endpoint, stdout, stderr, listens = current_endpoint(), "", "", False
    try:
        if shutil.which("docker") and not endpoint.problem:
            stdout, stderr = _info(endpoint, patience)
    except LabError as error:
        # That nothing listens is no error here.
        stderr, listens = error.why, True
    return engine_here(stdout, stderr, endpoint, daemon_folders, listens=listens)


def _info(endpoint: Endpoint, patience: float) -> tuple[str, str]:
    """Return what ``docker info`` prints, on standard output and standard error."""
    if endpoint.direct:
        with contextlib.suppress(NotListening):
            return json.dumps(Api(endpoint.host, patience).get("/info") or {}), ""
    info = Docker().run("info", "--format", "{{json .}}", timeout=patience)
    return info.stdout, info.stderr


def engine_here(
    stdout: str,
    stderr: str,
    endpoint: Endpoint,
    daemon_folders: Sequence[str] = DAEMON_FOLDERS,
    *,
    listens: bool = False,
) -> Engine:
    """Return the engine of an answer, or of an error, on this computer; ``listens`` is for one without an answer."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *daemon_folders])
    return read_engine(
        stdout=stdout,
        stderr=stderr,
        endpoint=endpoint,
        has_command=bool(shutil.which("docker")),
        has_daemon=listens or bool(shutil.which("dockerd", path=path)),
        platform=platform_of(platform.system(), platform.release()),
    )
