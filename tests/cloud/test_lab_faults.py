# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong at AWS ends in a machine or in three sentences, and never in something that nobody takes away."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from labs import Lab
from region import helpers
from region.waiting import wait_until

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


def test_launch_goes_on_after_throttling_races_and_lack_of_capacity(lab, region):
    group = {"kind": "call", "action": "CreateSecurityGroup", "code": "InvalidGroup.Duplicate", "status": 400}
    faults = [
        helpers.throttled("DescribeInstances", 3),
        helpers.throttled("RunInstances", 3),
        # Another computer makes it in the same moment.
        {**group, "times": 1},
        helpers.no_spot(),
        helpers.capacity("us-west-2a"),
        helpers.capacity(instance_type="t2.micro"),
        helpers.ssh_late(6),
    ]
    with region.faults(*faults):
        shown = lab.run(MACHINE, lab_instance_type="t2.micro,t3.small", lab_spot=True)
    made_one(lab, shown)
    assert "(spot)" in shown
    assert "us-west-2a" in shown
    (machine,) = lab.instances()
    assert (machine["InstanceType"], machine["Placement"]["AvailabilityZone"]) == ("t3.small", "us-west-2b")
    assert "InstanceLifecycle" not in machine
    # Whatever becomes of the rest of the run, it ends by itself.
    armed = "until systemctl is-active --quiet desi-lab-longest-time.timer; do sleep 0.1; done"
    assert region.exec(machine["InstanceId"], "timeout", "30", "sh", "-c", armed).returncode == 0


@pytest.mark.security("M3", "P10")
def test_what_costs_money_is_refused_where_nobody_can_be_asked_and_nothing_is_left(lab):
    shown = lab.refused(MACHINE, lab_yes=None)
    assert "nobody could be asked" in shown
    assert "-e lab_yes=true" in shown
    assert lab.left() == []


def test_down_removes_a_spot_instance_and_its_request(lab):
    made_one(lab, lab.run(MACHINE, lab_spot=True))
    assert lab.instances()[0]["InstanceLifecycle"] == "spot"
    lab.run("down", lab_yes=True)
    assert lab.left() == []


def test_missing_permissions_are_named_before_anything_is_made(lab, region):
    actions = ("RunInstances", "CreateSecurityGroup", "ImportKeyPair", "TerminateInstances")
    with region.faults(*map(helpers.denied, actions)):
        shown = lab.refused(MACHINE)
    assert all(f"ec2:{action}" in shown for action in actions)
    assert "iam-policy.json" in shown
    assert lab.left() == []


def test_instance_that_never_answers_over_ssh_is_rolled_back(lab, region):
    with region.faults(helpers.ssh_refused()):
        shown = lab.refused(MACHINE, ec2_ssh_timeout=8)
    assert "SSH" in shown
    assert lab.left() == []
    assert not (lab.folder / "id_ed25519").exists()


@pytest.mark.security("H8")
def test_unknown_host_key_at_first_contact_is_refused_and_the_instance_rolled_back(lab, region):
    with region.faults(helpers.ssh_another_host()):
        shown = lab.refused(MACHINE, ec2_ssh_timeout=300)
    assert "is not the machine that AWS started" in shown
    assert lab.left() == []


def test_instance_that_stops_before_ssh_answers_leaves_no_resources(lab, region):
    with region.faults(helpers.ssh_late(20), helpers.dies(1, "stopped")):
        lab.refused(MACHINE, ec2_ssh_timeout=8)
    assert lab.left() == []


def test_instance_that_stops_during_setup_is_reported_and_the_next_run_succeeds(lab, region):
    with region.faults(helpers.dies(12, "stopped", times=1)):
        # Not as patient as usual: on a slow computer it dies before it can be entered, and is taken back.
        done = lab.attempt("ec2.yml", ec2_ssh_timeout=30)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert (f"./lab down -e lab_name={lab.name}" in done.stdout) is bool(lab.instances())
    made_one(lab, lab.run(MACHINE))
    assert len(lab.instances()) == 1


def test_lost_responses_create_no_second_instance(lab, region):
    lost = [(helpers.failed_after, "ImportKeyPair"), (helpers.dropped_after, "CreateSecurityGroup")]
    lost += [(helpers.failed_after, "RunInstances"), (helpers.dropped_after, "RunInstances")]
    with region.faults(*(fault(action) for fault, action in lost)):
        # Each of them may end a run.
        for _attempt in lost:
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


def test_down_removes_what_a_failed_rollback_left(lab, region):
    ended = [{**helpers.expired_token(), "action": action} for action in ("RunInstances", "DescribeVolumes")]
    with region.faults(*ended):
        assert "expired" in lab.refused(MACHINE).lower()
    assert lab.left()
    assert "nothing is left" in lab.run("down", lab_yes=True)
    assert lab.left() == []


def test_ctrl_c_names_the_machine_that_costs_and_the_same_command_goes_on_with_it(lab, region):
    with region.faults(helpers.ssh_late(20)):
        process = lab.begin(MACHINE)
        wait_until(lab.instances, 60)
        (machine,) = lab.instances()
        wait_until(lambda: (lab.folder / "ssh_config").exists(), 60)
        # As a terminal does, to all that run in its foreground.
        os.killpg(process.pid, signal.SIGINT)
        shown = process.communicate(timeout=60)[0]
    assert process.returncode != 0, shown
    assert "Traceback" not in shown
    assert machine["InstanceId"] in shown.partition("!")[2], shown
    assert f"./lab down -e lab_name={lab.name}" in shown
    made_one(lab, lab.run(MACHINE))
    assert lab.instances()[0]["InstanceId"] == machine["InstanceId"]
    assert "nothing is left" in lab.run("down", lab_yes=True)
    assert lab.left() == []


def test_two_runs_at_once_create_one_instance(lab):
    first, second = lab.begin(MACHINE), lab.begin(MACHINE)
    shown = [process.communicate(timeout=300)[0] for process in (first, second)]
    codes = sorted((first.returncode, second.returncode))
    assert codes[0] == 0, shown
    if codes[1]:
        assert any("another run" in text for text in shown), shown
    assert len(lab.instances()) == 1


def test_two_computers_at_once_create_one_instance(lab, region, tmp_path_factory):
    elsewhere = Lab(region, lab.name, tmp_path_factory.mktemp("g"), lab.port, lab_access="direct")
    first, second = lab.begin(MACHINE, lab_access="direct"), elsewhere.begin(MACHINE)
    shown = [process.communicate(timeout=300)[0] for process in (first, second)]
    assert 0 in (first.returncode, second.returncode), shown
    assert len(lab.instances()) == 1, shown
    if first.returncode or second.returncode:
        assert any("another computer" in text for text in shown), shown


def test_key_pair_imported_elsewhere_at_the_same_time_is_refused_without_new_resources(lab, region):
    # Between the look and the import of amazon.aws.ec2_key.
    with region.faults({"kind": "call", "action": "ImportKeyPair", "code": "InvalidKeyPair.Duplicate", "status": 400}):
        assert "being made from another computer" in lab.refused(MACHINE)
    assert lab.left() == []


def test_key_pair_and_security_group_of_others_stay_and_new_ones_are_created(lab, region):
    client = region.client("ec2")
    client.create_key_pair(KeyName=f"desi-lab-{lab.name}", KeyType="ed25519")
    group = client.create_security_group(GroupName="taken", Description="somebody's")["GroupId"]
    try:
        before = client.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        shown = lab.run(MACHINE, lab_security_group="taken")
        made_one(lab, shown)
        assert f"desi-lab-{lab.name}-2" in shown
        assert f"taken-{lab.name}" in shown
        machine = lab.instances()[0]["InstanceId"]
        shutil.rmtree(lab.folder)
        assert "key" in lab.refused(MACHINE, lab_security_group="taken")
        assert lab.instances()[0]["InstanceId"] == machine
        client.terminate_instances(InstanceIds=[machine])
        # A launch that is taken back takes the key of this computer along, and no other.
        with region.faults({"kind": "call", "action": "RunInstances", "code": "InvalidParameterValue", "status": 400}):
            assert f"Key pair desi-lab-{lab.name}-3" in lab.refused(MACHINE)
        assert [row.partition(":")[0] for row in lab.left()] == ["describe_security_groups", "describe_key_pairs"]
        lab.run("down", lab_yes=True)
        assert client.describe_security_groups(GroupIds=[group])["SecurityGroups"][0] == before
        assert client.describe_key_pairs(KeyNames=[f"desi-lab-{lab.name}"])["KeyPairs"]
    finally:
        client.delete_key_pair(KeyName=f"desi-lab-{lab.name}")
        client.delete_security_group(GroupId=group)
