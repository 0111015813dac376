# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a notebook in a lab, and tell of each cell as it ends."""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import duration
from ansible_collections.desi.lab.plugins.module_utils._common.progress import tell
from ansible_collections.desi.lab.plugins.module_utils._jupyter.client import Server
from ansible_collections.desi.lab.plugins.module_utils._jupyter.notebook_run import Ran, output_of, run, write
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel import proof_of


class ActionModule(ActionBase):
    """Runs where Ansible runs: the notebook is there, and the lab answers at a URL."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return how the notebook ran; the lines of its cells have been told by then."""
        super().run(tmp, task_vars)
        _spec, args = self.validate_argument_spec(
            {
                "path": {"type": "path", "required": True},
                "url": {"type": "str", "required": True, "no_log": True},
                "folder": {"type": "str", "default": ""},
                "certificate": {"type": "path", "default": ""},
                "tunnel": {"type": "path", "default": ""},
                "container": {"type": "str", "default": ""},
                "uid": {"type": "int"},
                "gid": {"type": "int"},
            }
        )
        if self._task.check_mode:
            return {"changed": True, "msg": "In check mode nothing is run."}
        path = Path(args["path"])
        output = output_of(path)
        try:
            server = Server(args["url"], args["certificate"], proof_of(args["tunnel"], args["container"]))
            notebook, ran = run(server, path, args["folder"], functools.partial(tell, Display()))
            write(notebook, output, args["uid"], args["gid"], args["folder"])
        except LabError as error:
            return {"failed": True, "changed": False, **error.as_result()}
        return {**dataclasses.asdict(ran), **verdict(path, output, ran)}


def verdict(path: Path, output: Path, ran: Ran) -> dict[str, t.Any]:
    """Return what is to be said of a run."""
    done = {"changed": True, "output": str(output)}
    if not ran.error:
        return {**done, "msg": f"{ran.cells} cells in {duration(ran.seconds)}"}
    stopped = LabError(
        f"The notebook {path.name} stopped at cell {ran.cells} of {ran.of}.",
        ran.error,
        f"See the cell and what it printed in {output}.",
    )
    return {**done, "failed": True, **stopped.as_result()}
