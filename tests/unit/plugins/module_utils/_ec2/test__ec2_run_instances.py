# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from botocore.session import get_session
from botocore.validate import ParamValidator
from little_ec2 import said

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import (
    Attempt,
    InstanceSpec,
    client_token,
    facts_of,
    run_parameters,
    user_data,
    verdict_on,
    waits_for_room,
)

ATTEMPT = Attempt("t2.micro", "us-west-2a", "subnet-a")
SPOT = replace(ATTEMPT, market="spot")
TAGS = {"os": "amazon", "port": "8888"}
SPEC = InstanceSpec("desi", "ann", (ATTEMPT,), "ami-1", "/dev/xvda", 30, "desi-lab-desi", "sg-1", TAGS)


def test_token_is_the_same_for_the_same_and_another_for_each_group_way_and_generation():
    ways = [ATTEMPT, SPOT, replace(ATTEMPT, type="t3.micro"), replace(ATTEMPT, zone="us-west-2b", subnet_id="subnet-b")]
    tokens = [client_token(group, way, number) for group in ("sg-1", "sg-2") for way in ways for number in (0, 1)]
    assert len(set(tokens)) == 16
    assert client_token("sg-1", replace(ATTEMPT), 0) == tokens[0]
    # What EC2 takes.
    assert len(tokens[0]) <= 64
    assert tokens[0].isascii()


def test_token_does_not_depend_on_what_two_computers_may_see_differently():
    # Else they would launch two, where now the second one is told that there is one.
    other = replace(SPEC, image_id="ami-2", tags={"release": "dr1"})
    assert len({run_parameters(spec, ATTEMPT, 0)["ClientToken"] for spec in (SPEC, other)}) == 1


@pytest.mark.parametrize(("hours", "minutes"), [(12, "720min"), (0.01, "1min"), (0.5, "30min"), (0, "")])
def test_user_data_arm_the_longest_time_of_an_instance_whose_setup_never_ends(hours, minutes):
    text = user_data({"ssh_keys": {}}, hours)
    first, _newline, rest = text.partition("\n")
    (command,) = json.loads(rest).get("bootcmd", [[]])
    assert first == "#cloud-config"
    assert [word for word in command if word.startswith("--on-active=")] == [f"--on-active={minutes}"] * bool(minutes)
    # Cloud-init must not wait for a timer that waits for cloud-init.
    assert not minutes or "--no-block" in command
    assert user_data({}, 0) == ""


@pytest.mark.parametrize("attempt", [ATTEMPT, SPOT])
def test_request_is_one_that_the_api_knows(attempt):
    shape = get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    report = ParamValidator().validate(run_parameters(SPEC, attempt, 0), shape)
    assert not report.has_errors(), report.generate_report()


def tags_by_kind(asked):
    return {
        one["ResourceType"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in asked.pop("TagSpecifications")
    }


def test_request_is_for_one_instance_whose_disk_is_encrypted_and_goes_with_it():
    asked = run_parameters(SPEC, ATTEMPT, 0)
    shared = lab_tags("desi", "ann")
    assert tags_by_kind(asked) == {
        "instance": {**shared, "desi-lab:os": "amazon", "desi-lab:port": "8888"},
        "volume": shared,
        "network-interface": shared,
    }
    disk = {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    card = {"DeviceIndex": 0, "SubnetId": "subnet-a", "Groups": ["sg-1"]}
    assert asked == {
        "ImageId": "ami-1",
        "InstanceType": "t2.micro",
        "KeyName": "desi-lab-desi",
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": client_token("sg-1", ATTEMPT, 0),
        "InstanceInitiatedShutdownBehavior": "stop",
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": disk}],
        "NetworkInterfaces": [{**card, "AssociatePublicIpAddress": True, "DeleteOnTermination": True}],
        "CreditSpecification": {"CpuCredits": "standard"},
    }


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("kinds", "limited"),
    [
        (("t2.micro", "t3.xlarge", "t3a.small", "t4g.2xlarge"), True),
        # AWS refuses the choice for these.
        (("m5.large", "m7i.xlarge", "r7i.xlarge", "c6a.large", "trn1.2xlarge", "t1.micro"), False),
    ],
)
def test_machines_that_compute_beyond_their_share_are_not_charged_for_it(kinds, limited, workers):
    asked = [run_parameters(replace(SPEC, workers=workers), replace(ATTEMPT, type=kind), 0) for kind in kinds]
    chosen = {"CpuCredits": "standard"} if limited else None
    assert [one.get("CreditSpecification") for one in asked] == [chosen] * len(kinds)


def test_spot_instance_can_be_stopped_and_its_request_is_tagged():
    asked = run_parameters(SPEC, SPOT, 0)
    options = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
    assert asked["InstanceMarketOptions"] == {"MarketType": "spot", "SpotOptions": options}
    assert tags_by_kind(asked)["spot-instances-request"] == lab_tags("desi", "ann")


@pytest.mark.parametrize("change", [{"name": ""}, {"owner": ""}])
def test_spec_of_an_instance_that_nobody_would_find_again_is_refused(change):
    with pytest.raises(LabError, match="No machine is made"):
        replace(SPEC, **change)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        # AWS counts a lack of capacity among its own errors, with status 500, but the next zone may have it.
        (said("InsufficientInstanceCapacity", 500), "elsewhere"),
        (said("Server.InsufficientInstanceCapacity", 500), "elsewhere"),
        (said("InsufficientHostCapacity"), "elsewhere"),
        (said("Unsupported"), "elsewhere"),
        (said("InsufficientFreeAddressesInSubnet"), "elsewhere"),
        (said("SpotMaxPriceTooLow"), "elsewhere"),
        (said("MaxSpotInstanceCountExceeded"), "elsewhere"),
        (said("IdempotentInstanceTerminated"), "used"),
        (said("IdempotentParameterMismatch"), "differs"),
        (said("InternalError", 500), "again"),
        (said("Odd", 500), "again"),
        (said("RequestLimitExceeded"), "again"),
        (boto.ConnectionClosedError(endpoint_url="x"), "again"),
        (boto.ReadTimeoutError(endpoint_url="x"), "again"),
        (ResponseParserError("x"), "again"),
        (AnsibleAWSError("x", said("InternalError", 500)), "again"),
        (said("VcpuLimitExceeded"), "stop"),
        (said("UnauthorizedOperation", 403), "stop"),
        (boto.EndpointConnectionError(endpoint_url="x"), "stop"),
        (ValueError("x"), "stop"),
        (boto.ClientError({}, "RunInstances"), "stop"),
        (boto.ClientError({"ResponseMetadata": {"HTTPStatusCode": "x"}}, "RunInstances"), "stop"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_verdict_on_a_refusal(error, verdict):
    assert verdict_on(error) == verdict


def test_instance_is_described_as_the_api_tells_of_it():
    instance = {
        "InstanceId": "i-1",
        "State": {"Name": "running"},
        "PublicIpAddress": "203.0.113.7",
        "PrivateIpAddress": "172.31.0.4",
        "PublicDnsName": "ec2.example.org",
        "InstanceType": "t2.micro",
        "Placement": {"AvailabilityZone": "us-west-2a"},
        "InstanceLifecycle": "spot",
        "LaunchTime": datetime(2026, 11, 24, 5, 30, tzinfo=timezone.utc),
    }
    values = ["i-1", "running", "203.0.113.7", "172.31.0.4", "ec2.example.org", "t2.micro", "us-west-2a", "spot"]
    assert list(facts_of(instance).values()) == [*values, "2026-11-24T05:30:00+00:00"]


@pytest.mark.parametrize("instance", [{}, {"State": None, "Placement": None, "PublicIpAddress": None}])
def test_instance_of_which_little_is_known_is_described_all_the_same(instance):
    view = facts_of(instance)
    assert (view["state"], view["market"]) == ("unknown", "on-demand")
    assert view["address"] == view["zone"] == view["launched"] == ""


@pytest.mark.parametrize(
    ("state", "market", "code", "waits"),
    [
        ("stopped", "spot", "Server.SpotInstanceShutdown", True),
        ("stopped", "spot", "Server.InsufficientInstanceCapacity", True),
        ("stopped", "spot", "Client.UserInitiatedShutdown", False),
        ("stopped", "spot", "Client.InstanceInitiatedShutdown", False),
        ("stopped", "spot", "", False),
        ("running", "spot", "Server.SpotInstanceShutdown", False),
        ("stopped", "", "Server.ScheduledStop", False),
    ],
)
def test_spot_instance_that_aws_has_interrupted_waits_for_room(state, market, code, waits):
    instance = {"State": {"Name": state}, "InstanceLifecycle": market, "StateReason": {"Code": code}}
    assert waits_for_room(instance) is waits
