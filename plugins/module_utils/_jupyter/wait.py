# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait for a Jupyter server's URL in a container's log, a file, or a text."""

from __future__ import annotations

import http.client
import os
import ssl
import stat
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO, Callable
from urllib.parse import quote

from .._common.errors import LabError
from .._common.humanize import MINUTE, parse_time
from .._docker.api import Api, ApiLog
from .._docker.cli import Container, Docker, LogStream
from .._lab.url import HIDDEN_TOKEN, Url
from . import errors
from .running_servers import as_server, choose, doubt_of, query_servers, token_given, usable
from .server_log import LAST_LINES, Server, ServerLog

_POLL = 0.1
# A banner has several lines: it is over when nothing came for _QUIET, or after _BANNER.
_QUIET = 0.3
_BANNER = 1.0
# The present log is read to its end even without time to wait.
_READING = 10.0
# A server may fail to start once or twice.
_RUNS_TOLERATED = 3
_PIECE = 1 << 16
# A log that has no URL by then may never have one: its container is queried, too. Then after twice the time, and so on.
_QUERY_AFTER = 5.0
_ANSWER = 3.0


@dataclass(frozen=True)
class Deadline:
    moment: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        return max(0.0, self.moment - time.monotonic())


def check_timeout(seconds: float) -> None:
    if not 0 <= seconds <= errors.LONGEST_WAIT:
        raise LabError(
            f"{seconds:g} is not a time to wait.",
            f"The timeout is a number of seconds from 0 to {errors.LONGEST_WAIT}.",
            "give 60, or more for a slow computer",
        )


def read_text(text: str) -> Server:
    log = ServerLog()
    log.feed(text.encode("utf-8", "replace"))
    found = _last_answer(log)
    if found is None:
        # Without an excerpt: the caller's text may hold any secret.
        raise LabError(
            "No URL of a running Jupyter server was found in the text.",
            errors.what_was_seen(log),
            "see that it is what a Jupyter server printed, from its start",
        )
    return found


def wait_for_file(path: Path, timeout: float) -> Server:
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
        raise LabError(
            f"The file {path} cannot be read.",
            f"The system says: {error.strerror or error}.",
            "see who may read it ('ls -l'), or run this as a user who may",
        ) from error
    finally:
        source.close()
    found = _last_answer(log)
    if found is None:
        if source.was_there:
            raise errors.no_url(f"the file {path}", log, timeout)
        raise errors.NotThere(
            f"There is no file {path}.",
            "A log file was to be read, but nothing has that path.",
            "see where the server writes its log, and give that path",
        )
    return found


def wait_for_published(
    docker: Docker | Api, name: str, timeout: float, host: str, port: int, kept: bool = True
) -> Server:
    """Return the server in a container, and verify one that may be out of reach.

    One that answers, and tells its token nowhere, has a hidden token.
    """
    try:
        found = wait_for_container(docker, name, timeout, kept, lambda: bool(answering_scheme(host, port)))
    except errors.NoUrl:
        scheme = answering_scheme(host, port)
        if not scheme:
            raise
        return Server("", HIDDEN_TOKEN, False, [Url(scheme, (host,), port, "/", HIDDEN_TOKEN)])
    # One that was reached before is not queried again and again.
    only_local = not kept and all(url.is_local for url in found.urls)
    if (found.doubt or found.token_hidden or only_local) and not answering_scheme(host, port):
        container = docker.inspect_container(name)
        inside = _server_inside(docker, container) if container and not found.doubt else found
        error = (inside and inside.doubt) or (errors.silent(name, host, port) if found.token_hidden else None)
        if error:
            raise error
    return found


def answering_scheme(host: str, port: int) -> str:
    """Return the scheme in which something answers, with whatever status; empty if nothing does."""
    anybody = ssl._create_unverified_context()  # noqa: S323 - nothing secret is sent
    for scheme in ("http", "https"):
        connection = (
            http.client.HTTPSConnection(host, port, timeout=_ANSWER, context=anybody)
            if scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=_ANSWER)
        )
        try:
            connection.request("GET", "/api")
            # A server of TLS answers a request in clear with 400.
            if connection.getresponse().status != 400:
                return scheme
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return ""


def wait_for_container(
    docker: Docker | Api, name: str, timeout: float, kept: bool = True, answers: Callable[[], bool] = lambda: False
) -> Server:
    """Return the server in the container's log, or else the one that the container itself has.

    One that ``answers``, and tells its URL nowhere, is not waited for any longer. Errors advise what can be done with a
    container that is ``kept``.
    """
    deadline = Deadline.after(timeout)
    runs: set[str] = set()
    while True:
        container = docker.inspect_container(name)
        if container is None:
            raise errors.NotThere(
                f"There is no container {name}.",
                "Docker knows no container of that name or id.",
                "start the lab first, or list what there is with 'docker ps --all'",
            )
        if container.has_ended or (container.status == "created" and container.error):
            raise errors.container_ended(container, _last_lines(docker, container), kept)
        if container.status == "restarting":
            runs.add(container.started_at)
            if max(len(runs), container.restart_count) >= _RUNS_TOLERATED:
                raise errors.container_keeps_ending(container, _last_lines(docker, container), kept)
        log, found, late = ServerLog(), None, False
        if container.status in ("running", "paused"):
            log, found, late = _watch(docker, container, deadline, answers)
        if log.newest:
            log.newest.doubt = doubt_of(log.newest, container)
            return _with_token(docker, log.newest, container)
        if found:
            return found
        if late or not deadline.left():
            found = _last_answer(log)
            if found:
                return found
            raise errors.no_url(f"the container {container.name}", log, timeout, container, kept)
        time.sleep(min(_POLL, deadline.left()))


def began(container: Container) -> str:
    """Return since when the log is of the container's present run; empty for its first.

    Docker records the start a moment after the first lines and the end a moment before the last ones, so half-way
    between is safe.
    """
    start, end = parse_time(container.started_at), parse_time(container.finished_at)
    if start is None or end is None or end >= start:
        return ""
    since = datetime.fromtimestamp(start - min((start - end) / 2, 2), timezone.utc)
    return since.isoformat().replace("+00:00", "Z")


def _watch(
    docker: Docker | Api, container: Container, deadline: Deadline, answers: Callable[[], bool]
) -> tuple[ServerLog, Server | None, bool]:
    """Return the log, the server that the container itself has if none is in the log, and whether to wait no longer."""
    # The present log first, as its last server counts.
    log = _read_all(docker, container, deadline)
    if log.newest:
        return log, None, False
    late = not deadline.left()
    if not late:
        # Then from its start again, as a line in between could be lost.
        log, pause = ServerLog(), _QUIET if _is_old(container) else _QUERY_AFTER
        with docker.logs(container.id, since=began(container), follow=True) as stream:
            while deadline.left() and not late:
                step = Deadline.after(min(pause, deadline.left()))
                if _read(stream, log, step, until_found=True) or log.newest:
                    return log, None, False
                found = _server_inside(docker, container) if deadline.left() else None
                if found:
                    return log, found, True
                late, pause = pause >= _QUERY_AFTER and answers(), max(2 * pause, _QUERY_AFTER)
        # The second reading may not have come as far as the first.
        log = _read_all(docker, container, deadline)
    return log, None if log.newest else _server_inside(docker, container), True


def _server_inside(docker: Docker | Api, container: Container) -> Server | None:
    if container.status != "running":
        return None
    found = choose(query_servers(docker, container), container.ports)
    return as_server(found, container) if found else None


def _read_all(docker: Docker | Api, container: Container, deadline: Deadline) -> ServerLog:
    log = ServerLog()
    with docker.logs(container.id, since=began(container)) as stream:
        if not _read(stream, log, Deadline(max(deadline.moment, Deadline.after(_READING).moment))):
            raise LabError(
                f"The log of the container {container.name} could not be read to its end.",
                "It is so long, or Docker so slow, that there was not time enough.",
                "allow more time (timeout), or restart the container: only the log since its last start is read",
            )
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
        raise LabError(
            "The container's log cannot be read.",
            "Docker hands its logs to a logging driver that cannot give them back.",
            "set the logging driver to json-file, local or journald, and start the lab again",
        )
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


def _with_token(docker: Docker | Api, server: Server, container: Container) -> Server:
    """Set the token that the server does not print: as it says itself, or else as its container was given it."""
    if not server.token_hidden:
        return server
    inside = choose(query_servers(docker, container), {server.url.port})
    given = inside.token if inside else token_given(container)
    if given:
        server.give_token(quote(usable(given, container), safe=""))
    return server


def _is_old(container: Container) -> bool:
    """Return whether a server would have written its URL by now."""
    start = parse_time(container.started_at)
    return start is not None and time.time() - start > MINUTE


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
            raise LabError(
                f"{self._path} is not a log file.",
                "It is a folder, or something else that cannot be read as a file.",
                "give the path of the file to which the server writes its log",
            )
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
