# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API of the region answers as EC2's does, also where moto by itself does not. Nothing here boots."""

import pytest
from launching import PARAMETERS, code
from region import helpers

NOWHERE = {"kind": "call", "action": "RunInstances", "code": "NotReached"}


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
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]}, "InvalidBlockDeviceMapping"),
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
