# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A callback that writes the name of each task that a play comes to into the file DESI_TEST_TASKS."""

import os
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: tasks
type: aggregate
short_description: Write the names of tasks
description: Writes them.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "tasks"

    def v2_playbook_on_task_start(self, task, is_conditional):
        with Path(os.environ["DESI_TEST_TASKS"]).open("a", encoding="utf-8") as file:
            file.write(f"{task.get_name()}\n")
