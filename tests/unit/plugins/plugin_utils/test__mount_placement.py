# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.plugin_utils._mount_placement import (
    may_mount,
    mount_key,
    mount_place,
    mounting_rights,
    volumes,
    writable_by,
)

PUBLIC = {"bucket": "desidata", "endpoint": "", "prefix": ""}
MIRROR = {**PUBLIC, "endpoint": "http://127.0.0.1:8333"}
LINUX = {"desktop": False, "endpoint": "unix:///var/run/docker.sock", "root": True, "fuse": True}
ROOTLESS = {**LINUX, "endpoint": "unix:///run/user/1000/docker.sock"}
NO_ROOT = {**LINUX, "root": False}
NO_FUSE = {**LINUX, "fuse": False}
DESKTOP = {**LINUX, "desktop": True, "fuse": False}
ELSEWHERE = {**LINUX, "endpoint": "ssh://ann@192.0.2.7", "fuse": False}


@pytest.mark.parametrize("host", [LINUX, ROOTLESS])
@pytest.mark.parametrize("asked", ["auto", "host"])
def test_bucket_is_mounted_on_the_host_where_that_can_be(host, asked):
    place = mount_place(asked, host, image_mounts_any=False, bucket=MIRROR)
    assert place == {"place": "host", "reason": "", "trouble": ""}


@pytest.mark.security("H4")
@pytest.mark.parametrize("image_mounts_any", [True, False])
@pytest.mark.parametrize("bucket", [PUBLIC, MIRROR])
@pytest.mark.parametrize(
    ("host", "reason"), [(DESKTOP, "Docker Desktop"), (ELSEWHERE, "another computer"), (NO_ROOT, "rights of root")]
)
def test_a_container_beside_the_lab_mounts_where_the_host_cannot_and_that_is_said(
    host, reason, bucket, image_mounts_any
):
    place = mount_place("auto", host, image_mounts_any=image_mounts_any, bucket=bucket)
    assert (place["place"], place["trouble"]) == ("mounter", "")
    assert reason in place["reason"]


@pytest.mark.security("H4")
@pytest.mark.parametrize("bucket", [PUBLIC, MIRROR])
@pytest.mark.parametrize("image_mounts_any", [True, False])
@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("desktop", [True, False])
@pytest.mark.parametrize("endpoint", ["unix:///var/run/docker.sock", "ssh://ann@192.0.2.7", "tcp://192.0.2.7:2375"])
def test_the_lab_is_never_given_the_right_to_mount_without_being_asked(
    endpoint, desktop, root, fuse, image_mounts_any, bucket
):
    host = {"desktop": desktop, "endpoint": endpoint, "root": root, "fuse": fuse}
    for asked in ("auto", "host", "mounter"):
        assert mount_place(asked, host, image_mounts_any, bucket)["place"] != "container"
    assert mount_place("container", host, image_mounts_any, bucket)["place"] == "container"


@pytest.mark.parametrize("host", [LINUX, ROOTLESS, NO_ROOT, DESKTOP, ELSEWHERE])
def test_a_container_beside_the_lab_can_be_asked_for_anywhere(host):
    expected = {"place": "mounter", "reason": "", "trouble": ""}
    assert mount_place("mounter", host, image_mounts_any=False, bucket=MIRROR) == expected


@pytest.mark.security("H4")
@pytest.mark.parametrize("embedded", [True, False])
def test_a_lab_that_mounts_has_all_else_dropped(embedded):
    rights = mounting_rights(embedded)
    assert rights["cap_drop"] == ["ALL"]
    assert rights["capabilities"][0] == "SYS_ADMIN"
    assert not {"NET_RAW", "MKNOD", "SYS_CHROOT", "SETFCAP", "NET_ADMIN", "SYS_PTRACE"} & set(rights["capabilities"])
    assert (rights["devices"], rights["security_opts"][0]) == (["/dev/fuse"], "apparmor:unconfined")


@pytest.mark.security("H4")
def test_our_own_image_only_steps_down_and_gains_nothing_by_setuid():
    rights = mounting_rights(True)
    assert set(rights["capabilities"]) == {"SYS_ADMIN", "SETUID", "SETGID", "SETPCAP"}
    assert "no-new-privileges:true" in rights["security_opts"]
    # Whoever changes what one lab gets does not change what the next one gets.
    rights["capabilities"].append("ALL")
    assert "ALL" not in mounting_rights(True)["capabilities"]


@pytest.mark.parametrize(
    ("granted", "may"),
    [
        (["SYS_ADMIN"], True),
        (["CAP_SYS_ADMIN", "SETUID"], True),
        (["ALL"], True),
        (["NET_ADMIN"], False),
        ([], False),
        (None, False),
    ],
)
def test_a_container_that_may_mount_is_known(granted, may):
    assert may_mount({"HostConfig": {"CapAdd": granted}}) is may


@pytest.mark.parametrize("nothing", [None, {}, {"HostConfig": None}])
def test_no_container_may_mount(nothing):
    assert may_mount(nothing) is False


@pytest.mark.parametrize(
    ("host", "trouble"), [(DESKTOP, "Docker Desktop"), (ELSEWHERE, "another computer"), (NO_ROOT, "rights of root")]
)
def test_host_that_was_asked_for_and_cannot_is_trouble_and_no_other_place_is_taken(host, trouble):
    place = mount_place("host", host, image_mounts_any=True, bucket=PUBLIC)
    assert (place["place"], place["reason"]) == ("host", "")
    assert trouble in place["trouble"]


@pytest.mark.parametrize("asked", ["auto", "host", "mounter", "container"])
def test_computer_without_fuse_can_mount_nowhere(asked):
    assert "/dev/fuse" in mount_place(asked, NO_FUSE, image_mounts_any=True, bucket=PUBLIC)["trouble"]


@pytest.mark.parametrize("host", [DESKTOP, ELSEWHERE])
def test_fuse_of_this_computer_does_not_matter_to_an_engine_that_is_not_on_it(host):
    assert mount_place("container", host, image_mounts_any=True, bucket=MIRROR)["trouble"] == ""


@pytest.mark.parametrize("bucket", [{**PUBLIC, "bucket": "mine"}, MIRROR, {**PUBLIC, "prefix": "public"}])
def test_image_that_knows_one_bucket_is_not_given_another(bucket):
    place = mount_place("container", LINUX, image_mounts_any=False, bucket=bucket)
    assert place["trouble"] == "This image, by itself, can mount the public bucket alone."
    assert mount_place("container", LINUX, image_mounts_any=True, bucket=bucket)["trouble"] == ""


def test_image_that_knows_one_bucket_may_have_that_one_however_its_root_is_written():
    assert mount_place("container", LINUX, False, {**PUBLIC, "prefix": "/"})["trouble"] == ""


def test_mount_is_called_after_its_bucket():
    key = mount_key("desidata", "", "", "us-west-2")
    assert key.startswith("desidata-")
    assert key == mount_key("desidata", "/", "", "us-west-2")
    assert mount_key("desidata", "edr", "http://h:1/", "") == mount_key("desidata", "/edr/", "http://h:1", "")


SOURCES = st.tuples(*[st.text(st.characters(min_codepoint=97, max_codepoint=100), max_size=3)] * 4)


@given(SOURCES, SOURCES)
def test_mounts_of_different_sources_have_different_names(one, other):
    assert (mount_key(*one) == mount_key(*other)) is (one == other)


def test_binds_become_volumes_below_the_path_of_the_image():
    binds = [{"source": "/data/my desi", "inside": ""}, {"source": "/data/tiny_dr1", "inside": "dr1"}]
    assert volumes(binds, "/home/desidata", "ro") == [
        "/data/my desi:/home/desidata:ro",
        "/data/tiny_dr1:/home/desidata/dr1:ro",
    ]
    assert volumes([], "/home/desidata", "rw") == []


@pytest.mark.parametrize(
    ("mode", "uid", "groups", "may"),
    [
        ("0755", 1000, [1000], True),
        ("0555", 1000, [1000], False),
        ("0755", 1001, [1000], False),
        ("0775", 1001, [1001, 1000], True),
        ("0775", 1001, [1001], False),
        ("0777", 1001, [1001], True),
        ("0000", 0, [0], True),
        # The owner's bits count for the owner, even where the group's would allow more.
        ("0577", 1000, [1000], False),
    ],
)
def test_who_may_write_is_told_by_owner_group_and_mode(mode, uid, groups, may):
    assert writable_by({"mode": mode, "uid": 1000, "gid": 1000}, uid, groups) is may
