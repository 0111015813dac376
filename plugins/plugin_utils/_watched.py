# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of long-running modules."""

from __future__ import annotations

import contextlib
import threading
import typing as t
import uuid
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.desi.lab.plugins.module_utils._common.progress import Underway, tell
from ansible_collections.desi.lab.plugins.module_utils._common.text import one_line
from ansible_collections.desi.lab.plugins.plugin_utils._failures import task_title

SECONDS_BETWEEN_LOOKS = 1.0
# In bytes, more than any progress line.
LONGEST = 4096


class WatchedModule(ActionBase):
    """Runs the module of its own name, and shows its progress from a file on the host."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result of the module."""
        result = super().run(tmp, task_vars)
        path = f"/tmp/desi-lab-{uuid.uuid4().hex}"  # noqa: S108 - cannot be guessed, and is not opened if it is there
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(path, done), daemon=True)
        watcher.start()
        try:
            arguments = {**self._task.args, **self._prepare(), "progress": path}
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        finally:
            done.set()
            watcher.join(timeout=10)
        return result

    def _prepare(self) -> dict[str, t.Any]:
        """Return further module arguments."""
        return {}

    def _watch(self, path: str, done: threading.Event) -> None:
        title, display, known = task_title(self._task.get_name()), Display(), ""
        while not done.wait(SECONDS_BETWEEN_LOOKS):
            # Progress must never fail the module.
            with contextlib.suppress(Exception):
                seen = one_line(self._read(path))
                if seen and seen != known:
                    known = seen
                    tell(display, Underway(f"{title}: {seen}"))

    def _read(self, path: str) -> str:
        if self._connection.transport == "local":
            return Path(path).read_text(encoding="utf-8")
        # As the login user: the running module uses become at the same time.
        code, text, _errors = self._connection.exec_command(f"cat {path}", sudoable=False)
        # Only one line is shown, whatever the host sends.
        return text[:LONGEST].decode("utf-8", errors="replace") if code == 0 else ""
