# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.callback.plain_settings import load_module, prepare_forks

FILTERS = (Path(__file__).parents[4] / "plugins/filter").glob("*.py")
# What a run begins with, in a Python of its own; its answer is what it has imported.
BEGIN = """
import sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
from ansible_collections.desi.lab.plugins.callback.plain_settings import prepare_forks
prepare_forks()
print(*sys.modules)
"""
MODULES = "ansible_collections.desi.lab.plugins.modules"


@pytest.fixture
def _thawed():
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_thawed")
def test_filters_are_loaded_before_tasks_are_forked():
    prepare_forks()
    assert gc.get_freeze_count()
    assert {f"ansible_collections.desi.lab.plugins.filter.{each.stem}" for each in FILTERS} <= set(sys.modules)


def test_no_run_begins_with_what_only_aws_needs():
    known = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(Path(__file__).parents[4] / ".collections")}
    begun = subprocess.run([sys.executable, "-c", BEGIN], env=known, capture_output=True, text=True, check=True)
    imported = set(begun.stdout.split())
    assert f"{MODULES.rpartition('.')[0]}.module_utils._aws.errors" in imported
    assert not imported & {"boto3", "botocore", "urllib3"}


@pytest.mark.usefixtures("_thawed")
@pytest.mark.parametrize(
    ("action", "is_loaded"),
    [("desi.lab.ec2_record", True), ("desi.lab.browser", False), ("ansible.builtin.ec2_record", False)],
)
def test_what_calls_aws_is_loaded_when_its_task_begins(monkeypatch, action, is_loaded):
    name = f"{MODULES}.{action.rpartition('.')[2]}"
    monkeypatch.delitem(sys.modules, name, raising=False)
    load_module(action)
    assert (name in sys.modules) is is_loaded
