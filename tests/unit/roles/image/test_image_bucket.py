# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import sys
import time
from pathlib import Path

import pytest
from desi_lab import bucket
from desi_lab.bucket import Bucket
from desi_lab.errors import NO_DATA, StartError


@pytest.fixture
def rclone(tmp_path, monkeypatch):
    """Make an rclone out of a shell script, and let the container mount."""

    def make(script):
        program = tmp_path / "bin" / "rclone"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(bucket, "allowed", lambda _place: None)
        monkeypatch.setattr(bucket, "LOG", tmp_path / "mount.log")

    return make


def value(words, name):
    return words[words.index(name) + 1]


def test_the_public_bucket_at_aws_is_read_without_credentials_and_a_mirror_instead_of_it():
    assert Bucket.from_environment({"DESI_S3_ENDPOINT": ""}) == Bucket("desidata", "", "", "us-west-2")
    options = Bucket.from_environment({}).options()
    assert value(options, "--s3-region") == "us-west-2"
    assert "--s3-env-auth=false" in options
    assert "--s3-endpoint" not in options
    mirror = Bucket.from_environment(
        {"DESI_S3_ENDPOINT": "http://mirror:8333", "DESI_S3_BUCKET": "b", "DESI_S3_PREFIX": "/a/b/"}
    )
    assert mirror.remote == ":s3:b/a/b"
    assert value(mirror.options(), "--s3-endpoint") == "http://mirror:8333"
    assert value(mirror.options(), "--s3-provider") == "Other"


def test_the_mount_is_read_only_and_its_cache_bounded_where_a_limit_is_given():
    command = bucket.mount_command(Bucket.from_environment({}), Path("/home/desidata"), Path("/cache"), "20G")
    assert {"--read-only", "--allow-other", "--daemon"} <= set(command)
    assert value(command, "--cache-dir") == "/cache"
    assert value(command, "--vfs-cache-max-size") == "20G"
    assert command[-2:] == [":s3:desidata", "/home/desidata"]
    assert "--vfs-cache-max-size" not in bucket.mount_command(Bucket.from_environment({}), Path("/d"), Path("/c"), "")


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("dial tcp: lookup mirror on 127.0.0.11:53: no such host", "cannot be resolved"),
        ("dial tcp 10.0.0.1:80: connect: connection refused", "Nothing answers"),
        ("dial tcp 10.0.0.1:80: i/o timeout", "cannot be reached"),
        ("tls: failed to verify certificate: x509: unknown authority", "not trusted"),
        ("api error NoSuchBucket: The specified bucket does not exist", "no bucket 'desidata'"),
        ("operation error S3: ListObjectsV2, StatusCode: 403, AccessDenied", "does not let anyone read"),
        ("deserialization failed, failed to decode response body, expected XML", "not an S3 server"),
        ("something quite new happened", "something quite new happened"),
        ("", "did not say why"),
    ],
)
def test_a_failure_is_explained(said, part):
    assert part in bucket.reason(said, Bucket.from_environment({"DESI_S3_ENDPOINT": "http://mirror"}))


@pytest.mark.security("M7")
@pytest.mark.parametrize("said", ["no such host", "PUT http://ann:pa/x@hunter2@mirror/x: went wrong"])
def test_no_explanation_gives_a_password_away(said):
    known = Bucket.from_environment({"DESI_S3_ENDPOINT": "http://ann:pa/x@hunter2@mirror"})
    assert "hunter2" not in bucket.reason(said, known)


def test_a_container_without_the_right_to_mount_is_told_both_ways_on(monkeypatch):
    monkeypatch.setattr(bucket.person, "has_capabilities", lambda *_bits: False)
    with pytest.raises(StartError) as caught:
        bucket.mount({}, Path("/home/desidata"))
    assert caught.value.code == NO_DATA
    assert "--volume FOLDER:/home/desidata:ro" in caught.value.do
    assert "--cap-add SYS_ADMIN" in caught.value.do


@pytest.mark.parametrize(
    ("script", "what", "why"),
    [
        ('echo "connect: connection refused" >&2; exit 1', "could not be read", "Nothing answers"),
        ("exit 0", "holds no data", ""),
        ('[ "$1" = lsf ] && echo edr/ || echo "fusermount: exit 1" > LOG', "could not be mounted", "fusermount"),
    ],
)
def test_a_bucket_that_cannot_be_listed_or_is_empty_is_not_mounted_and_a_mount_that_did_not_work_is_noticed(
    rclone, tmp_path, script, what, why
):
    rclone(f'echo "$1" >> {tmp_path}/asked\n' + script.replace("LOG", f"{tmp_path}/mount.log"))
    with pytest.raises(StartError, match=what) as caught:
        bucket.mount({}, tmp_path)
    assert why in caught.value.why
    assert ("mount" in (tmp_path / "asked").read_text().split()) is (what == "could not be mounted")


def test_a_daemon_that_stays_behind_does_not_hold_the_start_up():
    before = time.monotonic()
    assert bucket.run(["sh", "-c", "sleep 30 & echo started"], 20) == (0, "started\n", "")
    assert time.monotonic() - before < 10


def test_a_tool_that_hangs_is_given_up():
    code, _out, said = bucket.run([sys.executable, "-c", "import time; time.sleep(60)"], 0.5)
    assert code == bucket.TIMED_OUT
    assert "timed out" in said
