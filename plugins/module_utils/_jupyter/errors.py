# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors for a Jupyter server whose URL was not found."""

from __future__ import annotations

from .._common.errors import LabError
from .._common.redact import redact, secrets_in
from .._docker.cli import Container
from .server_log import ServerLog, plain

# For a server, in seconds.
LONGEST_WAIT = 86400
_WIDTH = 300
_EXIT_CODES = {
    0: "as a program does that has done its work",
    126: "its command may not be run",
    127: "its command is not in the image",
    137: "it was killed",
    139: "it crashed",
    143: "it was told to stop",
}
_NO_JUPYTER = "give an image that starts a Jupyter server by itself, or another command"


class NotThere(LabError):
    """The server is missing or does not run, which in check mode is no error."""


class NoUrl(LabError):
    """The server runs, and its URL is not known."""


def container_ended(container: Container, log: ServerLog, kept: bool) -> NotThere:
    what, why = "has ended", f"It ended with exit code {container.exit_code}{_meaning(container)}."
    if container.error:
        what = "could not be started"
        why = f"Docker says (exit code {container.exit_code}): {redact(container.error).rstrip('.')}."
    return NotThere(
        f"No Jupyter server runs in the container {container.name}, because the container {what}.",
        f"{why}{excerpt(log, container)}",
        _cure(container, log, kept),
    )


def container_keeps_ending(container: Container, log: ServerLog, kept: bool) -> LabError:
    return LabError(
        f"No Jupyter server stays up in the container {container.name}.",
        f"It ends as soon as it is started, with exit code {container.exit_code}{_meaning(container)}, "
        f"and Docker starts it again and again.{excerpt(log, container)}",
        _cure(container, log, kept),
    )


def no_url(
    source: str, log: ServerLog, timeout: float, container: Container | None = None, kept: bool = True
) -> LabError:
    why = what_was_seen(log)
    longer = f"wait longer if it is only slow: -e lab_timeout={min(int(2 * timeout) or 120, LONGEST_WAIT)}"
    do = f"{longer}; and see that this is its log"
    if container and container.status == "paused":
        why, do = "The container is paused.", f"let it go on: docker unpause {container.name}"
    elif container and container.status == "created":
        why, do = "The container has not been started.", f"start it: docker start {container.name}"
    elif container and kept:
        do = f"{longer}; 'docker logs {container.name}' shows all that it wrote"
    elif container:
        do = f"{longer}; if no Jupyter is in the image, {_NO_JUPYTER}"
    return NoUrl(
        f"No URL of a running Jupyter server was found in {source} within {timeout:g} seconds.",
        why + excerpt(log, container),
        do,
    )


def silent(name: str, host: str, port: int) -> LabError:
    return LabError(
        f"The server in the container {name} cannot be reached.",
        f"It tells a URL in its log, and nothing answers at {host} port {port}.",
        "see that its image starts a server with --ip=0.0.0.0 at the port that -e lab_container_port names",
    )


def excerpt(log: ServerLog, container: Container | None = None) -> str:
    """Return the redacted last lines of the log."""
    hidden = set(log.tokens)
    if container:
        hidden |= secrets_in(container.env)
    lines = [redact(plain(line), hidden)[:_WIDTH] for line in log.last_lines]
    if not lines:
        return " Nothing was written to the log." if container else ""
    return " The last lines are:\n" + "\n".join(f"        {line}" for line in lines)


def what_was_seen(log: ServerLog) -> str:
    return "A Jupyter server was there, but it has been shut down." if log.had_server else "No server has written one."


def _meaning(container: Container) -> str:
    if container.oom_killed:
        return " (the memory was used up)"
    meaning = _EXIT_CODES.get(container.exit_code)
    return f" ({meaning})" if meaning else ""


def _cure(container: Container, log: ServerLog, kept: bool) -> str:
    if container.oom_killed:
        return "give Docker more memory, or choose a larger computer, and start the lab again"
    if log.had_server or container.exit_code in (130, 137, 143):
        return f"start it again: docker start {container.name}" if kept else "run the same command again"
    if container.exit_code in (0, 126, 127) or not kept:
        return _NO_JUPYTER
    return f"read its whole log: docker logs {container.name}; if no Jupyter is in the image, {_NO_JUPYTER}"
