# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plain_settings
type: notification
short_description: Refuse settings that contain templates
version_added: "0.1.0"
description:
  - Looks at what was given with C(-e) before any play begins, which is before Ansible works any of it out.
  - Ends the run if a template is in it, or if a file (C(-e @file)) sets something else than settings of DESI Lab.
  - Loads the filters of the collection, and the modules that call AWS, once for all tasks.
  - Makes what programs read of the environment, such as proxies and certificate authorities, the same for all of them.
  - C(./lab) enables it. To have it elsewhere, name it in C(callbacks_enabled) of C(ansible.cfg).
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - to be named in C(callbacks_enabled)
"""

import contextlib
import gc
import importlib
import os
import pkgutil
import sys
import typing as t

from ansible import context
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.callback import CallbackBase

from .. import filter as filters
from ..module_utils._aws.credentials import read_descriptions
from ..module_utils._common.errors import LabError
from ..module_utils._common.text import clean
from ..plugin_utils._controller_action import MODULES
from ..plugin_utils._fact_injection import check_names_in_file, check_plain
from ..plugin_utils._surroundings import agreed

if t.TYPE_CHECKING:
    from ansible.playbook import Playbook
    from ansible.playbook.task import Task


class CallbackModule(CallbackBase):
    """Ends a run whose settings are more than data."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "desi.lab.plain_settings"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        try:
            for play in playbook.get_plays()[:1]:
                check_plain(play.get_variable_manager().extra_vars)
                for given in context.CLIARGS.get("extra_vars") or ():
                    if str(given).startswith("@"):
                        check_names_in_file(str(given)[1:], names_in(play.get_loader(), str(given)[1:]))
        except LabError as error:
            self._end(error)
        except Exception as error:
            # Ansible would only warn, and continue.
            do = "Give the settings one by one with -e to find out which one it is."
            self._end(LabError("The settings could not be looked at.", f"{type(error).__name__}: {error}", do))
        settled = agreed(os.environ)
        for name in set(os.environ) - set(settled):
            del os.environ[name]
        os.environ.update(settled)
        prepare_forks()

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        load_module(task.resolved_action or task.action)

    def _end(self, error: LabError) -> t.NoReturn:
        for line in (f"x {error.what}", f"  Why   {error.why}", f"  Do    {error.do}"):
            self._display.display(f"  {clean(line)}", stderr=True)
        sys.exit(1)


def prepare_forks() -> None:
    """Load the filters once for all tasks, each of which runs in a fork of this process."""
    # A task that uses one loads all. Ansible keeps no bytecode of collections, so each task would compile them.
    for found in pkgutil.iter_modules(filters.__path__, f"{filters.__name__}."):
        importlib.import_module(found.name)
    # The collector would write to every object, and so copy the memory that a fork shares.
    gc.collect()
    gc.freeze()


def load_module(action: str) -> None:
    """Import a module that calls AWS, which takes 0.3 seconds, in time for the workers that are forked from now on."""
    name = f"{MODULES}.{action.rpartition('.')[2]}"
    if action.startswith("desi.lab.ec2_") and name not in sys.modules:
        # What is missing, the task tells.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
            read_descriptions(os.environ.get("AWS_DATA_PATH"))
        gc.freeze()


def names_in(loader: DataLoader, path: str) -> list[t.Any]:
    """Return the names in a settings file."""
    found = loader.load_from_file(path)
    return list(found) if isinstance(found, dict) else []
