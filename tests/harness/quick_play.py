# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many runs of ansible-playbook, each a child of one process that has everything loaded.

The plays, roles, actions and modules are the product's. What differs is where a module of this computer runs: in the
worker of its task, and not in a Python of its own, which takes ten times as long. With --sleepless nobody sleeps.

Each line of the input is a run; a line with its process and one with its exit code are printed. A run may end at a task
as if it was killed there. With --alone this process is the one run, of what else is on the command line.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import sys
import time
import traceback
import warnings
from collections.abc import Iterable
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from ansible import constants
from ansible.cli.playbook import PlaybookCLI
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.plugins.action import ActionBase
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionPkgLoaderBase
from player import IS_POSSIBLE

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(constants.ANSIBLE_HOME)
KILLED = 137
USUALLY = ActionBase._execute_module
COMPILED = _AnsibleCollectionPkgLoaderBase.get_code
# What the modules of a verb are, so that no worker has to import it: those for EC2, and those for a lab here.
LOADED = (
    "amazon.aws.plugins.modules.aws_caller_info",
    "amazon.aws.plugins.modules.ec2_security_group",
    "amazon.aws.plugins.modules.ec2_tag",
    "community.crypto.plugins.modules.openssh_keypair",
    "desi.lab.plugins.modules.directory_sync",
    "desi.lab.plugins.modules.ec2_instance_stop",
    "desi.lab.plugins.modules.ec2_instance_type",
    "desi.lab.plugins.modules.ec2_launch",
    "desi.lab.plugins.modules.ec2_lab_info",
    "desi.lab.plugins.modules.ec2_lab_removal",
    "desi.lab.plugins.modules.ec2_plan",
    "desi.lab.plugins.modules.ec2_status",
    "desi.lab.plugins.modules.labs_info",
)
LOADED_ALONE = (
    "community.docker.plugins.modules.docker_container",
    "desi.lab.plugins.modules.bucket_mount",
    "desi.lab.plugins.modules.labs_info",
)
SERVICES = ("ec2", "sts", "iam", "ssm", "scheduler", "service-quotas", "pricing")


def in_process() -> Any:
    """Return the product's part that runs modules in workers, which can be imported when collections can."""
    return importlib.import_module("ansible_collections.desi.lab.plugins.plugin_utils._in_process")


def execute_module(
    self: Any, module_name: Any = None, module_args: Any = None, task_vars: Any = None, **options: Any
) -> dict[str, Any]:
    """Run a module of this computer in this process, and one of a machine as usual."""
    # As somebody else, or beside the play, it has to be another process.
    if self._connection.transport != "local" or self._connection.become or options.get("wrap_async"):
        return USUALLY(self, module_name, module_args, task_vars=task_vars, **options)
    find = self._shared_loader_obj.module_loader.find_plugin_with_context
    name = find(module_name or self._task.action, collection_list=self._task.collections).resolved_fqcn
    collection = name.rpartition(".")[0]
    builtin = collection in ("ansible.builtin", "ansible.legacy")
    return in_process().run(
        self,
        name,
        self._task.args if module_args is None else module_args,
        task_vars or {},
        package="ansible.modules" if builtin else f"ansible_collections.{collection}.plugins.modules",
        ignore_unknown_opts=options.get("ignore_unknown_opts", False),
    )


def read_code(self: Any, name: str) -> CodeType | None:
    """Return the code of a module of a collection from where Python keeps bytecode, which Ansible does not."""
    path = self._source_code_path
    return SourceFileLoader(name, path).get_code(name) if path else COMPILED(self, name)


def kill_at(number: int) -> None:
    """End this process before a task, by its number from 1, as a kill would."""
    send, left = TaskQueueManager.send_callback, [number]

    def counting(manager: Any, method: str, *about: Any, **options: Any) -> None:
        if method == "v2_playbook_on_task_start":
            left[0] -= 1
            if not left[0]:
                os._exit(KILLED)
        send(manager, method, *about, **options)

    TaskQueueManager.send_callback = counting


def load_modules(names: Iterable[str]) -> None:
    for name in names:
        importlib.import_module(f"ansible_collections.{name}")


def load() -> None:
    """Import what the verbs use, read AWS's descriptions of its services, and have plays share what they make."""
    import boto3
    import botocore.session
    import play_caches

    # One reader, which remembers: each session would search folders and parse megabytes again.
    botocore.session.create_loader = cache(botocore.session.create_loader)
    for service in SERVICES:
        client = boto3.client(service, region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106 - nobody is asked
        client.can_paginate(next(iter(client.meta.method_to_api_mapping)))
    load_modules(LOADED)
    for folder in ("action", "callback", "filter"):
        package = importlib.import_module(f"ansible_collections.desi.lab.plugins.{folder}")
        load_modules(found.name for found in pkgutil.iter_modules(package.__path__, f"desi.lab.plugins.{folder}."))
    [root] = importlib.import_module("ansible_collections.desi.lab").__path__
    play_caches.share_yaml([Path(root), ROOT])
    play_caches.Compiled(HOME / "compiled").share()
    # Plays inherit the answer.
    play_caches.packed_folder(HOME, ROOT / "plugins")
    # A collection of garbage in a child would copy what it shares.
    gc.collect()
    gc.freeze()


def run(order: dict[str, Any]) -> int:
    """Run ansible-playbook in this process, which is a child of its own."""
    import play_caches

    os.setsid()
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    errors = os.open(order["errors"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) if order["errors"] else output
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((null, 0), (output, 1), (errors, 2)):
        os.dup2(descriptor, target)
    if order["task"]:
        kill_at(order["task"])
    ActionBase._execute_module = execute_module
    play_caches.share_modules(play_caches.packed_folder(HOME, ROOT / "plugins"))
    sys.argv = order["command"]
    try:
        PlaybookCLI.cli_executor(sys.argv)
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def main() -> None:
    from ansible.plugins.loader import init_plugin_loader

    if "--sleepless" in sys.argv:
        # What is waited for is there at once, or never. Before anything has it by another name.
        slept = time.sleep
        time.sleep = lambda seconds: slept(min(seconds, 0.02))
    if IS_POSSIBLE:
        _AnsibleCollectionPkgLoaderBase.get_code = read_code
    init_plugin_loader()
    # That it is loaded already when a run begins is meant.
    warnings.simplefilter("ignore")
    assert AnsibleCollectionConfig.collection_finder
    if sys.argv[1:2] == ["--alone"]:
        if IS_POSSIBLE:
            import play_caches

            load_modules(LOADED_ALONE)
            play_caches.Compiled(HOME / "compiled").share()
            play_caches.share_modules(play_caches.packed_folder(HOME, ROOT / "plugins"))
            ActionBase._execute_module = execute_module
        sys.argv = ["ansible-playbook", *sys.argv[2:]]
        PlaybookCLI.cli_executor(sys.argv)
    load()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if not process:
            code = 250
            try:
                code = run(order)
            except BaseException:
                traceback.print_exc()
            finally:
                # Nothing of the parent's is tidied away by a child.
                os._exit(code)
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
