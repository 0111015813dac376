# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import boto3
import pytest
from aws_region import run_module
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2 import expiry as work
from ansible_collections.desi.lab.plugins.module_utils._ec2.expiry import (
    former_role_name,
    group_name,
    role_name,
)
from ansible_collections.desi.lab.plugins.modules import ec2_expiry

GROUP = group_name("moto", "desi")
NOON = 1_795_521_600.0  # 2026-11-24, 12:00


@pytest.fixture
def scheduler(region):
    return boto3.client("scheduler", region_name="us-west-2")


@pytest.fixture
def role(region):
    iam = boto3.client("iam", region_name="us-west-2")
    return iam.create_role(Path="/desi-lab-expiry-of/moto/", RoleName=role_name("moto"), AssumeRolePolicyDocument="{}")[
        "Role"
    ]["Arn"]


@pytest.fixture
def instance(region):
    return region.launch()


@pytest.fixture
def run(region, capsys, monkeypatch):
    def run_it(now=NOON, **arguments):
        monkeypatch.setattr(
            work.ScheduleGroup.__init__, "__defaults__", (lambda: now, lambda _seconds: None, None, None)
        )
        return run_module(ec2_expiry, capsys, name="desi", **arguments)

    return run_it


def schedules(scheduler, group=GROUP):
    names = [row["Name"] for row in scheduler.list_schedules(GroupName=group)["Schedules"]]
    return {name: scheduler.get_schedule(GroupName=group, Name=name) for name in names}


def due(scheduler):
    return {name.split("-")[0]: each["ScheduleExpression"] for name, each in schedules(scheduler).items()}


def groups(scheduler):
    return [row["Name"] for row in scheduler.list_schedule_groups()["ScheduleGroups"]]


def test_machine_goes_an_hour_after_the_snapshot_of_its_disk(run, scheduler, role, instance, region):
    result = run(days=14, hours=12)
    assert (result["changed"], result["expires"], result["why"]) == (True, "2026-12-09T01:00:00Z", "")
    found = schedules(scheduler)
    assert set(found) == {f"snapshot-{instance}", f"delete-{instance}"}
    assert due(scheduler) == {"snapshot": "at(2026-12-09T00:00:00)", "delete": "at(2026-12-09T01:00:00)"}
    targets = {name.split("-")[0]: each["Target"] for name, each in found.items()}
    disk = region.instances()[0]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert json.loads(targets["delete"]["Input"]) == {"InstanceIds": [instance]}
    assert json.loads(targets["snapshot"]["Input"])["VolumeId"] == disk
    assert {target["RoleArn"] for target in targets.values()} == {role}
    assert all(each["ActionAfterCompletion"] == "DELETE" for each in found.values())
    given = json.loads(targets["snapshot"]["Input"])["TagSpecifications"][0]["Tags"]
    assert given == as_tag_list({**lab_tags("desi", "moto"), "desi-lab:machine": instance})
    arn = scheduler.get_schedule_group(Name=GROUP)["Arn"]
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == as_tag_list(lab_tags("desi", "moto"))
    # The same day changes nothing.
    assert not run(now=NOON + 3600, hours=11)["changed"]


def test_without_a_snapshot_there_is_one_schedule(run, scheduler, role, instance):
    run(snapshot=False)
    assert set(due(scheduler)) == {"delete"}
    # What was wanted before and no longer is, goes.
    run(snapshot=True)
    assert set(due(scheduler)) == {"delete", "snapshot"}
    run(snapshot=False)
    assert set(due(scheduler)) == {"delete"}


def test_schedules_of_a_machine_that_is_gone_make_way(run, scheduler, role, instance, region):
    run()
    region.ec2.terminate_instances(InstanceIds=[instance])
    identity = region.launch()
    run()
    assert set(schedules(scheduler)) == {f"snapshot-{identity}", f"delete-{identity}"}


def test_without_an_instance_or_a_role_nothing_is_made_and_it_is_said_why(run, scheduler, region):
    assert run(role="theirs")["why"] == "there is no machine"
    region.launch()
    result = run()
    assert (result["changed"], result["expires"]) == (False, "")
    assert role_name("moto") in result["why"]
    assert "lab_expire_role=make" in result["why"]
    assert groups(scheduler) == ["default"]


def test_role_that_desi_lab_0_1_0_made_is_used_as_long_as_there_is_no_other(run, scheduler, instance):
    iam = boto3.client("iam", region_name="us-west-2")
    before = iam.create_role(RoleName=former_role_name("moto"), AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    assert run()["expires"]
    assert {each["Target"]["RoleArn"] for each in schedules(scheduler).values()} == {before}
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    run(role="theirs")
    mine = "arn:aws:iam::123456789012:role/theirs"
    assert {each["Target"]["RoleArn"] for each in schedules(scheduler).values()} == {mine}


def test_whoever_has_no_role_and_may_not_see_schedules_is_told_that_none_are_set(run, instance, monkeypatch):
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetScheduleGroup")
    monkeypatch.setattr(work.ScheduleGroup, "existing", lambda _self: (_ for _ in ()).throw(denied))
    assert (run()["is_off"], role_name("moto") in run()["why"]) == (True, True)


def test_role_that_was_given_once_moves_the_schedules_later_and_nothing_is_off_that_is_not(run, scheduler, instance):
    theirs = boto3.client("iam", region_name="us-west-2").create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    assert run(only_moves=True, role="theirs")["is_off"]
    assert groups(scheduler) == ["default"]
    run(role="theirs")
    later = run(now=NOON + 86400, only_moves=True)
    assert (later["expires"], later["is_off"], later["why"]) == ("2026-12-10T01:00:00Z", False, "")
    assert {each["Target"]["RoleArn"] for each in schedules(scheduler).values()} == {theirs["Role"]["Arn"]}
    result = run(role="another")
    assert (result["expires"], result["is_off"]) == ("", False)
    assert "another" in result["why"]


def test_deletion_of_a_lab_that_may_run_for_any_time_is_put_off_and_never_brought_forward(run, role, instance):
    first = run(hours=1000)["expires"]
    known = {"only_moves": True, "only_later": True, "hours": 12}
    same = run(**known)
    assert (same["expires"], same["changed"]) == (first, False)
    assert run(**known, now=NOON + 60 * 86400)["expires"] > first
    assert run(only_moves=True, hours=12)["expires"] < first


@pytest.mark.security("H9")
def test_schedule_that_may_no_longer_be_moved_does_not_delete_a_lab_in_use(run, scheduler, role, instance, monkeypatch):
    assert run()["expires"]

    def refused(*_arguments):
        said = {"Code": "AccessDeniedException", "Message": "not authorized to perform: iam:PassRole"}
        raise ClientError({"Error": said}, "UpdateSchedule")

    monkeypatch.setattr(work.ScheduleGroup, "_make", refused)
    result = run(now=NOON + 5 * 86400)
    assert result["expires"] == ""
    assert "iam:PassRole" in result["why"]
    assert schedules(scheduler) == {}


def test_check_mode_tells_and_makes_nothing(run, scheduler, role, instance):
    result = run(check=True)
    assert result["changed"]
    assert set(result["diff"]["after"]) == {f"snapshot-{instance}", f"delete-{instance}"}
    assert groups(scheduler) == ["default"]


def test_schedules_go_and_their_group_with_them(run, scheduler, role, instance):
    run()
    assert run(check=True, state="absent")["changed"]
    assert len(schedules(scheduler)) == 2
    assert run(state="absent")["changed"]
    assert groups(scheduler) == ["default"]
    assert not run(state="absent")["changed"]


def test_group_in_which_somebody_has_put_something_stays_with_that(run, scheduler, role, instance):
    run()
    target = {"Arn": "arn:aws:sqs:us-west-2:123456789012:q", "RoleArn": role}
    window = {"Mode": "OFF"}
    scheduler.create_schedule(
        GroupName=GROUP, Name="theirs", ScheduleExpression="rate(1 day)", FlexibleTimeWindow=window, Target=target
    )
    assert run(state="absent")["why"] == "1 in it not made by DESI Lab"
    assert set(schedules(scheduler)) == {"theirs"}


@pytest.mark.parametrize("state", ["present", "absent"])
def test_group_of_that_name_without_our_tags_is_left_alone(run, scheduler, role, instance, state):
    scheduler.create_schedule_group(Name=GROUP, Tags=as_tag_list(lab_tags("desi", "ben")))
    result = run(state=state)
    assert not result["changed"]
    assert "lacks the lab's tags" in result["why"]
    assert GROUP in groups(scheduler)
    assert schedules(scheduler) == {}


@pytest.fixture
def refusing(monkeypatch):
    """Let AWS refuse to create a schedule, some times or always."""

    def install(code, message, times=99):
        left, real = [times], BaseClient._make_api_call

        def make_api_call(client, operation, parameters):
            if operation == "CreateSchedule" and left[0] > 0:
                left[0] -= 1
                raise ClientError({"Error": {"Code": code, "Message": message}}, operation)
            return real(client, operation, parameters)

        monkeypatch.setattr(BaseClient, "_make_api_call", make_api_call)

    return install


def test_missing_right_is_told_and_leaves_no_group(run, scheduler, role, instance, refusing):
    refusing(
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: scheduler:CreateSchedule",
    )
    result = run()
    assert (result["changed"], result["expires"]) == (False, "")
    assert "scheduler:CreateSchedule" in result["why"]
    assert "123456789012" not in result["why"]
    assert groups(scheduler) == ["default"]


ASSUME = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."


def test_role_that_was_just_made_is_waited_for_and_told_if_it_cannot_be_used(run, scheduler, role, instance, refusing):
    refusing("ValidationException", ASSUME, 2)
    assert "assume the role" in run()["why"]
    assert groups(scheduler) == ["default"]
    assert run(role_wait=30)["expires"]
    assert len(schedules(scheduler)) == 2
