# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import parse_size, size_text
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import (
    MountSpec,
    check_path,
    fingerprint,
    make_spec,
    mount_name,
    settings_of_address,
)


def test_settings_are_brought_to_one_form():
    assert make_spec({"bucket": "desidata"}) == MountSpec("desidata", "", "", "us-west-2", True, True, "", 0)
    assert make_spec({"bucket": "desidata"}).aws
    given = {"bucket": " lab ", "prefix": "/edr/x/", "endpoint": "http://h:1/", "cache": "/c//d/", "cache_max": "1G"}
    wanted = MountSpec("lab", "edr/x", "http://h:1", "us-west-2", True, True, "/c/d", 1024**3)
    assert make_spec(given) == wanted
    assert make_spec({"bucket": "lab", "endpoint": "https://h", "region": "RegionOne"}).region == "RegionOne"
    # The bucket stands in the path where host names cannot hold it.
    for bucket, endpoint, path_style in (("a-b", "", False), ("a.b", "", True), ("a-b", "http://h", True)):
        assert make_spec({"bucket": bucket, "endpoint": endpoint}).path_style is path_style


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bucket", ["", "s3://desidata", "desidata/edr", "-x", "a\nb", "x" * 64]),
        ("prefix", ["../other", "a//b", "a\nb"]),
        ("endpoint", ["127.0.0.1:8333", "ftp://host", "http://host/?x=1", 'http://ho"st', "http://host name"]),
        ("endpoint", ["https://ann:hunter2@host"]),
        ("region", ["us west", "us-west-2,env_auth=true", "US-West-2", "-x"]),
        ("cache", ["relative", "/", "/a\nb"]),
        ("cache_max", ["lots", "-1G", "0", "20 PB"]),
        ("access_key", ["AKIA"]),
    ],
)
def test_bad_settings_are_refused_with_what_why_and_do(name, values):
    for value in values:
        with pytest.raises(LabError) as caught:
            make_spec({"bucket": "lab", name: value})
        assert name in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert all((caught.value.what, caught.value.why, caught.value.do))


def test_sizes_are_read_with_their_units_and_written_whole():
    gib = 1024**3
    for text, size in (("20G", 20 * gib), ("20Gi", 20 * gib), ("20GB", 20 * 1000**3), ("1.5 TiB", 1536 * gib)):
        assert parse_size(text) == size
    for text, size in (("512m", gib // 2), ("100", 100), ("100B", 100)):
        assert parse_size(text) == size
    for size, text in ((20 * gib, "20GiB"), (1024, "1KiB"), (1000, "1000B"), (3 * gib // 2, "1536MiB")):
        assert (size_text(size), parse_size(text)) == (text, size)


def test_mountpoints_are_normalized_or_refused():
    for path, clean in (("/a//b/", "/a/b"), ("//a", "/a"), ("/a/../b", "/b"), ("/my data", "/my data")):
        assert check_path(path) == clean
    for path in ("", "relative", "/", "//", "/a/..", "/a\nb"):
        with pytest.raises(LabError):
            check_path(path)
    for cache in ("/a/b", "/a/b/c"):
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


@pytest.mark.parametrize(
    ("address", "bucket", "settings"),
    [
        ("https://mine.s3.us-east-1.amazonaws.com", "mine", "lab_bucket=mine lab_bucket_region=us-east-1"),
        ("https://mine.s3-us-east-1.amazonaws.com/d/", "x", "lab_bucket=mine lab_bucket_region=us-east-1 lab_prefix=d"),
        ("https://my.own.s3.amazonaws.com", "x", "lab_bucket=my.own"),
        ("https://s3.us-west-2.amazonaws.com/mine/d", "x", "lab_bucket=mine lab_bucket_region=us-west-2 lab_prefix=d"),
        ("https://s3.us-west-2.amazonaws.com/", "mine", ""),
        ("https://mine.mirror.org:9000/", "mine", "lab_bucket=mine lab_endpoint=https://mirror.org:9000"),
        ("http://mirror.org/mine", "mine", "lab_bucket=mine lab_endpoint=http://mirror.org"),
        ("http://mirror.org/s3/mine/dr1/", "mine", "lab_bucket=mine lab_endpoint=http://mirror.org/s3 lab_prefix=dr1"),
        ("http://mirror.org/s3/", "mine", ""),
        ("http://mirror.org/minesweeper", "mine", ""),
        ("http://minesweeper.org", "mine", ""),
        ("s3://mine/dr1", "x", "lab_bucket=mine lab_prefix=dr1"),
        ("", "mine", ""),
    ],
)
def test_address_with_a_bucket_in_it_is_taken_apart(address, bucket, settings):
    assert settings_of_address(address, bucket) == [f"-e {each}" for each in settings.split()]
