# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mount a bucket if needed: check first, mount, verify, and roll back on failure."""

from __future__ import annotations

import contextlib
import os
import posixpath
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from .._common.errors import LabError
from .._common.files import closing, open_root_owned, require_root_owned
from .._common.humanize import size_text
from . import host
from . import mountinfo as table
from .bucket_probe import BucketAnswer, probe_bucket
from .cache import cache_error, make_cache, move_cache, remove_empty_marker, require_safe_path
from .preflight import check_credentials, check_fuse, check_root, check_tool, explain_log
from .programs import PROGRAMS, install_rclone, install_relay, relay_is_installed, remove_unused
from .spec import MountSpec, fingerprint
from .state import Found, MountResult, check_directory, clear, inspect, remove_empty, share_parent, unshare_parent
from .supervisors import UNIT_DIRECTORY, Job, Supervisor
from .tools import BACKENDS, Tool, is_mount_tool, mount_command, uses_relay
from .unit_templates import MARK, tool_environment


def device_of(tool: Tool, spec: MountSpec) -> str:
    """Return the device name in the mount table, with a fingerprint of the settings."""
    return table.device_name(spec.bucket, fingerprint(mount_command(tool, spec, "", "")))


def make_job(
    tool: Tool,
    spec: MountSpec,
    path: str,
    environ: Mapping[str, str],
    shared_parent: bool = False,
    programs: str = PROGRAMS,
) -> Job:
    shown = {**asdict(spec), "cache_max": size_text(spec.cache_max) if spec.cache_max else "", "backend": tool.backend}
    return Job(
        backend=tool.backend,
        command=mount_command(tool, spec, path, device_of(tool, spec)),
        settings=shown,
        environment=tool_environment(environ, BACKENDS[tool.backend].ca_variable, spec.anonymous),
        shared_parent=shared_parent,
        programs=programs,
    )


@dataclass
class Mounting:
    """One mountpoint and its settings."""

    path: str
    spec: MountSpec
    tool: Tool
    supervisor: Supervisor
    supervisors: list[Supervisor]  # also those of earlier runs
    shared_parent: bool
    timeout: float
    environ: Mapping[str, str]
    check_mode: bool = False
    programs: str = PROGRAMS
    relay: Mapping[str, str] = field(default_factory=dict)  # the files of the relay, by their names
    cache_before: str = ""  # of an earlier version
    in_use: LabError | None = None  # of a mount that must not be ended for another one
    kept: bool = False  # as it is, if it works

    def __post_init__(self) -> None:
        self.is_left = False  # whether it was, for what uses it
        self.parent = posixpath.dirname(self.path)
        self.device = device_of(self.tool, self.spec)
        self.environ = safe_environment(self.environ, self.spec.anonymous)
        self.job = make_job(self.tool, self.spec, self.path, self.environ, self.shared_parent, self.programs)

    def run(self) -> MountResult:
        self._check_places()
        found = inspect(self.path, self.supervisors)
        if not found.entry:
            check_directory(self.path)
        outcome = MountResult(
            not self._is_as_requested(found), found.summary, {"state": "mounted", **self.job.settings}
        )
        if outcome.changed and found.alive and self.in_use:
            raise self.in_use
        if outcome.changed and found.alive and self.kept and not self._is_hidden():
            outcome.changed, outcome.after, self.is_left = False, found.summary, True
        if not outcome.changed:
            outcome.shared_parent = share_parent(self.parent) if self.shared_parent else ""
            return outcome
        outcome.healed = self._is_broken(found)
        if not self.check_mode:
            self._mount(found, outcome)
        return outcome

    def _is_mounted(self, entry: table.MountEntry | None) -> bool:
        device = self.device if BACKENDS[self.tool.backend].names_device else table.MOUNTPOINT_DEVICE
        return entry is not None and entry.fuse and entry.source == device

    def _is_as_requested(self, found: Found) -> bool:
        serves = self._is_mounted(found.entry) and found.alive and self.supervisor.serves(self.job)
        serves = serves and not self._is_hidden()
        return serves and (not self._has_relay or relay_is_installed(self.relay, self.programs))

    def _is_hidden(self) -> bool:
        return self.shared_parent and table.needs_shared_bind(host.read_mounts(), self.parent)

    @property
    def _has_relay(self) -> bool:
        return bool(self.relay) and uses_relay(self.tool, self.spec)

    def _check_places(self) -> None:
        """Refuse directories in which others could change what root writes, before anything is done."""
        require_safe_path(self.parent)
        if self._has_relay or self.tool.source:
            try:
                require_safe_path(self.programs)
            except LabError as problem:
                do = "Close it to others, for example: sudo chmod go-w /usr/local /usr/local/lib"
                raise LabError(problem.what, problem.why, do) from None
        if not self.spec.cache:
            return
        try:
            require_safe_path(self.spec.cache)
        except LabError as problem:
            raise cache_error(self.spec.cache, problem) from None

    def _is_broken(self, found: Found) -> bool:
        """Return whether it is a dead mount with the same settings."""
        same = found.settings == self.job.settings if found.settings else self._is_mounted(found.entry)
        return found.anything and same and (not found.alive or found.settings is None)

    def _mount(self, found: Found, outcome: MountResult) -> None:
        # Check all first: a working mount is not ended for one that cannot work.
        check_root()
        check_fuse()
        check_tool(self.tool)
        check_credentials(self.spec, self.environ)
        self._check_cache()
        answer = probe_bucket(self.spec, self.environ, self.timeout)
        self._install()
        if found.anything:
            outcome.lazy = clear(self.path, self.supervisors, self.timeout)
            check_directory(self.path)
        made = [self.path] if found.anything else []
        cache = self.spec.cache
        try:
            made += _missing(self.parent)
            os.close(open_root_owned(self.parent, make=True))
            if self.shared_parent:
                outcome.shared_parent = share_parent(self.parent)
            made += _missing(self.path)
            self._make_mountpoint()
            if cache:
                made += _missing(cache)
                outcome.cache_left = move_cache(self.cache_before, cache)
                make_cache(cache)
            self.supervisor.start(self.job)
            self._verify(answer)
        except BaseException:
            with contextlib.suppress(LabError):
                clear(self.path, self.supervisors, self.timeout)
            # The mountpoint first, as the bind stays while it is not empty.
            for directory in [self.path] if self.path in made else []:
                remove_empty(directory)
            if outcome.shared_parent == "bound":
                unshare_parent(self.parent)
            for directory in sorted(made, key=len, reverse=True):
                if directory == cache:
                    remove_empty_marker(directory)
                remove_empty(directory)
            raise
        with contextlib.suppress(LabError, OSError):
            remove_unused(self.programs, used_programs())

    def _install(self) -> None:
        """Install the programs that root runs."""
        if self.tool.source and not os.path.lexists(self.tool.path):
            install_rclone(self.tool.source, self.programs)
        if self._has_relay and not relay_is_installed(self.relay, self.programs):
            install_relay(self.relay, self.programs)

    def _make_mountpoint(self) -> None:
        """Make it, closed to others, so that readers get an error while nothing is mounted."""
        with closing(open_root_owned(self.parent)) as parent:
            name = posixpath.basename(self.path)
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
            # 0.1.0 closed it to root, too, and the tool has no CAP_DAC_OVERRIDE.
            os.chmod(name, 0o700, dir_fd=parent)

    def _check_cache(self) -> None:
        """Refuse a cache that another mount writes to, as that would spoil it."""
        for process in host.processes() if self.spec.cache else []:
            names = any(word == self.spec.cache or word.endswith(f"={self.spec.cache}") for word in process.command)
            if names and self.path not in process.command and is_mount_tool(process.command[0]):
                raise LabError(
                    f"The cache {self.spec.cache} cannot be used.",
                    "Another mount is writing to it, and two would spoil it.",
                    "Give each mount a cache folder of its own.",
                )

    def _verify(self, answer: BucketAnswer) -> None:
        """Wait for the mount, and verify that it lists the bucket."""
        deadline = time.monotonic() + self.timeout
        while not self._is_mounted(table.mount_at(host.read_mounts(), self.path)):
            ended = self.supervisor.ended()
            if ended or time.monotonic() > deadline:
                problem = "it ended at once" if ended else f"it did not mount within {self.timeout:g} s"
                raise explain_log(self.tool, self.spec, self.supervisor.log(), problem)
            time.sleep(0.05)
        listing = host.list_directory(self.path, max(1.0, deadline - time.monotonic()))
        if not listing.alive:
            raise explain_log(self.tool, self.spec, self.supervisor.log(), f"listing it failed: {listing.problem}")
        if answer.anything and listing.count == 0:
            raise explain_log(
                self.tool, self.spec, self.supervisor.log(), "it mounted, but shows nothing of the bucket"
            )


def _missing(path: str) -> list[str]:
    """Return the missing directories of a path, outermost first."""
    missing: list[str] = []
    while not os.path.lexists(path):
        missing.insert(0, path)
        path = posixpath.dirname(path)
    return missing


def used_programs() -> list[str]:
    """Return the running commands and the units, whose programs are not to be removed."""
    commands = ["\0".join(process.command) for process in host.processes()]
    units = UNIT_DIRECTORY.glob(f"{MARK}-*.service")
    return [*commands, *(unit.read_text(errors="replace") for unit in units)]


def safe_environment(environ: Mapping[str, str], anonymous: bool) -> dict[str, str]:
    """Return an environment whose files are root's, as an AWS configuration can name a program to run."""
    safe = dict(environ)
    try:
        require_root_owned(safe.get("HOME") or "/root")
    except LabError:
        # Of the caller of sudo.
        safe["HOME"] = "/root"
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        if not anonymous and safe.get(name):
            require_root_owned(safe[name])
    return safe
