# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from web_server import web_server

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount import preflight as mount_preflight
from ansible_collections.desi.lab.plugins.module_utils._mount.preflight import (
    check_credentials,
    check_fuse,
    check_root,
    check_tool,
    explain_log,
    last_words,
)
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import make_spec
from ansible_collections.desi.lab.plugins.module_utils._mount.tools import Tool
from ansible_collections.desi.lab.plugins.module_utils._mount.unit_templates import ENDED

SPEC = make_spec({"bucket": "lab"})
PRIVATE = make_spec({"bucket": "lab", "anonymous": False})
RCLONE = Tool("rclone", "rclone", (1, 75))


def test_what_a_mount_needs_is_asked_for_first(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(mount_preflight.os, "geteuid", lambda: 1000)
        with pytest.raises(LabError, match="root alone"):
            check_root()
        patched.setattr(mount_preflight.os, "geteuid", lambda: 0)
        check_root()
    with pytest.raises(LabError, match="module fuse is not loaded"):
        check_fuse(str(tmp_path / "fuse"))
    with pytest.raises(LabError, match="cannot be opened"):
        check_fuse(str(tmp_path))
    (tmp_path / "fuse").touch()
    check_fuse(str(tmp_path / "fuse"))
    monkeypatch.setattr(mount_preflight.shutil, "which", lambda *_words, **_more: None)
    with pytest.raises(LabError, match="package fuse3"):
        check_tool(RCLONE)
    check_tool(Tool("mount-s3", "mount-s3", (1, 22)))


NOWHERE = {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}


def test_credentials_are_looked_for_only_where_they_are_wanted(tmp_path):
    check_credentials(SPEC, NOWHERE)
    with pytest.raises(LabError, match="there are none"):
        check_credentials(PRIVATE, NOWHERE)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        check_credentials(PRIVATE, {**NOWHERE, name: "x"})
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").touch()
    check_credentials(PRIVATE, {**NOWHERE, "HOME": str(tmp_path)})


def test_role_of_the_machine_will_do():
    # As the metadata service of a machine at Amazon.
    with web_server(lambda asked: (200 if asked.path == "/latest/api/token" else 404, b"", {})) as here:
        known = {"HOME": "/nonexistent", "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{here}/"}
        check_credentials(PRIVATE, known)
        with pytest.raises(LabError):
            check_credentials(PRIVATE, {**known, "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{here}/other"})


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", ""),
        ("2026/11/22 13:41:22 ERROR : no space left\n", "ERROR : no space left"),
        ("2026-11-22T13:41:27.645Z [CRT] bucket gone\n\n", "[CRT] bucket gone"),
        (f"first\nlast\n{ENDED} with 1; it starts again in 1 s\n", "last"),
        ("x" * 999, "x" * 300),
    ],
)
def test_last_words_are_the_tools_own(log, words):
    assert last_words(log) == words


@pytest.mark.security("L7")
def test_no_part_of_a_token_stays_where_last_words_are_cut():
    token = "0123456789abcdef" * 3
    assert token[:12] not in last_words(f"{'x ' * 140}{token} and more")


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ('fusermount3: exec: "fusermount3": executable file not found in $PATH', "fusermount is missing"),
        ("failed to refresh cached credentials, no EC2 IMDS role found", "no credentials"),
        ("operation error S3: StatusCode: 403, api error AccessDenied: Access Denied", "Access was denied"),
        ("operation error S3: StatusCode: 404, NoSuchBucket", "There is no such bucket"),
        ("fusermount3: mount failed: Operation not permitted", "did not permit"),
        ("2026/11/22 10:00:00 CRITICAL: something new", "It ended at once; its last words: CRITICAL: something new."),
        ("", "It ended at once."),
    ],
)
def test_log_of_a_tool_is_put_into_plain_words(log, why):
    problem = explain_log(RCLONE, SPEC, log, "it ended at once")
    assert why in problem.why
    assert "rclone 1.75" in problem.what
    assert problem.do
