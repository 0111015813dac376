# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of launches: tokens, races, groups, volumes, and faults on the way to a machine."""

import ipaddress
import threading

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError
from launching import code, knock
from region import helpers
from region.waiting import wait_until

ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def terminated(launcher):
    """Return the launcher, and see to what it has launched for a test."""
    before = len(launcher.launched)
    yield launcher
    made, launcher.launched[before:] = launcher.launched[before:], []
    if made:
        launcher.ec2.terminate_instances(InstanceIds=made)


def test_one_token_makes_one_machine_also_of_calls_that_race(terminated, region):
    order = terminated.order(ClientToken=f"{terminated.name}-race")
    made = []

    def launch(client):
        made.append(client.run_instances(**order)["Instances"][0]["InstanceId"])

    racers = [threading.Thread(target=launch, args=(region.client("ec2"),)) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    terminated.launched.append(made[0])
    assert len(made) == 3
    assert len(set(made)) == 1
    assert code(terminated.ec2.run_instances, **{**order, "InstanceType": "t3.micro"}) == "IdempotentParameterMismatch"


def test_a_machine_has_what_it_was_ordered_with_and_takes_it_along(terminated):
    ec2 = terminated.ec2
    tags = [{"Key": "Name", "Value": "mine"}]
    instance = terminated.launch(
        SecurityGroupIds=[],
        NetworkInterfaces=[{"DeviceIndex": 0, "Groups": [terminated.group], "AssociatePublicIpAddress": True}],
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True}}
        ],
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        TagSpecifications=[
            {"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume", "network-interface")
        ],
    )
    seen = terminated.see(instance)
    assert [group["GroupId"] for group in seen["SecurityGroups"]] == [terminated.group]
    assert seen["Placement"]["AvailabilityZone"] == "us-west-2a"
    # By that of its container, machines reach each other.
    assert not seen["PrivateIpAddress"].startswith("172.31.")
    assert ipaddress.ip_address(seen["PrivateIpAddress"]).is_private
    (volume,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (30, "gp3", True)
    mine = [{"Name": "tag:Name", "Values": ["mine"]}]
    assert len(ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]) == 1
    assert code(ec2.delete_security_group, GroupId=terminated.group) == "DependencyViolation"
    ec2.modify_instance_metadata_options(InstanceId=instance, HttpPutResponseHopLimit=2)
    assert terminated.see(instance)["MetadataOptions"]["HttpTokens"] == "required"
    ec2.terminate_instances(InstanceIds=[instance])
    assert ec2.describe_volumes(Filters=mine)["Volumes"] == []
    assert ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"] == []


def test_what_cannot_be_done_in_a_state_is_refused(terminated, region):
    ec2 = terminated.ec2
    instance = terminated.launch()
    change = {"InstanceId": instance, "InstanceType": {"Value": "t3.small"}}
    assert code(ec2.modify_instance_attribute, **change) == "IncorrectInstanceState"
    ec2.stop_instances(InstanceIds=[instance])
    ec2.modify_instance_attribute(**change)
    assert code(ec2.reboot_instances, InstanceIds=[instance]) == "IncorrectInstanceState"
    ec2.start_instances(InstanceIds=[instance])
    assert terminated.see(instance)["InstanceType"] == "t3.small"
    ec2.terminate_instances(InstanceIds=[instance])
    for call in (ec2.start_instances, ec2.stop_instances):
        assert code(call, InstanceIds=[instance]) == "IncorrectInstanceState"
    assert terminated.state(instance) == "terminated"
    assert instance not in {machine["instance"] for machine in region.machines()}


@pytest.mark.parametrize("fault", [helpers.failed_after, helpers.dropped_after])
def test_lost_response_with_the_same_token_makes_no_second_instance(terminated, region, fault):
    instances = {"Filters": [{"Name": "client-token", "Values": [f"{terminated.name}-{fault.__name__}"]}]}
    order = terminated.order(ClientToken=f"{terminated.name}-{fault.__name__}")
    with region.faults(fault("RunInstances", times=9)):
        with pytest.raises((ClientError, HTTPClientError, EndpointConnectionError)):
            region.client("ec2", config=ONCE).run_instances(**order)
        assert len(terminated.ec2.describe_instances(**instances)["Reservations"]) == 1
    terminated.launch(ClientToken=order["ClientToken"])
    assert len(terminated.ec2.describe_instances(**instances)["Reservations"]) == 1


@pytest.mark.parametrize(
    ("fault", "ec2", "sts", "ssm"),
    [
        (helpers.wrong_clock(), "RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException"),
        (helpers.expired_token(), "RequestExpired", "ExpiredToken", "ExpiredTokenException"),
        (helpers.bad_keys(), "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"),
    ],
)
def test_invalid_credentials_are_refused_in_the_words_of_each_service(region, fault, ec2, sts, ssm):
    with region.faults(fault):
        assert code(region.client("ec2", config=ONCE).describe_vpcs) == ec2
        assert code(region.client("sts", config=ONCE).get_caller_identity) == sts
        assert code(region.client("ssm", config=ONCE).get_parameter, Name="x") == ssm


@pytest.fixture(scope="module")
def open_launcher(launcher):
    """Return the launcher, whose machines let in who comes by SSH."""
    launcher.allow(22)
    return launcher


def test_ssh_is_late_refused_or_shut_as_a_fault_says(open_launcher, terminated, region):
    with region.faults(helpers.ssh_rejects_key()):
        instance = terminated.launch()
    address = terminated.see(instance)["PublicIpAddress"]
    wait_until(lambda: knock(address).startswith("SSH"), 60)
    assert terminated.ssh(instance, "true").returncode == 255
    with region.faults(helpers.ssh_refused()):
        assert knock(address) == "refused"
    with region.faults(helpers.ssh_late(0.1)):
        assert knock(address).startswith("SSH")
    with region.faults(helpers.ssh_late(600)):
        assert knock(address) == "refused"
    assert knock(address).startswith("SSH")


def test_fault_makes_blocked_ports_silent(open_launcher, terminated, region):
    instance = terminated.launch()
    address = terminated.see(instance)["PublicIpAddress"]
    wait_until(lambda: knock(address).startswith("SSH"), 60)
    with region.faults(helpers.closed_is_silent()):
        assert knock(address).startswith("SSH")
        assert knock(address, 8888, patience=0.5) == "silent"
        assert knock(address, source="127.0.0.9", patience=0.5) == "silent"
        terminated.allow(8888)
        # Allowed, and nobody listens.
        assert knock(address, 8888, patience=0.5) == "refused"
        terminated.forbid(8888)
    assert knock(address, 8888, patience=0.5) == "refused"


@pytest.mark.parametrize("end", ["terminated", "stopped", "silent"])
def test_a_machine_dies_after_its_time(open_launcher, terminated, region, end):
    with region.faults(helpers.dies(0.5, end, times=1)):
        instance = terminated.launch()
    address = terminated.see(instance)["PublicIpAddress"]
    if end == "silent":
        wait_until(lambda: knock(address, patience=0.5) == "silent", 60)
        assert terminated.state(instance) == "running"
    else:
        wait_until(lambda: terminated.state(instance) == end, 60)
        assert terminated.see(instance)["StateReason"]["Code"] == "Server.InternalError"
        assert knock(address) == "refused"


def test_a_machine_that_boots_slowly_is_pending_and_can_be_terminated_meanwhile(terminated, region):
    with region.faults(helpers.slow_boot(2, times=2)):
        given_up, waited_for = terminated.launch(), terminated.launch()
        assert [terminated.state(instance) for instance in (given_up, waited_for)] == ["pending", "pending"]
        terminated.ec2.terminate_instances(InstanceIds=[given_up])
        assert terminated.state(given_up) == "terminated"
    wait_until(lambda: terminated.state(waited_for) == "running", 60)
    assert terminated.state(given_up) == "terminated"
