# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base class of action plugins that do all their work on the controller."""

from __future__ import annotations

import importlib
import typing as t

from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase

from ..module_utils._common.errors import LabError

MODULES = "ansible_collections.desi.lab.plugins.modules"
Values = t.Mapping[str, t.Any]


def argument_spec(options: t.Mapping[str, Values]) -> dict[str, t.Any]:
    """Return the argument spec of documented options."""
    keys = ("type", "required", "default", "choices", "elements")
    found = {name: {key: about[key] for key in keys if key in about} for name, about in options.items()}
    for name, about in options.items():
        if "suboptions" in about:
            found[name]["options"] = argument_spec(about["suboptions"])
    return found


class ControllerAction(ActionBase):
    """Takes the options that the module of its name documents, and returns its answer, or fails by a LabError."""

    RULES: t.Mapping[str, t.Any] = {}
    """How options depend on each other, as ``validate_argument_spec`` takes it."""
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result of the task."""
        super().run(tmp, task_vars)
        module = importlib.import_module(f"{MODULES}.{type(self).__module__.rpartition('.')[2]}")
        options = yaml_load(module.DOCUMENTATION).get("options") or {}
        _spec, args = self.validate_argument_spec(argument_spec(options), **self.RULES)
        try:
            return {"changed": False, **self.answer(args, task_vars or {})}
        except LabError as error:
            return {"failed": True, "changed": False, **error.as_result()}

    def answer(self, args: dict[str, t.Any], task_vars: Values) -> dict[str, t.Any]:
        """Return the result but for ``changed``, which is false if it is left out. Raises LabError."""
        raise NotImplementedError
