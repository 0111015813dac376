# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules of this computer, run in the worker of their task.

Ansible packs a module into an archive, and runs that in a new Python, which imports all that the module needs: about
0.4 seconds, and 0.6 with boto3. A worker is a fork that has one task, so a module may run in it as it is. What a module
leaves to the end of its Python (atexit, and so AnsibleModule.tmpdir) does not happen there.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
import typing as t
from unittest import mock

from ansible.module_utils.testing import patch_module_args
from ansible.plugins.action import ActionBase
from ansible.release import __version__

from ._controller_action import MODULES

# What is used of ActionBase here is not promised; with another Ansible, modules run as usual.
_KNOWN = ("2.19.", "2.20.", "2.21.")


def is_possible(action: ActionBase, task_vars: t.Mapping[str, t.Any]) -> bool:
    """Tell if the module of a task would run as this user, on this computer and with the Python of this process."""
    connection, task = action._connection, action._task
    if connection.transport != "local" or connection.become or task.async_val or not __version__.startswith(_KNOWN):
        return False
    # macOS ends a fork that asks for its proxies, which botocore does (https://github.com/ansible/ansible/issues/32554).
    if sys.platform == "darwin":
        return False
    host = task_vars.get("ansible_delegated_vars", {}).get(task.delegate_to, {}) if task.delegate_to else task_vars
    return action._templar.template(host.get("ansible_python_interpreter")) == sys.executable


def run(
    action: ActionBase,
    name: str,
    arguments: t.Mapping[str, t.Any],
    task_vars: dict[str, t.Any],
    *,
    package: str = MODULES,
    ignore_unknown_opts: bool = False,
) -> dict[str, t.Any]:
    """Run a module of a Python package; return its result as ``_execute_module`` does."""
    environment: dict[str, t.Any] = {}
    action._compute_environment_string(environment)
    arguments = dict(arguments)
    action._update_module_args(name, arguments, task_vars, ignore_unknown_opts=ignore_unknown_opts)
    output, errors = io.StringIO(), io.StringIO()
    with (
        # A later turn of a loop may have another environment.
        mock.patch.dict(os.environ, {variable: str(value) for variable, value in environment.items()}),
        contextlib.redirect_stdout(output),
        # Ansible would show what a worker writes there.
        contextlib.redirect_stderr(errors),
        patch_module_args(arguments),
        interruptible(),
        contextlib.suppress(SystemExit),
    ):
        importlib.import_module(f"{package}.{name.rpartition('.')[2]}").main()
    answer = {"rc": 0, "stdout": output.getvalue(), "stderr": errors.getvalue()}
    parsed = action._parse_returned_data(answer, "legacy")
    # An Ansible of 2.21 has a class for it.
    result: dict[str, t.Any] = parsed if isinstance(parsed, dict) else parsed.as_result_dict(for_round_trip=True)
    for stream in {"stdout", "stderr"} & result.keys():
        result.setdefault(f"{stream}_lines", (result[stream] or "").splitlines())
    return result


@contextlib.contextmanager
def interruptible() -> t.Iterator[None]:
    """Let a module tidy up on Ctrl-C as it does in a Python of its own, with the programs that it has started."""

    def interrupt(_number: int, _frame: object) -> None:
        # Ansible sends the second right behind the first, and either would end this worker at once.
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        os.killpg(0, signal.SIGINT)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        # Some versions of Ansible would show a traceback.
        os._exit(1)
    finally:
        signal.signal(signal.SIGINT, before)
