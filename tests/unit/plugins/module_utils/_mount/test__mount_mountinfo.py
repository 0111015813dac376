# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._mount.mountinfo import (
    MountEntry,
    device_name,
    is_bound_onto_itself,
    is_our_device,
    may_unbind,
    mount_at,
    mount_of,
    mounts_below,
    needs_shared_bind,
    parse_mountinfo,
    unescape,
)

PRIVATE_ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
SHARED_ROOT = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
BIND = "43 27 254:0 /srv/m/one /srv/m/one rw,relatime shared:2 - ext4 /dev/vda rw\n"
BUCKET = "44 43 0:39 / /srv/m/one/.bucket ro,nosuid shared:3 - fuse.rclone desi-lab:lab:0123456789ab ro,allow_other\n"


OPTIONS = ("ro", "nosuid", "ro", "allow_other")


def test_all_fields_of_a_line_are_read():
    mounted = (44, 43, "0:39", "/", "/srv/m/one/.bucket", ("shared:3",), "fuse.rclone", "desi-lab:lab:0123456789ab")
    assert parse_mountinfo(BUCKET) == [MountEntry(*mounted, OPTIONS)]
    (entry,) = parse_mountinfo(r"50 27 0:40 /a\040b /mnt/my\040data\011x\134y rw - fuse s3\040dev rw")
    assert (entry.root, entry.mount_point, entry.source) == ("/a b", "/mnt/my data\tx\\y", "s3 dev")
    for field, plain in ((r"\134040", r"\040"), ("plain", "plain"), ("é\\040ü", "é ü"), ("\\9", "\\9")):
        assert unescape(field) == plain


@pytest.mark.parametrize(
    "line", ["", "nonsense", "1 2 3:4 / /x rw", "a b 0:1 / /x rw - ext4 /dev/x rw", "1 2 0:1 / /x rw - ext4"]
)
def test_lines_of_another_form_are_left_out(line):
    assert parse_mountinfo(f"{line}\n{PRIVATE_ROOT}") == parse_mountinfo(PRIVATE_ROOT)


def test_sharing_and_fuse_are_read():
    lines = "30 27 0:5 / /run rw shared:5 master:1 - tmpfs tmpfs rw\n31 27 0:6 / /x rw master:1 - tmpfs t rw\n"
    assert [entry.shared for entry in parse_mountinfo(PRIVATE_ROOT + lines)] == [False, True, False]
    for fstype, fuse in (("fuse", True), ("fuse.x", True), ("fuseblk", False), ("ext4", False)):
        assert parse_mountinfo(f"9 8 0:1 / /x rw - {fstype} d rw")[0].fuse is fuse


def test_of_stacked_mounts_the_one_on_top_counts_whatever_the_order():
    below = "60 27 0:50 / /mnt rw - tmpfs below rw\n"
    above = "61 60 0:51 / /mnt rw - tmpfs above rw\n"
    for text in (below + above, above + below):
        assert mount_at(parse_mountinfo(PRIVATE_ROOT + text), "/mnt").source == "above"
    assert mount_at(parse_mountinfo(PRIVATE_ROOT), "/mnt") is None


def test_mount_of_a_path_is_the_innermost_and_names_are_not_cut():
    mounts = parse_mountinfo(PRIVATE_ROOT + BIND)
    assert mount_of(mounts, "/srv/m/one/deep/er").mount_id == 43
    assert mount_of(mounts, "/srv/m/one-more").mount_id == 27
    assert mount_of([], "/srv") is None


def test_bind_onto_itself_is_told_from_other_mounts():
    mounts = parse_mountinfo(PRIVATE_ROOT + BIND + BUCKET)
    assert is_bound_onto_itself(mounts, "/srv/m/one")
    assert not is_bound_onto_itself(mounts, "/srv/m/one/.bucket")
    assert not is_bound_onto_itself(mounts, "/")
    elsewhere = "43 27 254:0 /srv/m/other /srv/m/one rw shared:2 - ext4 /dev/vda rw\n"
    assert not is_bound_onto_itself(parse_mountinfo(PRIVATE_ROOT + elsewhere), "/srv/m/one")


def test_bind_onto_itself_is_told_on_a_disk_whose_root_is_mounted_elsewhere():
    disk = "30 27 254:1 /sub /srv rw - btrfs /dev/vdb rw\n43 30 254:1 /sub/m /srv/m rw shared:2 - btrfs /dev/vdb rw\n"
    assert is_bound_onto_itself(parse_mountinfo(PRIVATE_ROOT + disk), "/srv/m")


def test_parent_needs_a_bind_only_where_nothing_shared_is_around_it():
    assert needs_shared_bind(parse_mountinfo(PRIVATE_ROOT), "/srv/m/one")
    assert not needs_shared_bind(parse_mountinfo(SHARED_ROOT), "/srv/m/one")
    assert not needs_shared_bind(parse_mountinfo(PRIVATE_ROOT + BIND), "/srv/m/one")
    private_disk = "30 27 254:1 / /srv rw - ext4 /dev/vdb rw\n"
    assert needs_shared_bind(parse_mountinfo(SHARED_ROOT + private_disk), "/srv/m/one")


def test_bind_is_undone_only_when_it_is_ours_by_its_form_and_empty():
    assert may_unbind(parse_mountinfo(PRIVATE_ROOT + BIND), "/srv/m/one")
    assert not may_unbind(parse_mountinfo(PRIVATE_ROOT + BIND + BUCKET), "/srv/m/one")
    assert not may_unbind(parse_mountinfo(PRIVATE_ROOT), "/srv/m/one")
    disk = "43 27 254:1 / /srv/m/one rw shared:2 - ext4 /dev/vdb rw\n"
    assert not may_unbind(parse_mountinfo(PRIVATE_ROOT + disk), "/srv/m/one")


def test_mounts_below_a_folder_leave_out_the_folder_itself():
    mounts = parse_mountinfo(PRIVATE_ROOT + BIND + BUCKET)
    assert [entry.mount_id for entry in mounts_below(mounts, "/srv/m/one")] == [44]
    assert [entry.mount_id for entry in mounts_below(mounts, "/srv/m/o")] == []


def test_only_our_own_device_names_are_ours():
    for source in (device_name("desidata", "0123456789ab"), "desi-lab:a.b-c:00"):
        assert is_our_device(source)
    for source in ("desi-lab:desidata", "desi-lab::0123", "xdesi-lab:desidata:0123", "desi-lab:desidata:0123 "):
        assert not is_our_device(source)
