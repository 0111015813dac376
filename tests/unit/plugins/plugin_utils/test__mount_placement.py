# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import itertools

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


MINE, PREFIX, ROOT_OF = {**PUBLIC, "bucket": "mine"}, {**PUBLIC, "prefix": "public"}, {**PUBLIC, "prefix": "/"}
ALONE = "This image, by itself, can mount the public bucket alone."


@pytest.mark.security("H4")
@pytest.mark.parametrize(
    ("asked", "host", "mounts_any", "bucket", "place", "reason", "obstacle"),
    [
        ("auto", LINUX, False, MIRROR, "host", "", ""),
        ("host", LINUX, False, MIRROR, "host", "", ""),
        # A container beside the lab mounts where the host cannot, and that is said.
        ("auto", DESKTOP, True, PUBLIC, "mounter", "Docker Desktop", ""),
        ("auto", ELSEWHERE, False, MIRROR, "mounter", "another computer", ""),
        ("auto", NO_ROOT, True, MIRROR, "mounter", "rights of root", ""),
        # It can be asked for anywhere.
        ("mounter", LINUX, False, MIRROR, "mounter", "", ""),
        ("mounter", NO_ROOT, False, MIRROR, "mounter", "", ""),
        # No other place is taken than the one that was asked for.
        ("host", DESKTOP, True, PUBLIC, "host", "", "Docker Desktop"),
        ("host", ELSEWHERE, True, PUBLIC, "host", "", "another computer"),
        ("host", NO_ROOT, True, PUBLIC, "host", "", "rights of root"),
        # Without FUSE there is no place, unless the engine is not on this computer.
        ("auto", NO_FUSE, True, PUBLIC, "host", "", "/dev/fuse"),
        ("host", NO_FUSE, True, PUBLIC, "host", "", "/dev/fuse"),
        ("mounter", NO_FUSE, True, PUBLIC, "mounter", "", "/dev/fuse"),
        ("container", DESKTOP, True, MIRROR, "container", "", ""),
        ("container", ELSEWHERE, True, MIRROR, "container", "", ""),
        # An image that knows one bucket is not given another.
        ("container", LINUX, False, MINE, "container", "", ALONE),
        ("container", LINUX, False, PREFIX, "container", "", ALONE),
        ("container", LINUX, False, ROOT_OF, "container", "", ""),
        ("container", LINUX, True, MINE, "container", "", ""),
    ],
)
def test_place_reason_and_trouble(asked, host, mounts_any, bucket, place, reason, obstacle):
    found = mount_place(asked, host, mounts_any, bucket)
    assert found["place"] == place
    for told, expected in ((found["reason"], reason), (found["error"], obstacle)):
        assert expected in told
        assert bool(told) is bool(expected)


@pytest.mark.security("H4")
def test_the_lab_is_never_given_the_right_to_mount_without_being_asked():
    endpoints = ("unix:///var/run/docker.sock", "ssh://ann@192.0.2.7", "tcp://192.0.2.7:2375")
    truth = (True, False)
    for endpoint, desktop, root, fuse, any_, bucket in itertools.product(
        endpoints, truth, truth, truth, truth, (PUBLIC, MIRROR)
    ):
        host = {"desktop": desktop, "endpoint": endpoint, "root": root, "fuse": fuse}
        for asked in ("auto", "host", "mounter"):
            assert mount_place(asked, host, any_, bucket)["place"] != "container"
        assert mount_place("container", host, any_, bucket)["place"] == "container"


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


def test_a_container_that_may_mount_is_known():
    for granted in (["SYS_ADMIN"], ["CAP_SYS_ADMIN", "SETUID"], ["ALL"]):
        assert may_mount({"HostConfig": {"CapAdd": granted}}) is True
    for nothing in (
        None,
        {},
        {"HostConfig": None},
        *({"HostConfig": {"CapAdd": caps}} for caps in (["KILL"], [], None)),
    ):
        assert may_mount(nothing) is False


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
