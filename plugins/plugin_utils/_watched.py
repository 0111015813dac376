# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base class of action plugins that show the progress file of their module."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import typing as t
import uuid
from pathlib import Path

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._common.text import one_line
from ._failures import task_title
from ._progress import Underway, display_progress

SECONDS_BETWEEN_LOOKS = 1.0
ENDING_SIGNALS = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
# How long a module goes on that nobody seems to wait for. A busy computer may take a while to touch a file.
QUIET_SECONDS = 30.0
# The lid of a laptop may be closed that long, and what works on EC2 goes on.
SLEEP_SECONDS = 900.0
# In bytes, at one look.
LONGEST = 16_384


class WatchedModule(ActionBase):
    """Runs the module of its own name, and shows its progress from a file on the host.

    With ``ends_alone`` the module is one that ends when nobody waits for it any more; it takes an option ``quiet``.
    """

    ends_alone = False
    _known = ""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result of the module."""
        result = super().run(tmp, task_vars)
        path = f"/tmp/desi-lab-{uuid.uuid4().hex}"  # noqa: S108 - cannot be guessed, and is not opened if it is there
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(path, done), daemon=True)
        watcher.start()
        try:
            arguments = {**self._task.args, **self._prepare(), **self._patience(), "progress": path}
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        finally:
            done.set()
            watcher.join(timeout=10)
        return result

    def _prepare(self) -> dict[str, t.Any]:
        """Return further module arguments."""
        return {}

    def _send(self, name: str, write: t.Callable[[t.BinaryIO], object]) -> str:
        """Transfer a file that ``write`` fills; return where it is on the host."""
        shell = self._connection._shell
        there = shell.join_path(shell.tmpdir, name)
        with tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP) as file:
            write(t.cast("t.BinaryIO", file))
            file.flush()
            self._transfer_file(file.name, there)
        self._fixup_perms2((shell.tmpdir, there))
        return str(there)

    def _patience(self) -> dict[str, t.Any]:
        is_local = self._connection.transport == "local"
        return {"quiet": QUIET_SECONDS if is_local else SLEEP_SECONDS} if self.ends_alone else {}

    def _watch(self, path: str, done: threading.Event) -> None:
        # A signal that this thread takes does not wake the main one, which alone handles it and waits for the module.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        while not done.wait(SECONDS_BETWEEN_LOOKS):
            # Progress must never fail the module.
            with contextlib.suppress(Exception):
                self._follow(path)

    def _follow(self, path: str) -> None:
        """Report what is new in the file."""
        seen = one_line(self._read(path).decode("utf-8", errors="replace"))
        if seen and seen != self._known:
            self._known = seen
            display_progress(Display(), Underway(f"{task_title(self._task.get_name())}: {seen}"))

    def _read(self, path: str, begin: int = 0) -> bytes:
        """Return what is in a file of the host from a place on; tell the module that somebody waits."""
        touched = f"{path}.wanted" if self.ends_alone else ""
        if self._connection.transport == "local":
            if touched:
                os.utime(touched)
            with Path(path).open("rb") as file:
                file.seek(begin)
                return file.read(LONGEST)
        command = f"tail -c +{begin + 1} {path} | head -c {LONGEST}"
        # As whoever logged in: to become somebody else is the work's, which goes on at the same time.
        code, text, _errors = self._connection.exec_command(
            f"touch -c {touched}; {command}" if touched else command, sudoable=False
        )
        # A line is what is shown of it, whatever a machine sends.
        return text[:LONGEST] if code == 0 else b""
