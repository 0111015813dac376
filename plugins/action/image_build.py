# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build an image, with progress."""

from __future__ import annotations

import os
import tempfile
import typing as t
from pathlib import Path

from ansible import constants

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
        archive = self._send(str(self._task.args.get("path")), "context")
        beside = [
            {**more, "archive": self._send(str(more["path"]), f"beside-{number}")}
            for number, more in enumerate(self._task.args.get("beside") or [])
        ]
        # Another host has proxies of its own.
        network = network_of(os.environ) if self._connection.transport == "local" else {}
        return {"archive": archive, "beside": beside, "network": network}

    def _send(self, path: str, name: str) -> str:
        """Transfer a context; return where the archive is on the host."""
        shell = self._connection._shell
        there = shell.join_path(shell.tmpdir, f"{name}.tar")
        with tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP, suffix=".tar") as archive:
            # Compression is worth it over a network.
            write_context(
                str(Path(path).expanduser()),
                t.cast("t.BinaryIO", archive),
                compress=self._connection.transport != "local",
            )
            archive.flush()
            self._transfer_file(archive.name, there)
        self._fixup_perms2((shell.tmpdir, there))
        return str(there)
