# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import threading
import time

import boto3
import pytest
from aws_region import ALLOWED, KEYS, PRICES, REFUSED, record, run_module, without_credentials

from ansible_collections.desi.lab.plugins.module_utils._common import run_lock as common_run_lock
from ansible_collections.desi.lab.plugins.modules import doctor_account_info


@pytest.fixture
def look(region, capsys):
    """Run the module, and return its findings by the name of their check."""

    def run(**options):
        answer = run_module(doctor_account_info, capsys, **{"prices": PRICES, "seconds": 60, **options})
        assert answer["changed"] is False
        said = json.dumps(answer["findings"])
        assert "123456789012" not in said
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in said
        found = {}
        for finding in answer["findings"]:
            assert bool(finding["why"] and finding["do"]) is (finding["verdict"] in ("warning", "broken"))
            found.setdefault(finding["check"], []).append(finding)
        return found

    return run


def only(found, check):
    (finding,) = found[check]
    return finding


@pytest.mark.parametrize("check", [False, True])
def test_an_account_that_is_ready_is_told_in_five_lines_and_nothing_is_made(look, region, check):
    found = look(spot=True, check=check)
    assert {name: only(found, name)["verdict"] for name in found} == dict.fromkeys(
        ("credentials", "vpc", "quota", "permissions", "orphans"), "ok"
    )
    assert only(found, "credentials")["found"] == "moto, account …9012"
    assert only(found, "quota")["found"] == "0 of 32 in use in us-west-2, t2.micro takes 1"
    assert only(found, "orphans")["found"] == "nothing in us-west-2"
    assert region.asked() <= ALLOWED
    assert {"ec2:RunInstances", "ec2:TerminateInstances", "ec2:CancelSpotInstanceRequests"} <= region.asked()
    assert not [name for name in region.asked(dry=False) if not name.split(":")[1].startswith(("Describe", "Get"))]


def test_without_credentials_or_boto3_one_line_says_that_nothing_was_checked(look, region, monkeypatch):
    without_credentials(monkeypatch)
    found = look()
    assert list(found) == ["credentials"]
    assert only(found, "credentials")["verdict"] == "skipped"
    assert "no AWS credentials" in only(found, "credentials")["found"]
    unknown = look(profile="nobody")
    assert only(unknown, "account")["verdict"] == "broken"
    assert "nobody" in json.dumps(only(unknown, "account"))
    assert region.calls == []
    monkeypatch.setattr(doctor_account_info, "botocore_errors", tuple)
    finding = only(look(), "credentials")
    assert (finding["verdict"], "boto3" in finding["found"]) == ("skipped", True)


def test_credentials_that_are_not_taken_are_broken_and_nothing_else_is_asked(look, region):
    region.faults["sts:GetCallerIdentity"] = ("SignatureDoesNotMatch", "x")
    found = look()
    assert list(found) == ["credentials"]
    assert only(found, "credentials")["verdict"] == "broken"
    assert "secret key does not belong" in only(found, "credentials")["why"]
    assert region.asked() == {"sts:GetCallerIdentity"}


def test_permissions_that_are_missing_are_named_at_once(look, region):
    actions = ["ec2:RunInstances", "ec2:ImportKeyPair"]
    region.faults.update(dict.fromkeys(actions, REFUSED))
    finding = only(look(), "permissions")
    assert finding["verdict"] == "broken"
    assert all(action in finding["found"] for action in actions)
    assert "docs/iam-policy.json" in finding["do"]


def test_a_quota_that_is_used_up_by_others_is_broken(look, region):
    region.quotas = {"L-1216C47A": 1.0}
    region.launch()
    # The instance of this very lab is what the quota is for.
    assert only(look(), "quota")["verdict"] == "ok"
    region.launch("old")
    found = look()
    assert only(found, "quota")["verdict"] == "broken"
    assert "L-1216C47A" in only(found, "quota")["do"]
    # That line says it all.
    assert "launch" not in found
    region.faults["servicequotas:GetServiceQuota"] = ("AccessDeniedException", "no")
    found = look()
    assert (only(found, "quota")["verdict"], only(found, "permissions")["verdict"]) == ("warning", "ok")


def test_a_region_without_a_default_vpc_is_broken_unless_a_subnet_is_given(look, region):
    ec2, subnets = region.ec2, region.subnets
    assert only(look(subnet=subnets[0]["SubnetId"]), "vpc")["verdict"] == "ok"
    for each in subnets:
        ec2.delete_subnet(SubnetId=each["SubnetId"])
    ec2.delete_vpc(VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
    finding = only(look(), "vpc")
    assert (finding["verdict"], "create-default-vpc" in finding["do"]) == ("broken", True)


def test_a_type_that_there_is_not_is_broken(look):
    assert only(look(instance_types=["t2.mirco"]), "launch")["verdict"] == "broken"


# What belongs to no lab


@pytest.fixture
def old(region):
    """A disk, a snapshot, a key and a group of a lab without an instance, by kind."""
    disk = region.disk(name="old")
    tags = region.tags("snapshot", "old")
    snapshot = region.ec2.create_snapshot(VolumeId=disk, TagSpecifications=tags)["SnapshotId"]
    key = region.key("desi-lab-old", name="old")
    return {"disk": disk, "snapshot": snapshot, "key": key, "group": region.group("jupyter-old", name="old")}


def resources(found):
    return {resource["id"]: resource for finding in found["orphans"] for resource in finding["facts"].get("things", ())}


def test_what_belongs_to_no_lab_is_found_with_its_cost_and_what_removes_it(look, region, old):
    found = look()
    listed = resources(found)
    assert set(listed) == set(old.values())
    assert [listed[old[kind]]["usd_month"] for kind in ("disk", "snapshot", "group")] == [0.64, 0.4, 0]
    assert listed[old["disk"]]["command"] == "./lab down -e lab_where=ec2 -e lab_name=old"
    assert listed[old["snapshot"]]["command"].endswith(" -e lab_purge=true")
    assert {finding["verdict"] for finding in found["orphans"]} == {"warning"}
    identity = region.launch("old", KeyName="desi-lab-old")
    region.ec2.stop_instances(InstanceIds=[identity])
    assert set(resources(look())) == {old["disk"], old["snapshot"]}
    region.ec2.terminate_instances(InstanceIds=[identity])
    assert old["group"] in resources(look())


def test_what_is_left_of_a_lab_made_here_with_other_credentials_of_the_account_is_told(look, region, tmp_path):
    record(tmp_path / "us-west-2/old", name="old", owner="ben")
    disk = region.disk(name="old", owner="ben")
    region.disk(name="other", owner="ben")
    assert set(resources(look(config=str(tmp_path)))) == {disk}


def test_every_region_is_looked_into_and_one_that_cannot_be_does_not_hide_the_others(look, region, old):
    far = boto3.client("ec2", region_name="eu-west-1")
    tags = region.tags("volume", "old")
    disk = far.create_volume(AvailabilityZone="eu-west-1a", Size=8, TagSpecifications=tags)["VolumeId"]
    assert disk not in resources(look())
    found = resources(look(regions=["eu-west-1", "us-west-2"]))
    assert set(found) == {disk, *old.values()}
    assert found[disk]["command"].endswith("-e lab_name=old -e lab_region=eu-west-1")
    region.faults["ec2:DescribeVolumes", "eu-west-1"] = REFUSED
    found = look(regions=["eu-west-1"])
    assert old["disk"] in resources(found)
    (unseen,) = [each["found"] for each in found["orphans"] if not each["facts"]]
    assert unseen == "It was not possible to look into eu-west-1."


def test_a_lab_that_another_run_works_on_is_left_alone(look, old, tmp_path):
    hold = tmp_path / "us-west-2" / "old" / "hold"
    hold.parent.mkdir(parents=True)
    # Whoever runs the tests is alive, and not the process that looks.
    parent = os.getppid()
    holder = {"pid": parent, "started": common_run_lock.started(parent), "since": "2026-11-24T10:00:00+00:00"}
    hold.write_text(json.dumps(holder))
    assert resources(look(config=str(tmp_path))) == {}
    hold.write_text(json.dumps({**holder, "started": "at another time"}))
    assert len(resources(look(config=str(tmp_path)))) == len(old)


def test_an_account_that_does_not_answer_is_given_up_in_time(look, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(doctor_account_info, "account_findings", lambda *_: released.wait(30) and [])
    began = time.monotonic()
    try:
        finding = only(look(seconds=0.3), "account")
    finally:
        released.set()
    assert time.monotonic() - began < 5
    assert (finding["verdict"], finding["found"]) == ("warning", "no answer within 0.3 s")
