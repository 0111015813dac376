# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build an image, with progress."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ..module_utils._common.errors import LabError
from ..module_utils._common.network import network_of
from ..plugin_utils._build_context import write_context
from ..plugin_utils._watched import WatchedModule


class ActionModule(WatchedModule):
    """Transfers each context as one file, and runs the module desi.lab.image_build."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result of the module."""
        try:
            return super().run(tmp, task_vars)
        except LabError as error:
            return {"failed": True, "changed": False, **error.as_result()}
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _prepare(self) -> dict[str, t.Any]:
        if self._task.check_mode:
            return {}
        archive = self._context(str(self._task.args.get("path")), "context")
        beside = [
            {**more, "archive": self._context(str(more["path"]), f"beside-{number}")}
            for number, more in enumerate(self._task.args.get("beside") or [])
        ]
        # Another host has proxies of its own.
        network = network_of(os.environ) if self._connection.transport == "local" else {}
        return {"archive": archive, "beside": beside, "network": network}

    def _context(self, path: str, name: str) -> str:
        """Transfer a context; return where the archive is on the host."""
        source = str(Path(path).expanduser())
        # Compression is worth it over a network.
        compress = self._connection.transport != "local"
        return self._send(f"{name}.tar", lambda file: write_context(source, file, compress=compress))
