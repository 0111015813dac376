# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Confirm what costs money or destroys."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.utils.display import Display

from ..plugin_utils._controller_action import ControllerAction

YES = ("y", "yes")


class ActionModule(ControllerAction):
    """Prompts on the controller's terminal, once for all hosts."""

    BYPASS_HOST_LOOP = True

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the answer, and the reason and remedy of a no. In check mode nothing is done.

        Silence is a no: where nobody can be asked, only ``assume_yes`` goes on.
        """
        nothing = {"asked": False, "answer": False, "why": "", "do": ""}
        if args["assume_yes"] or self._task.check_mode:
            return {**nothing, "answer": True}
        try:
            typed = Display().prompt_until(f"  {args['question']} [y/N]")
            agreed = typed.decode(errors="replace").strip().lower() in YES
        except AnsiblePromptInterrupt:
            agreed = False
        except AnsiblePromptNoninteractive:
            why = f"This would {args['would']}, and nobody could be asked: there is no terminal to answer at."
            do = "If that is what you want, say so: -e lab_yes=true. In 0.1.0 no terminal was a yes; now it is a no."
            return {**nothing, "why": why, "do": do}
        return {**nothing, "asked": True, "answer": agreed, "why": "" if agreed else "You did not say yes."}
