# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import logging
import os
import threading
import time

import boto3
import pytest
from ansible.module_utils.testing import patch_module_args
from moto.server import MotoRequestHandler
from test_ec2_plan import OWNER, POLICY, PRICES, Account, import_key, launch, make_group, tagged
from werkzeug.serving import make_server

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common import run_lock as common_run_lock
from ansible_collections.desi.lab.plugins.modules import doctor_account_info

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
OLD = lab_tags("old", OWNER)
REFUSED = ("UnauthorizedOperation", "You are not authorized to perform this operation.")


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = Account()
    with make_server("127.0.0.1", 0, made, threaded=True, request_handler=MotoRequestHandler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def account(server, monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    known = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": server[1]}
    for name, value in {**known, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    server[0].forget()
    return server[0]


@pytest.fixture
def ec2(account):
    return boto3.client("ec2", region_name="us-west-2")


@pytest.fixture
def look(account, capsys):
    """Run the module, and return its findings by the name of their check."""

    def run(**options):
        with patch_module_args({"region": "us-west-2", "prices": PRICES, **options}), pytest.raises(SystemExit) as end:
            doctor_account_info.main()
        said = capsys.readouterr().out
        answer = json.loads(said)
        assert (end.value.code, answer["changed"]) == (0, False)
        # Not an account, not a key: of all this, only the end of a number.
        assert "123456789012" not in said
        assert SECRET not in json.dumps(answer["findings"])
        found = {}
        for finding in answer["findings"]:
            assert bool(finding["why"] and finding["do"]) is (finding["verdict"] in ("warning", "broken"))
            found.setdefault(finding["check"], []).append(finding)
        return found

    return run


def only(found, check):
    (finding,) = found[check]
    return finding


def verdicts(found):
    return {check: {finding["verdict"] for finding in findings} for check, findings in found.items()}


def test_an_account_that_is_ready_is_told_in_five_lines(look):
    found = look()
    assert verdicts(found) == {check: {"ok"} for check in ("credentials", "vpc", "quota", "permissions", "orphans")}
    assert only(found, "credentials")["found"] == "moto, account …9012"
    assert only(found, "quota")["found"] == "0 of 32 in use in us-west-2, t2.micro takes 1"
    assert only(found, "orphans")["found"] == "nothing in us-west-2"


@pytest.mark.parametrize("check_mode", [False, True])
def test_looking_makes_nothing_and_asks_nothing_that_the_policy_does_not_allow(look, account, check_mode):
    look(spot=True, _ansible_check_mode=check_mode)
    allowed = set()
    for statement in POLICY["Statement"]:
        allowed |= {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
    assert account.asked() <= allowed
    assert {"ec2:RunInstances", "ec2:TerminateInstances", "ec2:CancelSpotInstanceRequests"} <= account.asked()
    assert not [name for name in account.asked(dry=False) if not name.split(":")[1].startswith(("Describe", "Get"))]


def test_without_credentials_one_line_says_that_nothing_was_checked_and_why(look, account, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    found = look()
    assert list(found) == ["credentials"]
    assert only(found, "credentials")["verdict"] == "skipped"
    assert "no AWS credentials" in only(found, "credentials")["found"]
    assert account.calls == []


def test_without_boto3_one_line_says_so(look, monkeypatch):
    monkeypatch.setattr(doctor_account_info, "AWS_ERRORS", ())
    found = look()
    assert only(found, "credentials")["verdict"] == "skipped"
    assert "boto3" in only(found, "credentials")["found"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "expired"),
        ("InvalidClientTokenId", "does not know these credentials"),
        ("SignatureDoesNotMatch", "secret key does not belong"),
    ],
)
def test_credentials_that_are_not_taken_are_broken_and_nothing_else_is_asked(look, account, code, said):
    account.faults["sts:GetCallerIdentity"] = (code, "x")
    found = look()
    assert list(found) == ["credentials"]
    assert only(found, "credentials")["verdict"] == "broken"
    assert said in only(found, "credentials")["why"]
    assert account.asked() == {"sts:GetCallerIdentity"}


def test_a_profile_that_is_not_there_is_told(look, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    found = look(profile="nobody")
    assert only(found, "account")["verdict"] == "broken"
    assert "nobody" in json.dumps(only(found, "account"))


@pytest.mark.parametrize("action", ["ec2:RunInstances", "ec2:CreateSecurityGroup", "ec2:DescribeSubnets"])
def test_a_permission_that_is_missing_is_named(look, account, action):
    account.faults[action] = REFUSED
    finding = only(look(), "permissions")
    assert finding["verdict"] == "broken"
    assert action in finding["found"]
    assert "docs/iam-policy.json" in finding["do"]


def test_all_permissions_that_are_missing_are_named_at_once(look, account):
    for action in ("ec2:RunInstances", "ec2:ImportKeyPair"):
        account.faults[action] = REFUSED
    finding = only(look(), "permissions")
    assert "ec2:RunInstances" in finding["found"]
    assert "ec2:ImportKeyPair" in finding["found"]


def test_a_quota_that_is_used_up_is_broken(look, account, ec2):
    account.quotas = {"L-1216C47A": 1.0}
    assert only(look(), "quota")["verdict"] == "ok"
    launch(ec2, make_group(ec2))
    # The machine of this very lab is what the quota is for.
    assert only(look(), "quota")["verdict"] == "ok"
    launch(ec2, make_group(ec2, "jupyter-old", OLD), TagSpecifications=tagged("instance", OLD))
    found = look()
    assert only(found, "quota")["verdict"] == "broken"
    assert "L-1216C47A" in only(found, "quota")["do"]
    # That line says it all.
    assert "launch" not in found


def test_a_quota_that_may_not_be_asked_for_is_warned_of(look, account):
    account.faults["servicequotas:GetServiceQuota"] = ("AccessDeniedException", "no")
    found = look()
    assert only(found, "quota")["verdict"] == "warning"
    assert only(found, "permissions")["verdict"] == "ok"


def test_a_region_without_a_default_vpc_is_broken_unless_a_subnet_is_given(look, ec2):
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    assert only(look(subnet=subnet), "vpc")["verdict"] == "ok"
    for each in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=each["SubnetId"])
    ec2.delete_vpc(VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
    finding = only(look(), "vpc")
    assert (finding["verdict"], "create-default-vpc" in finding["do"]) == ("broken", True)


def test_a_type_that_there_is_not_is_broken(look):
    found = look(instance_types=["t2.mirco"])
    assert only(found, "launch")["verdict"] == "broken"


def make_old_things(ec2):
    """Make a thing of several kinds that belongs to a lab without a machine."""
    disk = ec2.create_volume(AvailabilityZone="us-west-2a", Size=8, TagSpecifications=tagged("volume", OLD))["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=disk, TagSpecifications=tagged("snapshot", OLD))["SnapshotId"]
    import_key(ec2, "desi-lab-old", tags=OLD)
    return disk, snapshot, make_group(ec2, "jupyter-old", OLD)


def things(found):
    return {thing["id"]: thing for finding in found["orphans"] for thing in finding["facts"]["things"]}


def test_what_belongs_to_no_lab_is_found_with_its_cost_and_what_removes_it(look, ec2):
    disk, snapshot, group = make_old_things(ec2)
    found = look()
    listed = things(found)
    assert {disk, snapshot, group} <= set(listed)
    assert len(listed) == 4
    assert (listed[disk]["usd_month"], listed[snapshot]["usd_month"], listed[group]["usd_month"]) == (0.64, 0.4, 0)
    assert listed[disk]["command"] == "./lab down -e lab_where=ec2 -e lab_name=old"
    assert listed[snapshot]["command"].endswith(" -e lab_purge=true")
    assert {finding["verdict"] for finding in found["orphans"]} == {"warning"}


def test_what_belongs_to_a_lab_with_a_machine_is_no_orphan_until_that_is_terminated(look, ec2):
    _disk, _snapshot, group = make_old_things(ec2)
    identity = launch(ec2, group, KeyName="desi-lab-old", TagSpecifications=tagged("instance", OLD))
    ec2.stop_instances(InstanceIds=[identity])
    assert things(look()) == {}
    ec2.terminate_instances(InstanceIds=[identity])
    assert group in things(look())


def test_what_only_looks_like_ours_is_not_told(look, ec2):
    zone = "us-west-2a"
    # The same names without tags, the tags of another owner, and a tag that only begins alike.
    ec2.create_key_pair(KeyName="desi-lab-old")
    ec2.create_security_group(GroupName="jupyter-old", Description="x")
    ec2.create_volume(AvailabilityZone=zone, Size=8, TagSpecifications=tagged("volume", lab_tags("old", "ben")))
    ec2.create_volume(
        AvailabilityZone=zone, Size=8, TagSpecifications=tagged("volume", {"Name": "desi-lab-old", "desi-lab": "old"})
    )
    assert only(look(), "orphans")["found"] == "nothing in us-west-2"


def test_every_region_in_which_there_were_labs_is_looked_into(look):
    far = boto3.client("ec2", region_name="eu-west-1")
    disk = far.create_volume(AvailabilityZone="eu-west-1a", Size=8, TagSpecifications=tagged("volume", OLD))["VolumeId"]
    assert things(look()) == {}
    found = look(regions=["eu-west-1", "us-west-2"])
    assert list(things(found)) == [disk]
    assert things(found)[disk]["command"].endswith("-e lab_name=old -e lab_region=eu-west-1")


def test_a_region_that_cannot_be_looked_into_does_not_hide_the_others(look, account, ec2):
    disk, *_others = make_old_things(ec2)
    account.faults["ec2:DescribeVolumes", "eu-west-1"] = REFUSED
    found = look(regions=["eu-west-1"])
    assert disk in things({"orphans": [each for each in found["orphans"] if each["facts"]]})
    assert [each["found"] for each in found["orphans"] if not each["facts"]] == [
        "It was not possible to look into eu-west-1."
    ]


def test_a_lab_that_another_run_works_on_is_left_alone(look, ec2, tmp_path):
    make_old_things(ec2)
    hold = tmp_path / "us-west-2" / "old" / "hold"
    hold.parent.mkdir(parents=True)
    # Whoever runs the tests is alive, and not the process that looks.
    parent = os.getppid()
    holder = {"pid": parent, "started": common_run_lock.started(parent), "since": "2026-11-24T10:00:00+00:00"}
    hold.write_text(json.dumps(holder))
    assert things(look(config=str(tmp_path))) == {}
    hold.write_text(json.dumps({**holder, "started": "at another time"}))
    assert len(things(look(config=str(tmp_path)))) == 4


def test_an_account_that_does_not_answer_is_given_up_in_time(look, account, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(doctor_account_info, "account_findings", lambda *_: released.wait(30) and [])
    began = time.monotonic()
    try:
        finding = only(look(seconds=0.3), "account")
    finally:
        released.set()
    assert time.monotonic() - began < 5
    assert (finding["verdict"], finding["found"]) == ("warning", "no answer within 0.3 s")
