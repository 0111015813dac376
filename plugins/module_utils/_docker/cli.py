# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Typed access to the ``docker`` command line, which alone knows the user's contexts, DOCKER_HOST and credentials."""

from __future__ import annotations

import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any, Callable

from .._common.bounded_command import run_bounded
from .._common.errors import LabError

_NAME = re.compile(r"/?[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_ABSENT = re.compile(r"no such (?:container|object|network)|network \S+ not found", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"cannot connect to the docker daemon|is the docker daemon running|connection refused|no such host"
    r"|error during connect|failed to connect|i/o timeout",
    re.IGNORECASE,
)
_READ_SIZE = 1 << 16
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Container:
    """The fields of ``docker inspect`` that a lab needs."""

    id: str
    name: str
    image: str
    status: str
    exit_code: int
    error: str
    oom_killed: bool
    started_at: str
    finished_at: str
    restart_count: int
    labels: Mapping[str, str] = field(default_factory=dict)
    # Not in the repr: these often hold secrets.
    command: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    tty: bool = False
    # In the container, of those that are published.
    ports: tuple[int, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether it ran and nothing will start it again."""
        return self.status in ("exited", "dead", "removing")

    @classmethod
    def from_inspect(cls, raw: Mapping[str, Any]) -> Container:
        """Read one element of what ``docker inspect`` prints."""
        state: Mapping[str, Any] = raw.get("State") or {}
        config: Mapping[str, Any] = raw.get("Config") or {}
        host: Mapping[str, Any] = raw.get("HostConfig") or {}
        return cls(
            id=str(raw.get("Id") or ""),
            name=str(raw.get("Name") or "").lstrip("/"),
            image=str(config.get("Image") or raw.get("Image") or ""),
            status=str(state.get("Status") or "").lower(),
            exit_code=int(state.get("ExitCode") or 0),
            error=str(state.get("Error") or ""),
            oom_killed=bool(state.get("OOMKilled")),
            started_at=str(state.get("StartedAt") or ""),
            finished_at=str(state.get("FinishedAt") or ""),
            restart_count=int(raw.get("RestartCount") or 0),
            command=(str(raw.get("Path") or ""), *(str(word) for word in raw.get("Args") or ())),
            labels=dict(config.get("Labels") or {}),
            env=dict(entry.partition("=")[::2] for entry in config.get("Env") or []),
            tty=bool(config.get("Tty")),
            ports=tuple(
                int(port)
                for port, _, kind in (str(key).partition("/") for key in host.get("PortBindings") or {})
                if kind in ("", "tcp") and port.isdigit()
            ),
        )


class EngineUnavailable(LabError):
    """Docker is not installed, does not run, or may not be used."""


class NotListening(EngineUnavailable):
    """Nothing listens at the endpoint, so that nothing runs."""


class LogStream:
    """The output of ``docker logs``, standard output and standard error in order."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        self._process = process
        self._pipe = pipe

    def read(self, timeout: float) -> bytes | None:
        """Return the bytes at hand: b"" at the end of the log, None after timeout seconds."""
        # poll, not select: select refuses descriptors of 1024 and up.
        poller = select.poll()
        poller.register(self._pipe, select.POLLIN | select.POLLHUP)
        if not poller.poll(max(0.0, timeout) * 1000):
            return None
        return os.read(self._pipe.fileno(), _READ_SIZE)

    def exit_code(self) -> int | None:
        """Return the exit code of ``docker logs``, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        return self._process.returncode


class Docker:
    """The ``docker`` command line."""

    def __init__(self, command: Sequence[str] = ("docker",)) -> None:
        self._command = list(command)

    def run(self, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run ``docker ARGS``; the caller checks the exit code."""
        try:
            return subprocess.run(
                [*self._command, *args],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
            )
        except OSError as error:
            raise _cannot_start(error) from error
        except subprocess.TimeoutExpired as error:
            raise EngineUnavailable(
                "Docker did not answer.",
                f"The command 'docker {args[0]}' gave no answer within {timeout:g} seconds.",
                "see whether 'docker info' answers in a terminal; if it does not, restart Docker",
            ) from error

    def output(self, *args: str, timeout: float = 60) -> str:
        """Run ``docker ARGS`` and return what it prints; an exit code other than 0 is a LabError."""
        done = self.run(*args, timeout=timeout)
        if done.returncode != 0:
            raise refused(args[0], done.stderr)
        return done.stdout

    def find(self, kind: str, name: str) -> Any:  # noqa: ANN401 - checked by whoever asked
        """Return the container or the network of that name, None if there is none."""
        done = self.run(kind, "inspect", "--", checked_name(name))
        if done.returncode != 0:
            if _ABSENT.search(done.stderr):
                return None
            raise refused(f"{kind} inspect", done.stderr)
        try:
            return dict(json.loads(done.stdout)[0])
        except (ValueError, LookupError, TypeError) as error:
            raise not_inspected(name) from error

    def names(self, beginning: str) -> list[str]:
        """Return the names of all containers that begin like this, whoever made them."""
        return self.output("ps", "--all", "--filter", f"name=^{beginning}", "--format", "{{.Names}}").splitlines()

    def changes(self, name: str) -> list[dict[str, Any]]:
        """Return what was changed in the file system of a container, as rows of ``Path`` and ``Kind``."""
        lines = (line.partition(" ") for line in self.output("diff", checked_name(name)).splitlines())
        return [{"Path": path, "Kind": "CAD".find(kind)} for kind, _, path in lines]

    def archive(self, name: str, path: str, limit: int) -> bytes:
        """Return a path in a container as a tar archive, cut at a limit; nothing if the path is not there."""
        return self._bounded(limit, 60, "cp", f"{checked_name(name)}:{path}", "-")

    def commands(self, container: Mapping[str, Any]) -> list[str]:
        """Return the commands that run in an inspected container beside its own."""
        lines = self.output("top", checked_name(str(container["Id"])), "-eo", "pid,ppid,args").splitlines()[1:]
        rows = [line.split(None, 2) for line in lines]
        inside = {row[0] for row in rows}
        own = str((container.get("State") or {}).get("Pid"))
        return [row[2] for row in rows if row[1] not in inside and row[0] != own]

    def inspect_container(self, name: str) -> Container | None:
        """Return the container of that name or id, None if there is none."""
        return described(name, self.find("container", name))

    def run_in_container(self, name: str, argv: Sequence[str]) -> int:
        """Run a command in a running container as its own user, and return its exit code."""
        return self.run("exec", checked_name(name), *argv).returncode

    def output_in_container(self, name: str, argv: Sequence[str], limit: int, seconds: float) -> bytes:
        """Return what a command in a running container printed within a limit and a time."""
        return self._bounded(limit, seconds, "exec", checked_name(name), *argv)

    def _bounded(self, limit: int, seconds: float, *arguments: str) -> bytes:
        try:
            return run_bounded([*self._command, *arguments], b"", limit, seconds).output
        except OSError as error:
            raise _cannot_start(error) from error

    @contextmanager
    def logs(self, name: str, *, since: str = "", tail: int = 0, follow: bool = False) -> Iterator[LogStream]:
        """Stream a container's log; ``docker logs`` is ended on leaving, however that happens."""
        command = [*self._command, "logs"]
        command += ["--follow"] if follow else []
        command += ["--since", since] if since else []
        command += ["--tail", str(tail)] if tail else []
        try:
            process = subprocess.Popen(
                [*command, "--", checked_name(name)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                # A group of its own, so that a wrapper's children (podman-docker, Docker Desktop) end with it.
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        except OSError as error:
            raise _cannot_start(error) from error
        pipe = process.stdout
        assert pipe is not None  # noqa: S101 - stdout=PIPE was asked for; this tells the type checker
        try:
            yield LogStream(process, pipe)
        finally:
            _end(process)
            pipe.close()


def checked_name(name: str) -> str:
    """Return the valid name of a container; LabError for any other text."""
    if not _NAME.match(name):
        raise LabError(
            f"'{name}' is not a container.",
            "A container's name or id has letters, digits, '_', '.' and '-' only, and begins with a letter or digit.",
            "list the containers that there are with 'docker ps --all' and name one of them",
        )
    return name.lstrip("/")


def described(name: str, found: Any) -> Container | None:  # noqa: ANN401 - of an engine
    """Return what an engine says of a container, None for nothing; LabError if it describes none."""
    try:
        return None if found is None else Container.from_inspect(found)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise not_inspected(name) from error


def not_inspected(name: str) -> LabError:
    """Return the error for an answer that does not describe a container."""
    return LabError(
        f"The container {name} could not be looked at.",
        "The command 'docker container inspect' printed something that is not its usual JSON.",
        f"run 'docker container inspect {name}' in a terminal and see what it says",
    )


def refused(command: str, stderr: str) -> LabError:
    """Return why ``docker COMMAND`` failed, from its standard error."""
    if "permission denied" in stderr.lower():
        return EngineUnavailable(
            "Docker may not be used by this user.",
            "The Docker engine runs, but this user has no right to talk to it.",
            'add the user to the group docker (sudo usermod -aG docker "$USER"), log in again, and try again',
        )
    if _UNREACHABLE.search(stderr):
        return (EngineUnavailable if "timeout" in stderr.lower() else NotListening)(
            "Docker does not answer.",
            "The Docker engine is not running, or DOCKER_HOST or the docker context names one that is not there.",
            "start Docker, see that 'docker info' answers, and try again",
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return LabError(
        f"The command 'docker {command}' failed.",
        f"Docker says: {lines[-1]}" if lines else "Docker gives no reason.",
        "see whether 'docker info' answers in a terminal, and try again",
    )


def _cannot_start(error: OSError) -> LabError:
    if isinstance(error, FileNotFoundError):
        why = "The command docker was not found on this computer."
    else:
        why = f"The command docker could not be started ({error.strerror})."
    return NotListening("Docker could not be used.", why, "install Docker Engine or Docker Desktop, and try again")


def _die_with_parent() -> Callable[[], None] | None:
    """Return a preexec_fn that ends the child when this process is killed (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    # Loaded here, before the fork: little is safe to do between fork and exec.
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return (lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)) if prctl else None


def _end(process: subprocess.Popen[bytes], patience: float = 2.0) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        # Once it has been waited for, its number may be another's.
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
