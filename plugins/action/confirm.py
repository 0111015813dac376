# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask for confirmation."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.desi.lab.plugins.plugin_utils._confirmation import Interrupted, NobodyThere, consent


class ActionModule(ActionBase):
    """Runs on the controller, and prompts on its terminal."""

    _requires_connection = False
    # One prompt for all hosts.
    BYPASS_HOST_LOOP = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the answer; without a terminal, that is no."""
        super().run(tmp, task_vars)
        text = {"type": "str", "required": True}
        _spec, args = self.validate_argument_spec(
            {"question": text, "would": text, "assume_yes": {"type": "bool", "default": False}}
        )
        ask = functools.partial(prompt, args["question"])
        given = consent(args["assume_yes"], bool(self._task.check_mode), args["would"], ask)
        return {"changed": False, **dataclasses.asdict(given)}


def prompt(question: str) -> bytes:
    """Prompt, and return what was typed."""
    try:
        return Display().prompt_until(f"  {question} [y/N]")
    except AnsiblePromptInterrupt:
        raise Interrupted from None
    except AnsiblePromptNoninteractive:
        raise NobodyThere from None
