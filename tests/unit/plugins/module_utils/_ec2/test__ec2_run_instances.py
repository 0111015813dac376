# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from botocore.session import get_session
from botocore.validate import ParamValidator

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import (
    Attempt,
    InstanceSpec,
    client_token,
    run_parameters,
    seen,
    verdict_on,
)

ATTEMPT = Attempt("t2.micro", "us-west-2a", "subnet-a")
WISH = InstanceSpec(
    "desi", "ann", (ATTEMPT,), "ami-1", "/dev/xvda", 30, "desi-lab-desi", "sg-1", {"os": "amazon", "port": "8888"}
)
SPOT = replace(ATTEMPT, market="spot")


def said(code, status=400):
    return boto.ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "RunInstances")


# Tokens


def test_token_is_the_same_for_everybody_who_wants_the_same():
    assert client_token("sg-1", ATTEMPT, 0) == client_token("sg-1", replace(ATTEMPT), 0)


def test_token_is_one_that_ec2_takes():
    assert len(client_token("sg-1", ATTEMPT, 0)) <= 64
    assert client_token("sg-1", ATTEMPT, 0).isascii()


def test_token_is_another_one_for_each_group_way_and_generation():
    ways = [ATTEMPT, SPOT, replace(ATTEMPT, type="t3.micro"), replace(ATTEMPT, zone="us-west-2b", subnet_id="subnet-b")]
    tokens = [client_token(group, way, number) for group in ("sg-1", "sg-2") for way in ways for number in (0, 1)]
    assert len(set(tokens)) == 16


def test_token_does_not_depend_on_what_two_computers_may_see_differently():
    # Else they would make two machines, where now the second one is told that there is one.
    other = replace(WISH, image_id="ami-2", tags={"release": "dr1"})
    tokens = {run_parameters(spec, ATTEMPT, 0)["ClientToken"] for spec in (WISH, other)}
    assert len(tokens) == 1


# The request


@pytest.fixture(scope="module")
def shape():
    return get_session().get_service_model("ec2").operation_model("RunInstances").input_shape


@pytest.mark.parametrize("attempt", [ATTEMPT, SPOT])
def test_request_is_one_that_the_api_knows(shape, attempt):
    report = ParamValidator().validate(run_parameters(WISH, attempt, 0), shape)
    assert not report.has_errors(), report.generate_report()


def test_request_is_for_one_machine_of_the_type_in_the_subnet_with_key_and_group():
    asked = run_parameters(WISH, ATTEMPT, 0)
    assert (asked["MinCount"], asked["MaxCount"]) == (1, 1)
    assert (asked["ImageId"], asked["InstanceType"], asked["KeyName"]) == ("ami-1", "t2.micro", "desi-lab-desi")
    [interface] = asked["NetworkInterfaces"]
    assert (interface["SubnetId"], interface["Groups"]) == ("subnet-a", ["sg-1"])
    assert interface["DeviceIndex"] == 0
    assert interface["AssociatePublicIpAddress"] is True
    assert interface["DeleteOnTermination"] is True


def test_disk_is_encrypted_as_large_as_asked_and_goes_with_the_machine():
    [disk] = run_parameters(WISH, ATTEMPT, 0)["BlockDeviceMappings"]
    assert disk["DeviceName"] == "/dev/xvda"
    assert disk["Ebs"] == {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}


def test_metadata_answer_the_machine_alone_and_a_shutdown_keeps_it():
    asked = run_parameters(WISH, ATTEMPT, 0)
    assert asked["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    assert asked["InstanceInitiatedShutdownBehavior"] == "stop"


def tags_by_kind(asked):
    return {
        spec["ResourceType"]: {tag["Key"]: tag["Value"] for tag in spec["Tags"]} for spec in asked["TagSpecifications"]
    }


def test_everything_that_comes_with_the_machine_is_tagged_as_it_is_made():
    shared = lab_tags("desi", "ann")
    assert tags_by_kind(run_parameters(WISH, ATTEMPT, 0)) == {
        "instance": {**shared, "desi-lab:os": "amazon", "desi-lab:port": "8888"},
        "volume": shared,
        "network-interface": shared,
    }


def test_machine_on_demand_is_not_asked_for_as_spot():
    assert "InstanceMarketOptions" not in run_parameters(WISH, ATTEMPT, 0)


def test_spot_machine_can_be_stopped_and_its_request_is_tagged():
    asked = run_parameters(WISH, SPOT, 0)
    assert asked["InstanceMarketOptions"] == {
        "MarketType": "spot",
        "SpotOptions": {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"},
    }
    assert tags_by_kind(asked)["spot-instances-request"] == lab_tags("desi", "ann")


@pytest.mark.parametrize("change", [{"name": ""}, {"owner": ""}])
def test_wish_for_a_machine_that_nobody_would_find_again_is_refused(change):
    with pytest.raises(LabError, match="No machine is made"):
        replace(WISH, **change)


# What a refusal means


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
        (said("Unavailable", 503), "again"),
        (said("Odd", 500), "again"),
        (said("RequestLimitExceeded", 503), "again"),
        (said("RequestLimitExceeded"), "again"),
        (boto.ConnectionClosedError(endpoint_url="x"), "again"),
        (boto.ReadTimeoutError(endpoint_url="x"), "again"),
        (ResponseParserError("x"), "again"),
        (AnsibleAWSError("x", said("InternalError", 500)), "again"),
        (said("VcpuLimitExceeded"), "stop"),
        (said("UnauthorizedOperation", 403), "stop"),
        (said("InvalidAMIID.NotFound"), "stop"),
        (said("UnsupportedOperation"), "stop"),
        (boto.EndpointConnectionError(endpoint_url="x"), "stop"),
        (boto.NoCredentialsError(), "stop"),
        (ValueError("x"), "stop"),
        (boto.ClientError({}, "RunInstances"), "stop"),
        (boto.ClientError({"ResponseMetadata": {"HTTPStatusCode": "x"}}, "RunInstances"), "stop"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_verdict_on_a_refusal(error, verdict):
    assert verdict_on(error) == verdict


# What is seen of a machine


def test_machine_is_seen_as_the_api_tells_of_it():
    machine = {
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
    assert seen(machine) == {
        "id": "i-1",
        "state": "running",
        "address": "203.0.113.7",
        "private_address": "172.31.0.4",
        "public_dns": "ec2.example.org",
        "type": "t2.micro",
        "zone": "us-west-2a",
        "market": "spot",
        "launched": "2026-11-24T05:30:00+00:00",
    }


@pytest.mark.parametrize("machine", [{}, {"State": None, "Placement": None, "PublicIpAddress": None}])
def test_machine_of_which_little_is_known_is_seen_all_the_same(machine):
    view = seen(machine)
    assert view["state"] == "unknown"
    assert view["market"] == "on-demand"
    assert view["address"] == view["zone"] == view["launched"] == ""
