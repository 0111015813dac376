# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file system of a machine grows into its disk, or it is told why not."""

import json
import os

import pytest

RESIZE = [{"ansible.builtin.include_role": {"name": "desi.lab.ec2_host", "tasks_from": "resize_disk"}}]
GIB = 1 << 30


@pytest.fixture
def programs(tmp_path):
    """Lay down programs that answer what a test says, and note that they were called; return their PATH and notes."""

    def make(disk_gib):
        folder, calls = tmp_path / "bin", tmp_path / "calls"
        folder.mkdir()
        part = {"name": "xvda1", "path": "/dev/xvda1", "type": "part", "mountpoint": "/", "size": disk_gib * GIB}
        disk = {"name": "xvda", "path": "/dev/xvda", "type": "disk", "size": disk_gib * GIB, "children": [part]}
        answers = {
            "findmnt": {"filesystems": [{"source": "/dev/xvda1", "fstype": "ext4"}]},
            "lsblk": {"blockdevices": [disk]},
            "growpart": "",
            "resize2fs": "",
        }
        for name, answer in answers.items():
            program = folder / name
            program.write_text(f"#!/bin/sh\necho {name} >> {calls}\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
            program.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}", calls

    return make


def test_partition_and_file_system_grow_into_a_larger_disk(play_tasks, programs):
    path, calls = programs(64)
    code, shown = play_tasks(RESIZE, {"ec2_host_disk_gib": 64}, PATH=path)
    assert code == 0, shown
    assert calls.read_text().split()[2:] == ["growpart", "resize2fs"]


def test_disk_that_stays_as_it_was_is_told_with_what_to_do(play_tasks, programs):
    path, calls = programs(30)
    code, shown = play_tasks(RESIZE, {"ec2_host_disk_gib": 64, "__ec2_host_disk_tries": 1}, PATH=path)
    assert code != 0, shown
    assert "does not see a disk of 64 GiB" in shown
    assert "Run the same command again" in shown
    assert "growpart" not in calls.read_text()
