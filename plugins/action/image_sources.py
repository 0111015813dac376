# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetch and check the build context of an image."""

from __future__ import annotations

import os
import tempfile
import typing as t
from pathlib import Path

from ansible import constants

from ..plugin_utils._build_context import check_context, directory_below
from ..plugin_utils._controller_action import ControllerAction
from ..plugin_utils._git_source import fetch, git_source


class ActionModule(ControllerAction):
    """Works where the sources are."""

    RULES: t.ClassVar = {"mutually_exclusive": [("path", "url")], "required_one_of": [("path", "url")]}

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the directory with the Dockerfile, and its commit."""
        path, commit = str(Path(args["path"] or "").expanduser()), ""
        if args["url"]:
            source = git_source(args["url"])
            # Ansible removes this directory at exit.
            clone = tempfile.mkdtemp(prefix="sources-", dir=constants.DEFAULT_LOCAL_TMP)
            commit = fetch(source, clone, {**os.environ, **self._environment()})
            path = directory_below(clone, source.folder)
        check_context(path)
        return {"path": path, "commit": commit}

    def _environment(self) -> dict[str, str]:
        """Return the keyword ``environment`` of the task and its play."""
        known: dict[str, str] = {}
        for each in self._task.environment or []:
            known.update({str(name): str(value) for name, value in (self._templar.template(each) or {}).items()})
        return known
