# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import gc
import sys
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.callback.plain_settings import load_module, prepare_forks

FILTERS = (Path(__file__).parents[4] / "plugins/filter").glob("*.py")
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
