# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._status.regions import (
    has_credentials,
    known_labs,
    regions_to_ask,
    reported_once,
    unknown_region,
)


def keeps(tmp_path, region, name, file):
    folder = tmp_path / region / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).touch()
    return folder


def test_labs_are_known_by_the_key_or_by_the_way_to_them(tmp_path):
    a = keeps(tmp_path, "us-west-2", "ann", "id_ed25519")
    b = keeps(tmp_path, "eu-west-1", "ann", "ssh_config")
    keeps(tmp_path, "us-west-2", "other", "tunnel.log")
    assert known_labs(tmp_path) == {("us-west-2", "ann"): a, ("eu-west-1", "ann"): b}
    assert known_labs(tmp_path / "none") == {}


def test_credentials_are_found_in_variables_and_files(tmp_path):
    home = {"HOME": str(tmp_path)}
    assert not has_credentials(home)
    assert has_credentials({**home, "AWS_ACCESS_KEY_ID": "AKIA"})
    assert has_credentials({**home, "AWS_PROFILE": "work"})
    assert not has_credentials({**home, "AWS_ACCESS_KEY_ID": "", "AWS_CONFIG_FILE": "/dev/null"})
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").touch()
    assert not has_credentials(home)
    (tmp_path / ".aws/credentials").write_text("[default]\n")
    assert has_credentials(home)
    assert not has_credentials({**home, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")})


KNOWN = {("eu-west-1", "a"): None, ("us-east-1", "b"): None, ("eu-west-1", "c"): None}


@pytest.mark.parametrize(
    ("asked", "known", "credentials", "regions"),
    [
        ([], {}, False, []),
        ([], {}, True, ["us-west-2"]),
        ([], KNOWN, False, ["eu-west-1", "us-east-1"]),
        ([], KNOWN, True, ["eu-west-1", "us-east-1", "us-west-2"]),
        (["sa-east-1", " sa-east-1", ""], KNOWN, True, ["sa-east-1"]),
        ([""], {}, True, ["us-west-2"]),
    ],
)
def test_regions_are_those_that_were_named_else_those_with_labs_and_the_usual_one(asked, known, credentials, regions):
    assert regions_to_ask(asked, known, "us-west-2", credentials) == regions


def test_region_that_aws_does_not_have_is_told_with_the_nearest():
    every = ["us-west-1", "us-west-2", "eu-west-1"]
    assert unknown_region("us-west-2", every) == ""
    assert "the nearest is us-west-2" in unknown_region("us-wset-2", every)
    assert unknown_region("moon", every) == "AWS has no region of that name."
    # Where it is not known which there are, AWS itself says it.
    assert unknown_region("moon", []) == ""


def test_reason_that_holds_for_several_regions_is_told_once():
    assert reported_once([("a", "No."), ("b", "Other."), ("c", "No.")]) == [
        "Labs in a and c cannot be seen. No.",
        "Labs in b cannot be seen. Other.",
    ]
