# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong at AWS ends in a machine or in three sentences, and never in something that nobody takes away."""

from __future__ import annotations

import shutil

import pytest
from labs import Lab
from region import helpers

# As far as the machine: what follows is the same as on every other host.
MACHINE = "tests/cloud/instance.yml"


@pytest.fixture
def lab(request, region, tmp_path_factory, free_ports):
    """Return a lab of the test's own, and see to it that nothing of it is left."""
    home = tmp_path_factory.mktemp("f")
    made = Lab(region, f"fault-{abs(hash(request.node.name)) % 10**8}", home, next(free_ports))
    yield made
    made.sweep()
    assert made.left() == []
    shutil.rmtree(home, ignore_errors=True)


def made_one(lab: Lab, shown: str) -> None:
    """Assert that a run ended with one machine that can be entered."""
    assert "SSH" in shown
    assert len(lab.instances("running")) == 1


def test_where_there_is_no_capacity_the_next_zone_and_the_next_type_are_taken_and_told(lab, region):
    with region.faults(helpers.capacity("us-west-2a"), helpers.capacity(instance_type="t2.micro")):
        shown = lab.run(MACHINE, lab_instance_type="t2.micro,t3.small")
    assert "us-west-2a" in shown
    made_one(lab, shown)
    assert lab.instances()[0]["InstanceType"] == "t3.small"
    assert lab.instances()[0]["Placement"]["AvailabilityZone"] == "us-west-2b"


def test_no_capacity_anywhere_is_refused_with_what_was_tried_and_nothing_is_left(lab, region):
    with region.faults(helpers.capacity()):
        shown = lab.refused(MACHINE)
    assert "us-west-2a" in shown
    assert "lab_instance_type" in shown
    assert lab.left() == []
    assert not (lab.folder / "id_ed25519").exists()


@pytest.mark.security("M3", "P10")
def test_what_costs_money_is_refused_where_nobody_can_be_asked_and_nothing_is_left(lab):
    shown = lab.refused(MACHINE, lab_yes=None)
    assert "nobody could be asked" in shown
    assert "-e lab_yes=true" in shown
    assert lab.left() == []


def test_spot_falls_back_to_on_demand_and_says_so(lab, region):
    with region.faults(helpers.no_spot()):
        shown = lab.run(MACHINE, lab_spot=True)
    assert "spot" in shown
    made_one(lab, shown)
    assert "InstanceLifecycle" not in lab.instances()[0]


def test_a_spot_machine_goes_with_its_request(lab):
    made_one(lab, lab.run(MACHINE, lab_spot=True))
    assert lab.instances()[0]["InstanceLifecycle"] == "spot"
    lab.run("down", lab_yes=True)
    assert lab.left() == []


def test_throttling_is_waited_out(lab, region):
    with region.faults(helpers.throttled("DescribeInstances", 3), helpers.throttled("RunInstances", 3)):
        made_one(lab, lab.run(MACHINE))


def test_missing_permissions_are_named_before_anything_is_made(lab, region):
    actions = ("RunInstances", "CreateSecurityGroup", "ImportKeyPair", "TerminateInstances")
    with region.faults(*map(helpers.denied, actions)):
        shown = lab.refused(MACHINE)
    assert all(f"ec2:{action}" in shown for action in actions)
    assert "iam-policy.json" in shown
    assert lab.left() == []


def test_a_machine_that_is_late_is_waited_for(lab, region):
    with region.faults(helpers.ssh_late(6)):
        made_one(lab, lab.run(MACHINE))


def test_a_machine_that_never_answers_is_told_and_taken_back(lab, region):
    with region.faults(helpers.ssh_refused()):
        shown = lab.refused(MACHINE, ec2_ssh_timeout=8)
    assert "SSH" in shown
    assert lab.left() == []


@pytest.mark.security("H8")
def test_another_host_at_first_contact_is_refused_at_once_and_the_machine_taken_back(lab, region):
    with region.faults(helpers.ssh_another_host()):
        shown = lab.refused(MACHINE, ec2_ssh_timeout=300)
    assert "is not the machine that AWS started" in shown
    assert lab.left() == []


def test_a_key_that_is_not_accepted_is_told_at_once_as_what_it_is(lab, region):
    with region.faults(helpers.ssh_rejects_key()):
        shown = lab.refused(MACHINE, ec2_ssh_timeout=300)
    assert "key" in shown
    assert lab.left() == []


@pytest.mark.parametrize("end", ["terminated", "stopped"])
def test_a_machine_that_dies_before_it_can_be_entered_leaves_nothing(lab, region, end):
    with region.faults(helpers.ssh_late(60), helpers.dies(1, end)):
        lab.refused(MACHINE, ec2_ssh_timeout=8)
    assert lab.left() == []


def test_a_machine_that_dies_later_is_told_and_the_next_run_goes_on(lab, region):
    with region.faults(helpers.dies(6, "stopped", times=1)):
        done = lab.attempt("ec2.yml")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    made_one(lab, lab.run(MACHINE))
    assert len(lab.instances()) == 1


@pytest.mark.parametrize("fault", [helpers.failed_after, helpers.dropped_after])
def test_answers_that_are_lost_after_they_took_effect_make_no_second_one(lab, region, fault):
    with region.faults(*map(fault, ("ImportKeyPair", "CreateSecurityGroup", "RunInstances"))):
        # Each of them may end a run.
        for _attempt in range(3):
            done = lab.attempt(MACHINE)
            assert "Traceback" not in done.stdout, done.stdout
            if not done.returncode:
                break
    made_one(lab, done.stdout)
    assert len(lab.instances()) == 1
    groups = region.client("ec2").describe_security_groups(
        Filters=[{"Name": "tag:desi-lab:name", "Values": [lab.name]}]
    )
    assert len(groups["SecurityGroups"]) == 1


def test_a_wrong_clock_is_told_in_plain_words(lab, region):
    with region.faults(helpers.wrong_clock()):
        assert "clock" in lab.refused(MACHINE).lower()
    assert lab.left() == []


def test_credentials_that_expire_in_the_middle_are_told_and_the_next_run_goes_on(lab, region):
    with region.faults({**helpers.expired_token(), "action": "RunInstances", "match": {}}):
        shown = lab.refused(MACHINE)
    assert "expired" in shown.lower()
    made_one(lab, lab.run(MACHINE))


def test_what_a_run_left_that_could_not_take_it_back_is_found_by_down(lab, region):
    ended = [{**helpers.expired_token(), "action": action} for action in ("RunInstances", "DescribeVolumes")]
    with region.faults(*ended):
        assert "expired" in lab.refused(MACHINE).lower()
    assert lab.left()
    assert "nothing is left" in lab.run("down", lab_yes=True)
    assert lab.left() == []


def test_two_terminals_at_once_make_one_machine(lab):
    first, second = lab.begin(MACHINE), lab.begin(MACHINE)
    shown = [process.communicate(timeout=300)[0] for process in (first, second)]
    codes = sorted((first.returncode, second.returncode))
    assert codes[0] == 0, shown
    if codes[1]:
        assert any("another run" in text for text in shown), shown
    assert len(lab.instances()) == 1


def test_two_computers_at_once_make_one_machine(lab, region, tmp_path_factory):
    elsewhere = Lab(region, lab.name, tmp_path_factory.mktemp("g"), lab.port, lab_access="direct")
    first, second = lab.begin(MACHINE, lab_access="direct"), elsewhere.begin(MACHINE)
    shown = [process.communicate(timeout=300)[0] for process in (first, second)]
    assert 0 in (first.returncode, second.returncode), shown
    assert len(lab.instances()) == 1, shown
    if first.returncode or second.returncode:
        assert any("another computer" in text for text in shown), shown


def test_a_key_that_another_computer_brings_in_the_same_moment_is_told_and_nothing_is_made(lab, region):
    # Between the look and the import of amazon.aws.ec2_key.
    with region.faults({"kind": "call", "action": "ImportKeyPair", "code": "InvalidKeyPair.Duplicate", "status": 400}):
        assert "being made from another computer" in lab.refused(MACHINE)
    assert lab.left() == []


def test_a_group_that_another_computer_makes_in_the_same_moment_is_used(lab, region):
    rule = {"kind": "call", "action": "CreateSecurityGroup", "code": "InvalidGroup.Duplicate", "status": 400}
    with region.faults({**rule, "times": 1}):
        made_one(lab, lab.run(MACHINE))


def test_a_launch_that_is_taken_back_leaves_what_is_of_another_computer(lab, region):
    lab.run(MACHINE)
    region.client("ec2").terminate_instances(InstanceIds=[lab.instances()[0]["InstanceId"]])
    shutil.rmtree(lab.folder)
    with region.faults({"kind": "call", "action": "RunInstances", "code": "InvalidParameterValue", "status": 400}):
        shown = lab.refused(MACHINE)
    assert f"Key pair desi-lab-{lab.name}-2" in shown
    assert [row.partition(":")[0] for row in lab.left()] == ["describe_key_pairs"]


def test_a_group_and_a_key_of_somebody_else_are_left_alone(lab, region):
    client = region.client("ec2")
    client.create_key_pair(KeyName=f"desi-lab-{lab.name}", KeyType="ed25519")
    group = client.create_security_group(GroupName="taken", Description="somebody's")["GroupId"]
    try:
        before = client.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        shown = lab.run(MACHINE, lab_security_group="taken")
        made_one(lab, shown)
        assert f"desi-lab-{lab.name}-2" in shown
        assert f"taken-{lab.name}" in shown
        lab.run("down", lab_yes=True)
        assert client.describe_security_groups(GroupIds=[group])["SecurityGroups"][0] == before
        assert client.describe_key_pairs(KeyNames=[f"desi-lab-{lab.name}"])["KeyPairs"]
    finally:
        client.delete_key_pair(KeyName=f"desi-lab-{lab.name}")
        client.delete_security_group(GroupId=group)


def test_a_lost_private_key_is_told_and_cured_by_a_new_name(lab, region):
    lab.run(MACHINE)
    machine = lab.instances()[0]["InstanceId"]
    shutil.rmtree(lab.folder)
    shown = lab.refused(MACHINE)
    assert "key" in shown
    assert lab.instances()[0]["InstanceId"] == machine
    region.client("ec2").terminate_instances(InstanceIds=[machine])
    shown = lab.run(MACHINE)
    assert f"desi-lab-{lab.name}-2" in shown
    made_one(lab, shown)
