# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines of workers are launched in one request, are of a group of their own, and end by their ids."""

from collections import Counter
from dataclasses import replace

import pytest
from aws_region import ALLOWED, IMAGE, record, run_module
from moto.ec2.responses.instances import InstanceResponse

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import is_worker, tags_of
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import workers as ec2_workers_core
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import INSTANCE, read, write
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import ResourceQuery
from ansible_collections.desi.lab.plugins.modules import ec2_workers

FULL = ("InsufficientInstanceCapacity", "There is no room.")


@pytest.fixture
def lab(region):
    """Return the lab's own instance."""
    region.key()
    return region.launch(
        ImageId=IMAGE,
        KeyName="desi-lab-desi",
        SubnetId=region.subnets[0]["SubnetId"],
        SecurityGroupIds=[region.group()],
    )


@pytest.fixture
def run(region, lab, capsys, monkeypatch):
    monkeypatch.setattr(ec2_workers_core, "POLL_SECONDS", 0.01)
    real = InstanceResponse.run_instances

    def run_instances(answers):
        # AWS launches as many as it can, moto as few as it may.
        answers.params["MinCount"] = min(int(answers.params["MaxCount"]), region.room)
        return real(answers)

    region.room = 99
    monkeypatch.setattr(InstanceResponse, "run_instances", run_instances)

    def run_it(count=2, check=False, fails=False, **more):
        region.calls.clear()
        given = {"name": "desi", "owner": region.owner, "instance_id": lab, "count": count, "type": "t2.micro"}
        answer = run_module(ec2_workers, capsys, check, **{**given, **more})
        assert bool(answer.get("failed")) is fails, answer.get("msg")
        return answer

    return run_it


def alive(region):
    return [one for one in region.instances() if is_worker(one) and one["State"]["Name"] == "running"]


def test_workers_are_made_like_the_lab_in_a_group_that_lets_in_only_itself(region, run, lab):
    made = run(2, tags={"desi-lab:os": "amazon"})
    first, second = alive(region)
    assert sorted(made["launched"]) == sorted(one["InstanceId"] for one in (first, second))
    assert made["changed"] and made["surplus"] == [] and made["short"] == []
    own = next(one for one in region.instances() if one["InstanceId"] == lab)
    assert {one["SubnetId"] for one in (own, first, second)} == {own["SubnetId"]}
    assert tags_of(first)["desi-lab:os"] == "amazon"
    [group] = [group["GroupId"] for group in first["NetworkInterfaces"][0]["Groups"]]
    assert group in [each["GroupId"] for each in own["SecurityGroups"]]
    [found] = region.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert all(not rule.get("IpRanges") and not rule.get("Ipv6Ranges") for rule in found["IpPermissions"])
    assert {pair["GroupId"] for rule in found["IpPermissions"] for pair in rule["UserIdGroupPairs"]} == {group}
    assert (tags_of(found)["desi-lab:name"], found["GroupName"]) == ("desi", "desi-lab-desi-workers")
    assert region.asked() <= ALLOWED


def test_further_workers_take_no_further_calls(region, run):
    run(1)
    few = Counter(name for name, _region, _form in region.calls)
    run(8, type="t3.micro")
    assert len(alive(region)) == 8
    many = Counter(name for name, _region, _form in region.calls)
    assert many.total() <= few.total()
    assert many["ec2:RunInstances"] == 1


def test_a_second_run_changes_nothing_and_fewer_are_named_and_ended_by_id(region, run):
    assert (run(2, check=True)["changed"], alive(region)) == (True, [])
    ids = run(2)["launched"]
    again = run(2)
    assert (again["changed"], sorted(one["id"] for one in again["workers"])) == (False, sorted(ids))
    assert run(1, check=True)["surplus"] == run(1)["surplus"] != []
    [surplus] = run(1)["surplus"]
    assert len(alive(region)) == 2
    stranger = region.launch()
    assert run(state="absent", ids=[surplus, stranger])["terminated"] == [surplus]
    assert [one["InstanceId"] for one in alive(region)] == [number for number in ids if number != surplus]


def test_what_spot_does_not_have_is_taken_on_demand(region, run):
    region.room = 1
    assert run(2)["short"] == []
    assert sorted(one.get("InstanceLifecycle", "") for one in alive(region)) == ["", "spot"]


@pytest.mark.parametrize(("room", "least", "there"), [(0, 1, 0), (1, 2, 2), (1, 3, 0)])
def test_fewer_than_the_least_are_ended_again(region, run, room, least, there):
    region.room = room
    if not room:
        region.faults["ec2:RunInstances"] = FULL
    answer = run(3, fails=not there, least=least)
    if there:
        assert answer["short"] == ["AWS has 2 of 3 machines at this moment"]
    else:
        assert "of the 3 machines" in answer["msg"]
        assert "-e lab_worker_type" in answer["msg"]
    assert len(alive(region)) == there


def test_nothing_that_was_launched_is_left_running_where_the_rest_fails(region, run, monkeypatch):
    [kept] = run(1)["launched"]

    def fail(_workers, _launched):
        raise LabError("AWS does not answer.", "It is away.", "try again")

    monkeypatch.setattr(ec2_workers_core.Workers, "_wait", fail)
    assert "does not answer" in run(3, fails=True)["msg"]
    assert [one["InstanceId"] for one in alive(region)] == [kept]


def test_number_type_and_memory_are_recorded_until_others_are_asked_for(region, run, lab, tmp_path):
    record(tmp_path, (INSTANCE, lab))
    given = {"folder": str(tmp_path)}
    run(2, type="t3.micro", memory="512MiB", **given)
    found = read(str(tmp_path))
    assert (found.workers, found.worker_type, found.worker_memory) == (2, "t3.micro", "512MiB")
    run(0, **given)
    assert read(str(tmp_path)).workers == 0


@pytest.mark.security("M4")
def test_workers_that_somebody_else_made_by_our_token_are_not_ours_and_those_of_a_lost_answer_are(
    region, lab, run, tmp_path, monkeypatch
):
    record(tmp_path, (INSTANCE, lab))
    monkeypatch.setattr(ec2_workers_core, "MOST_GENERATIONS", 2)
    region.faults["ec2:RunInstances"] = ("IdempotentParameterMismatch", "No.")
    run(1, fails=True, folder=str(tmp_path))
    assert read(str(tmp_path)).tokens == ()
    asked = [form["ClientToken"][0] for name, _region, form in region.calls if name == "ec2:RunInstances"]
    # Of an earlier run here, of which nobody knows what became.
    write(str(tmp_path), replace(read(str(tmp_path)), tokens=(asked[0],)))
    run(1, fails=True, folder=str(tmp_path))
    assert read(str(tmp_path)).tokens == (asked[0],)


def test_a_group_of_the_name_that_is_another_is_left_alone(region, run):
    vpc = region.subnets[0]["VpcId"]
    region.ec2.create_security_group(GroupName="desi-lab-desi-workers", Description="mine", VpcId=vpc)
    assert "never changed" in run(1, fails=True)["msg"]
    assert alive(region) == []


def test_down_finds_them_by_their_tags(region, run):
    run(2)
    found = ResourceQuery(region.ec2, region.owner, "desi").everything(("machine", "security group"))
    assert len([one for one in found["machine"] if is_worker(one)]) == 2
    assert "desi-lab-desi-workers" in [group["GroupName"] for group in found["security group"]]
