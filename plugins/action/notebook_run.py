# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a notebook of this computer in a lab, and report each cell as it ends."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.utils.display import Display

from ..module_utils._common.errors import LabError
from ..module_utils._common.names import BadAnswer, refused
from ..plugin_utils._notebook import PROGRAM, Run, check_writable, lost, order, output_of, place, read, save, verdict
from ..plugin_utils._progress import display_progress
from ..plugin_utils._watched import WatchedModule


class ActionModule(WatchedModule):
    """Reads and writes the notebook here, and lets the module desi.lab.notebook_run run it on the lab's host."""

    TRANSFERS_FILES = True
    ends_alone = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return how the notebook ran; the lines of its cells have been shown by then."""
        _spec, args = self.validate_argument_spec(
            {
                # Type path would put the value of a variable for $NAME, which a path may have in it.
                "path": {"type": "str", "required": True},
                "container": {"type": "str", "required": True},
                "folder": {"type": "str", "default": ""},
                "uid": {"type": "int"},
                "gid": {"type": "int"},
            }
        )
        named = Path(args["path"]).expanduser()
        self._run, self._shown = Run(named.name), 0
        try:
            path, directory = place(named, args["folder"])
            notebook = read(path, directory)
            if self._task.check_mode:
                return {"changed": True, "msg": "In check mode nothing is run."}
            self._order = order(notebook, path, directory)
            check_writable(output_of(path), directory)
            done = super().run(tmp, task_vars)
            if done.get("failed"):
                return done
            text, error, traceback = self._finish(done)
            output, unwritten = save(text, path, args["uid"], args["gid"], directory, self._run.copy)
        except LabError as error:
            return {"failed": True, "changed": False, **error.as_result()}
        except BadAnswer as error:
            return {"failed": True, "changed": False, **refused("the lab", str(error)).as_result()}
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return verdict(path, self._run, error, traceback, output, unwritten)

    def _prepare(self) -> dict[str, t.Any]:
        return {"order": self._send("notebook", lambda file: file.write(self._order)), "size": len(PROGRAM)}

    def _follow(self, path: str) -> None:
        lines = self._read(path, self._shown).split(b"\n")
        for line in lines[:-1]:
            self._show(line)

    def _show(self, line: bytes) -> None:
        word = self._run.word(line)
        self._shown += len(line) + 1
        display_progress(Display(), word)

    def _finish(self, done: dict[str, t.Any]) -> tuple[str, str, str]:
        """Show the cells that were not seen yet, and return the end of the run."""
        *lines, _rest = str(done["output"]).encode().split(b"\n")
        end = lines.pop() if lines and not lines[-1].startswith(b'{"cell"') else b""
        seen = 0
        for line in lines:
            if seen >= self._shown:
                self._show(line)
            seen += len(line) + 1
        if not end:
            raise lost(done["rc"], str(done["errors"]))
        return self._run.end(end)
