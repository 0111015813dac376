# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait for a Jupyter server's URL in a container's log, a file, or a text."""

from __future__ import annotations

import os
import re
import stat
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote_plus

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._docker.api import Api, ApiLog
from ansible_collections.desi.lab.plugins.module_utils._docker.cli import Container, Docker, LogStream
from ansible_collections.desi.lab.plugins.module_utils._jupyter import errors
from ansible_collections.desi.lab.plugins.module_utils._jupyter.server_log import LAST_LINES, Server, ServerLog

_POLL = 0.1
# A banner has several lines: it is over when nothing came for _QUIET, or after _BANNER.
_QUIET = 0.3
_BANNER = 1.0
# The present log is read to its end even without time to wait.
_READING = 10.0
# A server may fail to start once or twice.
_RUNS_TOLERATED = 3
_PIECE = 1 << 16
_LONGEST = 86400
_TOKEN_OPTION = re.compile(r"--\w+\.token=(.*)")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)\Z")


@dataclass(frozen=True)
class Deadline:
    moment: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        return max(0.0, self.moment - time.monotonic())


def check_timeout(seconds: float) -> None:
    if not 0 <= seconds <= _LONGEST:
        raise LabError(
            f"{seconds:g} is not a time to wait.",
            f"The timeout is a number of seconds from 0 to {_LONGEST}.",
            "give 60, or more for a slow computer",
        )


def read_text(text: str) -> Server:
    log = ServerLog()
    log.feed(text.encode("utf-8", "replace"))
    found = _last_answer(log)
    if found is None:
        raise errors.no_url_in_text(log)
    return found


def wait_for_file(path: Path, timeout: float) -> Server:
    """Return the server in the log file."""
    deadline = Deadline.after(timeout)
    banner: Deadline | None = None
    log = ServerLog()
    source = _GrowingFile(path)
    try:
        while True:
            grew = source.read_on(log)
            if log.newest:
                banner = banner or Deadline.after(_BANNER)
                if not grew or not banner.left():
                    return log.newest
            if not deadline.left():
                break
            time.sleep(min(_QUIET if log.newest else _POLL, deadline.left()))
    except OSError as error:
        raise errors.path_unreadable(path, error) from error
    finally:
        source.close()
    found = _last_answer(log)
    if found is None:
        raise errors.no_url(f"the file {path}", log, timeout) if source.was_there else errors.path_absent(path)
    return found


def wait_for_container(docker: Docker | Api, name: str, timeout: float) -> Server:
    """Return the server in the container's log."""
    deadline = Deadline.after(timeout)
    runs: set[str] = set()
    while True:
        container = docker.inspect_container(name)
        if container is None:
            raise errors.container_absent(name)
        if container.has_ended or (container.status == "created" and container.error):
            raise errors.container_ended(container, _last_lines(docker, container))
        if container.status == "restarting":
            runs.add(container.started_at)
            if max(len(runs), container.restart_count) >= _RUNS_TOLERATED:
                raise errors.container_keeps_ending(container, _last_lines(docker, container))
        log = ServerLog()
        if container.status in ("running", "paused"):
            log = _watch(docker, container, deadline)
        found = log.newest if deadline.left() else _last_answer(log)
        if found:
            return _with_given_token(found, container)
        if not deadline.left():
            raise errors.no_url(f"the container {container.name}", log, timeout, container)
        time.sleep(min(_POLL, deadline.left()))


def began(container: Container) -> str:
    """Return since when the log is of the container's present run; empty for its first.

    Docker records the start a moment after the first lines and the end a moment before the last ones, so half-way
    between is safe.
    """
    start, end = _moment(container.started_at), _moment(container.finished_at)
    if not start or not end or end.year == 1 or end >= start:
        return ""
    since = start - min((start - end) / 2, timedelta(seconds=2))
    return since.isoformat().replace("+00:00", "Z")


def _watch(docker: Docker | Api, container: Container, deadline: Deadline) -> ServerLog:
    # The present log first, as its last server counts.
    log = _read_all(docker, container, deadline)
    if log.newest or not deadline.left():
        return log
    # Then from its start again, as a line in between could be lost.
    log = ServerLog()
    with docker.logs(container.id, since=began(container), follow=True) as stream:
        _read(stream, log, deadline, until_found=True)
    # The second reading may not have come as far as the first.
    return log if log.newest or deadline.left() else _read_all(docker, container, deadline)


def _read_all(docker: Docker | Api, container: Container, deadline: Deadline) -> ServerLog:
    log = ServerLog()
    with docker.logs(container.id, since=began(container)) as stream:
        if not _read(stream, log, Deadline(max(deadline.moment, Deadline.after(_READING).moment))):
            raise errors.log_too_long(container)
    return log


def _read(stream: LogStream | ApiLog, log: ServerLog, deadline: Deadline, until_found: bool = False) -> bool:
    """Read until the deadline, the end of the log, or of a banner; return whether it was the log's end."""
    banner: Deadline | None = None
    while True:
        patience = deadline.left()
        if until_found and log.newest:
            banner = banner or Deadline.after(_BANNER)
            patience = min(patience, banner.left(), _QUIET)
        data = stream.read(patience)
        if data is None:
            return False
        if not data:
            break
        log.feed(data)
    if stream.exit_code() and any(b"does not support reading" in line for line in log.last_lines):
        raise errors.log_unreadable()
    return True


def _last_lines(docker: Docker | Api, container: Container) -> ServerLog:
    log = ServerLog()
    with docker.logs(container.id, tail=LAST_LINES) as stream:
        _read(stream, log, Deadline.after(_READING))
    log.finish()
    return log


def _last_answer(log: ServerLog) -> Server | None:
    log.finish()
    # A URL that stands alone counts only if there was no server.
    return log.newest or (None if log.had_server else log.guess)


def _with_given_token(server: Server, container: Container) -> Server:
    """Set the token that was given to the container and is not printed."""
    options = [match[1] for match in map(_TOKEN_OPTION.match, container.command) if match]
    given = options[-1] if options else container.env.get("JUPYTER_TOKEN", "")
    if server.token_hidden and given:
        server.give_token(quote_plus(given))
    return server


def _moment(text: str) -> datetime | None:
    # Python 3.9 parses neither nanoseconds nor 'Z'.
    match = _MOMENT.match(text)
    if not match:
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    try:
        moment = datetime.fromisoformat(f"{match[1]}.{(match[2] or '0').ljust(6, '0')}{zone}")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


class _GrowingFile:
    """A log file that may appear, be emptied or be replaced meanwhile."""

    def __init__(self, path: Path) -> None:
        self.was_there = False
        self._path = path
        self._file: BinaryIO | None = None

    def read_on(self, log: ServerLog) -> bool:
        """Parse what is new; return whether there was anything."""
        grew = self._drain(log)
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return grew
        if not stat.S_ISREG(now.st_mode):
            raise errors.not_a_file(self._path)
        if self._file:
            mine = os.fstat(self._file.fileno())
            if (mine.st_dev, mine.st_ino) == (now.st_dev, now.st_ino) and now.st_size >= self._file.tell():
                return grew
            log.finish()
            self._file.close()
        self._file = self._path.open("rb")
        self.was_there = True
        return self._drain(log) or grew

    def _drain(self, log: ServerLog) -> bool:
        grew = False
        while self._file and (data := self._file.read(_PIECE)):
            grew = True
            log.feed(data)
        return grew

    def close(self) -> None:
        if self._file:
            self._file.close()
