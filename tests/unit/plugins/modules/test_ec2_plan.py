# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module adds to the plan of _ec2/plan: the questions to AWS, their answers, and what is missing."""

import json
import re
from collections import Counter

import pytest
from ansible_collections.amazon.aws.plugins.modules import ec2_security_group
from aws_region import ALLOWED, PRICES, REFUSED, record, run_module, without_credentials

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import tags_of
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import INSTANCE
from ansible_collections.desi.lab.plugins.modules import ec2_plan

MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
ANN, BOB = "203.0.113.7/32", "198.51.100.4/32"


@pytest.fixture
def run(region, capsys, monkeypatch):
    monkeypatch.setattr(ec2_plan, "usable_half", lambda path: MINE)

    def run_it(fails=False, **options):
        region.calls.clear()
        given = {"name": "desi", "prices": PRICES, "address_services": [f"{region.url}/ip"]}
        answer = run_module(ec2_plan, capsys, **{**given, **options})
        assert bool(answer.get("failed")) is fails, answer.get("msg")
        return answer

    return run_it


@pytest.fixture
def ensure_group(capsys, monkeypatch):
    """Makes the security group as the role does."""
    monkeypatch.setattr(ec2_security_group, "sleep", lambda _seconds: None)

    def ensure(plan):
        group = {key: plan["group"][key] for key in ("name", "description", "vpc_id", "rules", "rules_egress")}
        return run_module(ec2_security_group, capsys, tags=plan["tags"], purge_tags=False, **group)

    return ensure


def settled(region, **more):
    region.key(public=MINE)
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3"}}]
    given = {"KeyName": "desi-lab-desi", "SubnetId": region.subnets[0]["SubnetId"], "BlockDeviceMappings": disk}
    return region.launch(**{**given, "SecurityGroupIds": [region.group()], **more})


@pytest.mark.parametrize("check", [False, True])
def test_a_plan_makes_nothing_and_asks_little_that_the_policy_allows(run, region, check):
    answer = run(check=check, spot=True)
    assert answer["changed"] is False
    assert [change.split()[0] for change in answer["changes"]] == ["key", "security", "t2.micro,"]
    assert not [name for name in region.asked(dry=False) if not re.search(r":(Describe|Get)", name)]
    assert region.asked() <= ALLOWED
    assert {"ec2:RunInstances", "ec2:TerminateInstances", "ec2:CancelSpotInstanceRequests"} <= region.asked()
    counts = Counter(name for name, _region, _form in region.calls)
    twice = {"ec2:DescribeInstances", "ec2:DescribeSecurityGroups", "pricing:GetProducts"}
    assert {name for name, count in counts.items() if count > 1} <= {*twice, "servicequotas:GetServiceQuota"}
    assert len(region.calls) <= 37


def test_facts_of_the_region_are_found(run):
    answer = run(instance_types=["t3.xlarge"], access="direct", allow_from=[ANN, BOB], release="dr1")
    assert answer["owner"] == "moto"
    assert answer["image"] == {"id": "ami-0d53cc9bd365ad65b", "root_device": "/dev/xvda", "user": "ec2-user"}
    zones = [attempt["zone"] for attempt in answer["launch"]["attempts"]]
    assert zones[:3] == ["us-west-2a", "us-west-2b", "us-west-2c"]
    assert [(rule["from_port"], rule["cidr_ip"][0]) for rule in answer["group"]["rules"]] == [
        (port, cidr) for port in (8888, 443, 22) for cidr in (ANN, BOB)
    ]


def test_own_address_is_asked_only_where_it_is_wanted(run, region):
    assert run()["group"]["rules"][0]["cidr_ip"] == ["127.0.0.1/32"]
    region.address = "nonsense"
    assert run(allow_from=[ANN])["group"]["rules"][0]["cidr_ip"] == [ANN]
    assert "-e lab_allow_from=" in run(fails=True)["do"]


def test_second_plan_finds_what_the_first_one_asked_for(run, region, ensure_group):
    first = run(access="direct", allow_from=[ANN])
    region.key(first["key"]["name"], MINE)
    ensure_group(first)
    partly = run(access="direct", allow_from=[ANN])
    assert (partly["changes"], partly["key"]["action"]) == (["t2.micro, 30 GiB encrypted"], "keep")
    region.launch(KeyName="desi-lab-desi", SecurityGroupIds=[partly["group"]["id"]])
    second = run(access="direct", allow_from=[ANN])
    assert (second["changes"], second["machine"]["state"]) == ([], "running")
    assert second["machine"]["group_ids"] == [second["group"]["id"]]
    assert region.asked() == region.asked(dry=False)
    assert ensure_group(second)["changed"] is False
    # Only what changes is tried.
    run(access="direct", allow_from=[BOB])
    dry = region.asked() - region.asked(dry=False)
    assert dry == {"ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"}
    other = run(name="desi-2")
    assert (other["machine"]["state"], other["key"]["name"]) == ("absent", "desi-lab-desi-2")
    assert other["group"]["name"] == "jupyter-desi-2"


def test_instance_on_record_is_asked_of_and_nothing_that_a_launch_needs(run, region, tmp_path):
    number = settled(region)
    record(tmp_path, ("machine", number))
    run(folder=str(tmp_path))
    lab = ["GetCallerIdentity", "DescribeInstances", "DescribeKeyPairs", "DescribeSecurityGroups", "DescribeVolumes"]
    asked = sorted(name.partition(":")[2] for name, _region, form in region.calls if "DryRun" not in form)
    assert asked == sorted([*lab, "GetProducts"])
    region.ec2.stop_instances(InstanceIds=[number])
    run(folder=str(tmp_path))
    assert "ec2:StartInstances" in region.asked() - region.asked(dry=False)
    region.quotas["L-1216C47A"] = 0.0
    assert "L-1216C47A" in run(fails=True, folder=str(tmp_path))["why"]
    region.quotas["L-1216C47A"] = 32.0
    region.ec2.terminate_instances(InstanceIds=[number])
    assert run(folder=str(tmp_path))["launch"]["attempts"]


def test_instance_of_another_type_is_described_and_its_disk_may_be_unknown(run, region):
    settled(region, InstanceType="t3.large")
    answer = run()
    assert answer["cost"]["types"] == {"t3.large": pytest.approx(0.0915, abs=0.0001)}
    assert any("a t3.large, not a t2.micro" in note for note in answer["notes"])
    assert answer["machine"]["disk_gib"] == 30
    region.faults["ec2:DescribeVolumes"] = REFUSED
    assert run()["machine"]["disk_gib"] == 0


# What is missing


def test_permissions_that_are_missing_are_named_all_at_once(run, region):
    for name in ("ec2:RunInstances", "ec2:ImportKeyPair", "ec2:TerminateInstances"):
        region.faults[name] = REFUSED
    assert run(fails=True)["why"] == "Not allowed: ec2:RunInstances, ec2:ImportKeyPair, ec2:TerminateInstances."
    denied = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: ssm:GetParameters on resource"
    region.faults["ssm:GetParameters"] = ("AccessDeniedException", denied)
    region.faults["ec2:DescribeKeyPairs"] = REFUSED
    answer = run(fails=True)
    assert set(re.findall(r"\w+:\w+", answer["why"])) == {"ssm:GetParameters", "ec2:DescribeKeyPairs"}
    assert "docs/iam-policy.json" in answer["do"]


def test_what_may_be_left_out_is_left_out_with_a_note(run, region):
    for name in ("servicequotas:GetServiceQuota", "pricing:GetProducts"):
        region.faults[name] = ("AccessDeniedException", "no")
    answer = run()
    assert [note for note in answer["notes"] if "you may not ask" in note] == [
        "Whether your account may run a machine of this size could not be learned from AWS (you may not ask).",
        "Prices could not be had from AWS (you may not ask).",
    ]
    assert answer["cost"]["source"] == "table of DESI Lab"


def test_credentials_that_are_not_good_are_told_first(run, region):
    region.faults["sts:GetCallerIdentity"] = ("ExpiredToken", "The security token is expired.")
    region.faults["ec2:DescribeInstances"] = ("AuthFailure", "AWS was not able to validate the provided credentials")
    answer = run(fails=True)
    assert answer["what"] == "It was not possible to log in to AWS."
    assert "expired" in answer["why"]


def test_credentials_that_are_missing_are_told(run, region, monkeypatch):
    without_credentials(monkeypatch)
    assert "No AWS credentials were found" in run(fails=True)["why"]
    assert region.calls == []


def test_region_that_is_not_enabled_is_told_apart_from_bad_credentials(run, region):
    invalid = ("InvalidClientTokenId", "invalid")
    region.faults["sts:GetCallerIdentity", "eu-south-2"] = invalid
    answer = run(fails=True, region="eu-south-2")
    assert answer["what"] == "The region eu-south-2 cannot be used by this account yet."
    assert "aws account enable-region --region-name eu-south-2" in answer["do"]
    region.faults["sts:GetCallerIdentity"] = invalid
    assert "enable-region" not in run(fails=True, region="eu-south-2")["do"]


def test_quota_counts_what_runs_and_passes_where_aws_does_not_know_it(run, region):
    region.quotas["L-1216C47A"] = 5.0
    assert run(instance_types=["t3.xlarge"])["launch"]["attempts"]
    region.launch(tags={"project": "else"}, InstanceType="t3.large")
    answer = run(fails=True, instance_types=["t3.xlarge"])
    assert "--quota-code L-1216C47A --desired-value 6 --region us-west-2" in answer["do"]
    region.quotas.clear()
    assert run()["launch"]["attempts"]


def test_subnet_is_taken_as_given_and_a_private_one_is_refused(run, region):
    ec2 = region.ec2
    subnet = next(each for each in region.subnets if each["AvailabilityZone"] == "us-west-2b")["SubnetId"]
    attempts = run(subnet=subnet)["launch"]["attempts"]
    assert [(attempt["zone"], attempt["subnet_id"]) for attempt in attempts] == [("us-west-2b", subnet)]
    assert "no such subnet" in run(fails=True, subnet="subnet-0123456789abcdef0")["why"]
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    private = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    assert "private" in run(fails=True, subnet=private)["why"]


def product(usd, unit):
    dimension = {"A.B.C": {"unit": unit, "pricePerUnit": {"USD": usd}}}
    terms = {"OnDemand": {"A.B": {"priceDimensions": dimension}}}
    return json.dumps({"publicationDate": "2026-11-01T00:00:00Z", "terms": terms})


def test_prices_are_those_of_aws_where_it_tells_them(run, region):
    region.prices = {"t2.micro": product("0.0200", "Hrs"), "gp3": product("0.1000", "GB-Mo")}
    cost = run()["cost"]
    assert (cost["month_stopped"], cost["about"]) == (3.0, "prices of 2026-11-01, by AWS")
    assert cost["hour"] == pytest.approx(0.02 + 0.005 + 3 / 730, abs=0.0001)
    assert {where for name, where, _form in region.calls if name == "pricing:GetProducts"} == {"us-east-1"}


def test_options_that_cannot_work_are_refused_before_aws_is_asked(run, region):
    run(fails=True, instance_types=["micro"])
    assert region.calls == []


def test_workers_are_planned_with_their_cost_and_few_further_questions(run, region):
    run(name="desi")
    without = len(region.calls)
    answer = run(workers=2, worker_type="t3.micro", disk_gib=500)
    assert (answer["workers"]["number"], answer["workers"]["launched"], answer["workers"]["vcpus"]) == (2, 2, 2)
    assert answer["workers"]["markets"] == ["spot", "on-demand"]
    made = "2 Dask workers t3.micro, spot or else on demand, 30 GiB encrypted"
    assert made in answer["changes"]
    assert "2 x t3.micro" in next(line["text"] for line in answer["lines"] if line["label"] == "workers")
    assert len(region.calls) - without <= 14
    more = len(region.calls)
    run(workers=12, worker_type="t3.micro")
    assert len(region.calls) <= more
    assert region.asked() <= ALLOWED


def test_workers_that_are_there_are_kept_or_ended_and_are_no_second_machine_of_the_lab(run, region):
    lab = settled(region)
    for _ in range(2):
        region.launch(tags={**tags_of({"Tags": region.tags("instance")[0]["Tags"]}), "desi-lab:role": "worker"})
    kept = run()
    assert (kept["machine"]["id"], kept["workers"]["number"], kept["workers"]["ended"]) == (lab, 2, [])
    # How many processes each runs does not depend on what is asked for.
    assert (kept["workers"]["type"], kept["workers"]["vcpus"]) == ("t2.micro", 1)
    fewer = run(workers=1)
    assert [change.partition(" i-")[0] for change in fewer["changes"] if "worker" in change] == ["end 1 Dask worker"]


def test_a_lab_that_starts_gets_the_workers_that_it_had_unless_somebody_says_another_number(run, region, tmp_path):
    lab = settled(region)
    region.ec2.stop_instances(InstanceIds=[lab])
    folder = str(tmp_path)
    record(tmp_path, (INSTANCE, lab), workers=3, worker_type="t3.micro", worker_memory="512MiB")
    plan = run(folder=folder)
    assert plan["workers"]["memory"] == "512MiB"
    assert run(folder=folder, worker_memory="1 GiB")["workers"]["memory"] == "1GiB"
    # It may be more than another type has.
    assert run(folder=folder, worker_type="t2.micro")["workers"]["memory"] == ""
    assert (plan["workers"]["number"], plan["workers"]["launched"], plan["workers"]["type"]) == (3, 3, "t3.micro")
    assert any("3 Dask workers t3.micro" in change for change in plan["changes"])
    assert any("3 x t3.micro, at most" in line["text"] for line in plan["lines"])
    assert run(folder=folder, workers=1)["workers"]["launched"] == 1
    none = run(folder=folder, workers=0)["workers"]
    assert (none["number"], none["launched"], none["recorded"]) == (0, 0, 3)
    region.ec2.terminate_instances(InstanceIds=[lab])
    assert run(folder=folder)["workers"]["number"] == 0
