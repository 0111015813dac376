# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from aws_region import record


@pytest.mark.parametrize(
    ("kind", "state", "words"),
    [
        ("t3.xlagre", "running", "The nearest that there are: t3."),
        ("t3.small", "stopped", "The machine is stopped, with all that is on its disk: ./lab start starts it again"),
    ],
)
def test_change_that_fails_leaves_the_machine_running_or_says_how_to_start_it(
    region, play_tasks, tmp_path, kind, state, words
):
    number, folder = region.launch(), tmp_path / "lab"
    record(folder, ("machine", number))
    region.faults["ec2:ModifyInstanceAttribute"] = ("Unsupported", "no")
    tasks = [
        {"ansible.builtin.include_role": {"name": "desi.lab.ec2", "tasks_from": part}} for part in ("inspect", "resize")
    ]
    given = {"ec2_folder": str(folder), "ec2_yes": True, "ec2_query_disk": True, "ec2_resize_types": [kind]}
    code, shown = play_tasks(tasks, given)
    assert code != 0
    assert words in shown
    (instance,) = region.instances()
    assert instance["State"]["Name"] == state
