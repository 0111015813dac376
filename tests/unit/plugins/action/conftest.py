# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from types import SimpleNamespace

import pytest


@pytest.fixture
def act():
    """Run an action plugin that needs no host."""

    def run(action, check_mode=True, **arguments):
        task = SimpleNamespace(args=arguments, action="x", async_val=0, check_mode=check_mode)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"), transport="local")
        plugin = action(task, connection, play_context=None, loader=None, templar=None)
        plugin._load_name = "x"
        return plugin.run(task_vars={})

    return run
