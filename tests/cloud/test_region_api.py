# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API of the region answers as EC2's does, also where moto by itself does not. Nothing here boots."""

from __future__ import annotations

import json
import subprocess

import pytest
from botocore.exceptions import ClientError
from launching import PARAMETERS, permissions
from region import helpers

NOWHERE = {"kind": "call", "action": "RunInstances", "code": "NotReached"}


def code(call, **arguments):
    """Return the code of the error that a call is answered by."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("parameter", "architecture", "root"),
    [
        (PARAMETERS["amazon"], "x86_64", "/dev/xvda"),
        (PARAMETERS["amazon"].replace("x86_64", "arm64"), "arm64", "/dev/xvda"),
        (PARAMETERS["ubuntu"], "x86_64", "/dev/sda1"),
        (PARAMETERS["ubuntu"].replace("amd64", "arm64"), "arm64", "/dev/sda1"),
    ],
)
def test_public_parameters_lead_to_images_of_8_gib(region, parameter, architecture, root):
    number = region.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    image = region.client("ec2").describe_images(ImageIds=[number])["Images"][0]
    assert (image["Architecture"], image["RootDeviceName"]) == (architecture, root)
    volume = image["BlockDeviceMappings"][0]["Ebs"]
    assert (volume["VolumeSize"], volume["DeleteOnTermination"]) == (8, True)


def test_prices_and_quotas_are_answered(region):
    filters = [{"Type": "TERM_MATCH", "Field": "instanceType", "Value": "t3.large"}]
    answer = region.client("pricing").get_products(ServiceCode="AmazonEC2", Filters=filters)
    assert {json.loads(text)["product"]["attributes"]["operatingSystem"] for text in answer["PriceList"]} == {
        "Linux",
        "Windows",
    }
    quotas = region.client("service-quotas")
    assert quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]["Value"] == 64.0
    with region.faults(helpers.quota(4)):
        assert quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]["Value"] == 4.0
    assert code(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-0") == "NoSuchResourceException"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nobodys"}, "InvalidKeyPair.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"InstanceType": "t9.nano"}, "InvalidParameterValue"),
        ({"InstanceType": "t4g.micro"}, "InvalidParameterValue"),
        ({"Placement": {"AvailabilityZone": "us-west-2d"}}, "Unsupported"),
        ({"InstanceType": "m5.24xlarge"}, "VcpuLimitExceeded"),
        (
            {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]},
            "InvalidBlockDeviceMapping",
        ),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_and_makes_nothing(launcher, change, expected):
    assert code(launcher.ec2.run_instances, **launcher.order(**change)) == expected
    assert (
        launcher.ec2.describe_instances(Filters=[{"Name": "key-name", "Values": [launcher.name]}])["Reservations"] == []
    )


@pytest.mark.parametrize("action", ["run_instances", "create_security_group", "create_key_pair", "create_tags"])
def test_a_dry_run_makes_nothing_and_tells_whether_it_would_be_allowed(launcher, region, action):
    arguments = {
        "run_instances": launcher.order(),
        "create_security_group": {"GroupName": "dry", "Description": "dry"},
        "create_key_pair": {"KeyName": "dry"},
        "create_tags": {"Resources": [launcher.group], "Tags": [{"Key": "dry", "Value": "1"}]},
    }[action]
    call = getattr(launcher.ec2, action)
    assert code(call, DryRun=True, **arguments) == "DryRunOperation"
    name = "".join(word.title() for word in action.split("_"))
    with region.faults(helpers.denied(name)):
        assert code(call, DryRun=True, **arguments) == "UnauthorizedOperation"
    groups = launcher.ec2.describe_security_groups()["SecurityGroups"]
    assert "dry" not in {group["GroupName"] for group in groups}
    assert "dry" not in {key["KeyName"] for key in launcher.ec2.describe_key_pairs()["KeyPairs"]}
    assert not [tag for group in groups for tag in group.get("Tags", []) if tag["Key"] == "dry"]
    assert launcher.launched == []


def test_a_new_description_of_a_rule_is_taken(launcher):
    launcher.allow(4711)
    rule = permissions(4711, "127.0.0.1/32")
    rule[0]["IpRanges"][0]["Description"] = "another"
    answer = launcher.ec2.update_security_group_rule_descriptions_ingress(GroupId=launcher.group, IpPermissions=rule)
    assert answer["Return"] is True
    group = launcher.ec2.describe_security_groups(GroupIds=[launcher.group])["SecurityGroups"][0]
    assert group["IpPermissions"][0]["IpRanges"][0]["Description"] == "another"
    launcher.forbid(4711)


def test_many_who_make_the_same_group_at_once_are_told_that_one_did(launcher):
    script = (
        "import boto3, sys\n"
        "try: print(boto3.client('ec2').create_security_group(GroupName=sys.argv[1], Description='x')['GroupId'])\n"
        "except Exception as error: print(error.response['Error']['Code'])\n"
    )
    known = {"PATH": "/usr/bin:/bin", **launcher.region.environment}
    command = [__import__("sys").executable, "-c", script, f"{launcher.name}-race"]
    racers = [subprocess.Popen(command, env=known, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(racer.communicate()[0].strip() for racer in racers)
    assert said[:3] == ["InvalidGroup.Duplicate"] * 3
    launcher.ec2.delete_security_group(GroupId=said[3])


def test_the_log_has_each_call_with_how_it_was_answered_and_no_secret(launcher, region):
    region.forget_calls()
    order = launcher.order(UserData="#!/bin/sh\nPASSWORD=hunter2", ImageId="ami-00000000000000000", ClientToken="t")
    code(launcher.ec2.run_instances, **order)
    entry = region.calls("RunInstances")[0]
    assert (entry["service"], entry["status"], entry["code"]) == ("ec2", 400, "InvalidAMIID.NotFound")
    assert entry["parameters"]["InstanceType"] == "t2.micro"
    assert entry["parameters"]["ClientToken"] == "t"
    assert entry["parameters"]["UserData"] == "(hidden)"
    assert region.calls("GetParameter")[0]["parameters"]["Name"] == PARAMETERS["amazon"]
