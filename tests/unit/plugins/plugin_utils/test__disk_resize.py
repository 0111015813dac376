# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._disk_resize import disk_is_seen, grow_commands


def root(source, kind):
    return json.dumps({"filesystems": [{"source": source, "fstype": kind}]})


def disks(*nodes):
    return json.dumps({"blockdevices": list(nodes)})


def disk(name, *children, **more):
    return {"name": name, "path": f"/dev/{name}", "type": "disk", "children": list(children), **more}


def part(name, *places, **more):
    return {"name": name, "path": f"/dev/{name}", "type": "part", "mountpoints": list(places), **more}


AMAZON = disks(disk("nvme0n1", part("nvme0n1p1", "/"), part("nvme0n1p127"), part("nvme0n1p128", "/boot/efi")))
UBUNTU = disks(disk("loop0"), disk("xvda", part("xvda1", "/"), part("xvda14"), part("xvda15", "/boot/efi")))


@pytest.mark.parametrize(
    ("findmnt", "lsblk", "commands"),
    [
        (root("/dev/nvme0n1p1", "xfs"), AMAZON, [["growpart", "/dev/nvme0n1", "1"], ["xfs_growfs", "/"]]),
        (root("/dev/xvda1", "ext4"), UBUNTU, [["growpart", "/dev/xvda", "1"], ["resize2fs", "/dev/xvda1"]]),
        (root("/dev/root", "ext4"), UBUNTU, [["growpart", "/dev/xvda", "1"], ["resize2fs", "/dev/xvda1"]]),
        (root("/dev/xvdb", "ext4"), disks(disk("xvdb")), [["resize2fs", "/dev/xvdb"]]),
        (root("/dev/nvme0n1p1[/@]", "xfs"), AMAZON, [["growpart", "/dev/nvme0n1", "1"], ["xfs_growfs", "/"]]),
    ],
)
def test_partition_grows_before_its_file_system(findmnt, lsblk, commands):
    assert grow_commands(findmnt, lsblk) == commands


def test_an_older_lsblk_tells_one_place():
    node = {**part("xvda1"), "mountpoint": "/", "mountpoints": None}
    assert grow_commands(root("/dev/root", "xfs"), disks(disk("xvda", node)))[0] == ["growpart", "/dev/xvda", "1"]


@pytest.mark.parametrize(
    ("findmnt", "lsblk"),
    [
        (root("overlay", "overlay"), UBUNTU.replace('"/"', '"/etc/hosts"')),
        (root("/dev/xvda1", "btrfs"), UBUNTU),
        (root("/dev/mapper/vg-root", "xfs"), disks(disk("xvda", part("xvda1", children=[part("vg-root", "/")])))),
        ("", ""),
        ("[]", "3"),
        ('{"filesystems": []}', "{}"),
    ],
)
def test_what_cannot_grow_this_way_is_left_alone(findmnt, lsblk):
    assert grow_commands(findmnt, lsblk) == []


@pytest.mark.parametrize(("size", "seen"), [(30 << 30, False), (40 << 30, True), (41 << 30, True), (None, False)])
def test_a_larger_disk_is_seen_once_its_size_is_told(size, seen):
    lsblk = disks(disk("xvda", part("xvda1", "/"), size=size))
    assert disk_is_seen(root("/dev/xvda1", "xfs"), lsblk, "40") is seen


def test_where_no_disk_can_grow_there_is_nothing_to_wait_for():
    assert disk_is_seen(root("overlay", "overlay"), disks(disk("xvda", size=1)), 40)
