# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor tells what is wrong with an account, and what was left behind in it. No lab is made for that."""

import json
import shutil

import pytest
from labs import Lab
from region import helpers

OLD = "left-behind"


@pytest.fixture
def lab(region, tmp_path_factory, free_ports):
    """Return a lab that nobody makes, and see to it that nothing is left of what a test makes in its place."""
    home = tmp_path_factory.mktemp("d")
    yield Lab(region, "doctor", home, next(free_ports))
    shutil.rmtree(home, ignore_errors=True)


def examine(lab, **settings):
    """Return what the doctor found, by check, and how the command ended."""
    done = lab.attempt("doctor", environment={"DESI_LAB_QUIET": "1"}, desi_output="json", **settings)
    assert "Traceback" not in done.stdout
    # The three sentences of a refusal, which go to standard error, stand behind the document.
    report, _end = json.JSONDecoder().raw_decode(done.stdout)
    assert (done.returncode != 0) is (report["verdict"] == "broken"), done.stdout
    found = {}
    for finding in report["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def only(found, check):
    (finding,) = found[check]
    return finding


def tags(kind, name, owner="ann"):
    pairs = {"desi-lab:name": name, "desi-lab:owner": owner, "Name": f"desi-lab-{name}"}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}]


def things(found):
    return {thing["id"] for finding in found["orphans"] for thing in finding["facts"]["things"]}


def test_an_account_that_is_ready_is_told_with_its_bucket_and_its_clock(lab):
    found = examine(lab)
    for check in ("credentials", "vpc", "quota", "permissions", "orphans", "bucket", "clock"):
        assert {finding["verdict"] for finding in found[check]} == {"ok"}, found[check]
    assert only(found, "credentials")["found"].startswith("ann, account …")
    assert only(found, "bucket")["facts"]["bytes_read"] > 0


def test_what_was_left_behind_is_told_and_goes_with_the_command_that_is_told(lab, region):
    client = region.client("ec2")
    zone = "us-west-2a"
    disk = client.create_volume(AvailabilityZone=zone, Size=10, TagSpecifications=tags("volume", OLD))["VolumeId"]
    group = client.create_security_group(GroupName=OLD, Description="x", TagSpecifications=tags("security-group", OLD))[
        "GroupId"
    ]
    client.create_key_pair(KeyName=f"desi-lab-{OLD}", TagSpecifications=tags("key-pair", OLD))
    # What others have looks like it: the tags of somebody else, and the name without tags.
    foreign = client.create_volume(AvailabilityZone=zone, Size=10, TagSpecifications=tags("volume", OLD, "ben"))[
        "VolumeId"
    ]
    bare = client.create_security_group(GroupName=f"{OLD}-2", Description="x")["GroupId"]
    try:
        found = examine(lab)
        assert {disk, group} <= things(found)
        assert not {foreign, bare} & things(found)
        finding = only(found, "orphans")
        assert finding["verdict"] == "warning"
        assert finding["facts"]["usd_month"] == 0.8
        assert finding["do"] == f"./lab down -e lab_where=ec2 -e lab_name={OLD}"
        shown = lab.run("down", lab_name=OLD, lab_where="ec2", lab_yes=True, lab_image=None)
        assert "nothing is left" in shown
        assert things(examine(lab)) == set()
        assert client.describe_volumes(VolumeIds=[foreign])["Volumes"]
        assert client.describe_security_groups(GroupIds=[bare])["SecurityGroups"]
    finally:
        client.delete_volume(VolumeId=foreign)
        client.delete_security_group(GroupId=bare)


def test_credentials_that_have_expired_are_told_with_how_to_log_in(lab, region):
    with region.faults(helpers.expired_token()):
        found = examine(lab)
    assert only(found, "credentials")["verdict"] == "broken"
    assert "expired" in only(found, "credentials")["why"]
    assert "permissions" not in found
