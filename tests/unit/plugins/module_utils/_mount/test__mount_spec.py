# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import parse_size, size_text
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import (
    MountSpec,
    check_path,
    fingerprint,
    make_spec,
    mount_name,
)


def test_a_name_alone_is_the_public_bucket_at_amazon_read_only():
    assert make_spec({"bucket": "desidata"}) == MountSpec("desidata", "", "", "us-west-2", True, True, "", 0)
    assert make_spec({"bucket": "desidata"}).aws


def test_settings_are_brought_to_one_form():
    spec = make_spec(
        {"bucket": " lab ", "prefix": "/edr/x/", "endpoint": "http://h:1/", "cache": "/c//d/", "cache_max": "1G"}
    )
    assert (spec.bucket, spec.prefix, spec.endpoint, spec.cache) == ("lab", "edr/x", "http://h:1", "/c/d")
    assert spec.cache_max == 1024**3


@pytest.mark.parametrize(
    ("bucket", "endpoint", "path_style"), [("a-b", "", False), ("a.b", "", True), ("a-b", "http://h", True)]
)
def test_bucket_stands_in_the_path_where_host_names_cannot_hold_it(bucket, endpoint, path_style):
    assert make_spec({"bucket": bucket, "endpoint": endpoint}).path_style is path_style


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bucket", ""),
        ("bucket", "s3://desidata"),
        ("bucket", "desidata/edr"),
        ("bucket", "-x"),
        ("bucket", "a\nb"),
        ("bucket", "x" * 64),
        ("prefix", "../other"),
        ("prefix", "a//b"),
        ("prefix", "a\nb"),
        ("endpoint", "127.0.0.1:8333"),
        ("endpoint", "ftp://host"),
        ("endpoint", "http://host/?x=1"),
        ("endpoint", 'http://ho"st'),
        ("endpoint", "http://host name"),
        ("region", "us west"),
        ("region", "us-west-2,env_auth=true"),
        ("cache", "relative"),
        ("cache", "/"),
        ("cache", "/a\nb"),
        ("cache_max", "lots"),
        ("cache_max", "-1G"),
        ("cache_max", "0"),
        ("cache_max", "20 PB"),
        ("access_key", "AKIA"),
    ],
)
def test_bad_settings_are_refused_with_what_why_and_do(name, value):
    with pytest.raises(LabError) as caught:
        make_spec({"bucket": "lab", name: value})
    assert name in str(caught.value)
    assert all((caught.value.what, caught.value.why, caught.value.do))


def test_secret_in_the_endpoint_is_refused_and_not_repeated():
    with pytest.raises(LabError) as caught:
        make_spec({"bucket": "lab", "endpoint": "https://ann:hunter2@host"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20GiB", 20 * 1024**3),
        ("20G", 20 * 1024**3),
        ("20Gi", 20 * 1024**3),
        ("20GB", 20 * 1000**3),
        ("1.5 TiB", int(1.5 * 1024**4)),
        ("512m", 512 * 1024**2),
        ("100", 100),
        ("100B", 100),
    ],
)
def test_sizes_are_read_with_their_units(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"), [(20 * 1024**3, "20GiB"), (1024, "1KiB"), (1000, "1000B"), (1536 * 1024**2, "1536MiB")]
)
def test_sizes_are_written_whole(size, text):
    assert size_text(size) == text
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("path", "clean"),
    [("/a/b/", "/a/b"), ("/a//b", "/a/b"), ("//a", "/a"), ("/a/../b", "/b"), ("/my data", "/my data")],
)
def test_paths_are_normalised(path, clean):
    assert check_path(path) == clean


@pytest.mark.parametrize("path", ["", "relative", "/", "//", "/a/..", "/a\nb"])
def test_paths_that_cannot_be_mountpoints_are_refused(path):
    with pytest.raises(LabError):
        check_path(path)


@pytest.mark.parametrize("cache", ["/a/b", "/a/b/c"])
def test_cache_inside_its_own_mount_is_refused(cache):
    with pytest.raises(LabError, match="inside the mount"):
        check_path("/a/b", cache)
    assert check_path("/a/bc", cache) == "/a/bc"


def test_fingerprint_is_the_same_everywhere_and_for_ever():
    assert fingerprint(["rclone", "mount"]) == "9d4fa60348f6"
    assert fingerprint(["rclone mount"]) != fingerprint(["rclone", "mount"])


def test_names_are_readable_and_differ_for_different_paths():
    one, other = mount_name("/var/lib/m/desidata-1a2b/.bucket"), mount_name("/srv/desidata-1a2b/.bucket")
    assert one.startswith("desidata-1a2b-")
    assert one != other
    assert mount_name("/mnt/my data/ü").replace("-", "").isalnum()
    assert len(mount_name("/" + "x" * 300)) < 60
