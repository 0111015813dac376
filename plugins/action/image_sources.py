# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetch and check the build context of an image."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible import constants
from ansible.plugins.action import ActionBase

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._build_context import check_context, directory_below
from ansible_collections.desi.lab.plugins.plugin_utils._git_source import fetch, git_source


class ActionModule(ActionBase):
    """Runs on the controller, where the sources are."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the directory with the Dockerfile, and its commit."""
        super().run(tmp, task_vars)
        _spec, args = self.validate_argument_spec(
            {"path": {"type": "path"}, "url": {"type": "str"}},
            mutually_exclusive=[("path", "url")],
            required_one_of=[("path", "url")],
        )
        path, commit = args["path"], ""
        try:
            if args["url"]:
                source = git_source(args["url"])
                # Ansible removes this directory at exit.
                clone = tempfile.mkdtemp(prefix="sources-", dir=constants.DEFAULT_LOCAL_TMP)
                commit = fetch(source, clone, {**os.environ, **self._environment()})
                path = directory_below(clone, source.folder)
            check_context(path)
        except LabError as error:
            return {"failed": True, "changed": False, **error.as_result()}
        return {"changed": False, "path": path, "commit": commit}

    def _environment(self) -> dict[str, str]:
        """Return the keyword ``environment`` of the task and its play."""
        known: dict[str, str] = {}
        for each in self._task.environment or []:
            known.update({str(name): str(value) for name, value in (self._templar.template(each) or {}).items()})
        return known
