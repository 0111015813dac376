# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The full log of a run, in the user's state directory, readable by the user alone and redacted.

A run goes on without it if it cannot be written.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from .files import closing, open_made
from .privileges import as_caller
from .redact import all_spellings, cut_redacted, secrets_in

KEPT = 20
# Of one text, as facts are very long.
LONGEST = 20_000


class RunLog:
    """A log that is being written; without a stream it drops everything."""

    def __init__(self, stream: TextIO | None, path: Path | None, secrets: set[str]) -> None:
        self._stream = stream
        self.path = path if stream else None
        self._secrets = all_spellings(secrets)
        self._began = time.monotonic()

    def write(self, text: str) -> None:
        """Write a redacted text with the time."""
        if self._stream is None:
            return
        lines = cut_redacted(text, self._secrets, LONGEST).strip("\n").split("\n")
        head = f"{time.monotonic() - self._began:9.1f}  "
        try:
            self._stream.write("".join(f"{head if not n else ' ' * 11}{line}\n" for n, line in enumerate(lines)))
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None

    def close(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()
            self._stream = None


def state_directory(environment: Mapping[str, str], uid: int) -> Path | None:
    """Return the directory of the user's logs, under sudo its caller's."""
    caller = environment.get("SUDO_UID", "")
    if uid == 0 and caller.isdecimal() and caller != "0":
        with contextlib.suppress(KeyError):
            return Path(pwd.getpwuid(int(caller)).pw_dir, ".local/state/desi-lab")
        return None
    named = environment.get("XDG_STATE_HOME", "")
    home = environment.get("HOME", "")
    if named.startswith("/"):
        return Path(named, "desi-lab")
    return Path(home, ".local/state/desi-lab") if home.startswith("/") else None


def open_log(environment: Mapping[str, str], name: str, words: Sequence[str] = ()) -> RunLog:
    """Open the log of a run, and remove the oldest ones. ``words`` are those of its command."""
    secrets = secrets_in(environment) | secrets_in(list(words))
    directory = state_directory(environment, os.geteuid())
    if directory is None:
        return RunLog(None, None, secrets)
    name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{name}-{os.getpid()}.log"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with as_caller(environment), closing(open_made(str(directory))) as place:
            number = os.open(name, flags, 0o600, dir_fd=place)
            with os.scandir(place) as found:
                # After a clock was set back, this one sorts before older ones.
                others = sorted(each.name for each in found if each.name.endswith(".log") and each.name != name)
            for old in others[: 1 - KEPT]:
                with contextlib.suppress(OSError):
                    os.unlink(old, dir_fd=place)
    except OSError:
        return RunLog(None, None, secrets)
    return RunLog(os.fdopen(number, "w", encoding="utf-8", errors="replace"), directory / name, secrets)
