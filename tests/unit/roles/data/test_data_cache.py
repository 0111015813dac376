# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest


@pytest.mark.parametrize("cache", ["", "/"])
def test_cache_that_would_lie_in_the_root_directory_is_refused(play_tasks, cache):
    # The engine is elsewhere, so that this computer needs no FUSE.
    given = {"data_cache": cache, "data_engine_endpoint": "tcp://192.0.2.1:2375", "data_place": "mounter"}
    role = {"ansible.builtin.include_role": {"name": "desi.lab.data", "tasks_from": "place"}}
    code, shown = play_tasks([role], given)
    assert code != 0
    assert "Its cache would lie in / itself." in shown
