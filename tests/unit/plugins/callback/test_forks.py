# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import gc
import sys
from pathlib import Path

from ansible_collections.desi.lab.plugins.callback.plain_settings import prepare_forks

FILTERS = (Path(__file__).parents[4] / "plugins/filter").glob("*.py")


def test_filters_are_loaded_before_tasks_are_forked():
    try:
        prepare_forks()
        assert gc.get_freeze_count()
        assert {f"ansible_collections.desi.lab.plugins.filter.{each.stem}" for each in FILTERS} <= set(sys.modules)
    finally:
        gc.unfreeze()
