# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask whoever is there whether to go on."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

YES = ("y", "yes")


def means_yes(typed: bytes) -> bool:
    """Tell whether what somebody typed is a yes. All that is not, is a no."""
    return typed.decode(errors="replace").strip().lower() in YES


class ActionModule(ActionBase):
    """Runs where Ansible runs, and asks the terminal that the run was begun on."""

    _requires_connection = False
    # However many hosts there are, there is one person.
    BYPASS_HOST_LOOP = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return what was answered; where nobody can be asked, that is yes."""
        super().run(tmp, task_vars)
        _spec, args = self.validate_argument_spec(
            {
                "question": {"type": "str", "required": True},
                "assume_yes": {"type": "bool", "default": False},
            }
        )
        asked, answer = False, True
        if not args["assume_yes"] and not self._task.check_mode:
            try:
                answer = means_yes(Display().prompt_until(f"  {args['question']} [y/N]"))
                asked = True
            except AnsiblePromptInterrupt:
                asked, answer = True, False
            except AnsiblePromptNoninteractive:
                pass
        return {"changed": False, "asked": asked, "answer": answer}
