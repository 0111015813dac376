# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import boto3
import pytest
from aws_region import PRICES, record, run_module, without_credentials

from ansible_collections.desi.lab.plugins.module_utils._ec2.expiry import group_name
from ansible_collections.desi.lab.plugins.modules import ec2_status


@pytest.fixture
def look(region, capsys, tmp_path):
    region.faults["pricing:GetProducts"] = ("AccessDeniedException", "no")
    given = {"config": str(tmp_path / "labs"), "prices": PRICES}
    return lambda **arguments: run_module(ec2_status, capsys, **{**given, **arguments})


def test_labs_are_told_with_what_they_cost(region, look):
    instance = region.launch(InstanceType="t3.micro")
    [lab] = look()["labs"]
    assert (lab["name"], lab["id"], lab["region"], lab["disk_gib"]) == ("desi", instance, "us-west-2", 8)
    assert lab["usd_hour"] == pytest.approx(0.0104 + 0.005 + 8 * 0.08 / 730, abs=1e-4)
    assert lab["prices"] == f"{PRICES['date']}, table of DESI Lab"
    region.ec2.stop_instances(InstanceIds=[instance])
    [lab] = look()["labs"]
    assert (lab["state"], lab["usd_month"]) == ("stopped", 0.64)


def test_lab_that_nobody_deletes_is_told_apart_from_one_that_is(region, look):
    kept, forgotten = region.launch("kept"), region.launch("forgotten")
    scheduler = boto3.client("scheduler", region_name="us-west-2")
    group = group_name("moto", "forgotten")
    scheduler.create_schedule_group(Name=group)
    scheduler.create_schedule(
        GroupName=group,
        Name=f"delete-{forgotten}",
        ScheduleExpression="at(2030-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": "arn:aws:iam::1:role/r"},
    )
    found = {lab["id"]: lab for lab in look()["labs"]}
    assert (found[kept]["expires"], found[kept]["next"]) == (False, [])
    assert found[forgotten]["expires"] is True
    assert [(event["what"], event["at"]) for event in found[forgotten]["next"]] == [("expiry", "2030-01-01T00:00:00Z")]


def test_several_regions_are_asked_and_one_that_there_is_not_is_told(region, look):
    region.launch()
    found = look(regions=["us-west-2", "eu-west-1", "us-wset-2"])
    assert [lab["region"] for lab in found["labs"]] == ["us-west-2"]
    why = "AWS has no region of that name; the nearest is us-west-2."
    assert found["unseen"] == [f"Labs in us-wset-2 cannot be seen. {why}"]


def test_without_credentials_and_labs_nobody_is_asked(look, monkeypatch):
    without_credentials(monkeypatch)
    found = look()
    assert (found["labs"], found["unseen"]) == ([], [])


@pytest.mark.security("A2")
def test_a_lab_that_another_account_made_from_here_is_said_not_to_be_seen(look, tmp_path):
    for name, account in (("ours", "123456789012"), ("theirs", "210987654321")):
        folder = tmp_path / "labs/us-west-2" / name
        record(folder, name=name, owner="ann", account=account)
        (folder / "id_ed25519").touch()
    [sentence] = look()["unseen"]
    assert sentence.startswith("Lab theirs in us-west-2 cannot be seen. It was made by ann in account …4321.")
    assert "AWS_PROFILE=NAME" in sentence


def test_a_lab_that_was_made_here_with_other_credentials_of_the_account_is_told(region, look, tmp_path):
    for name in ("desi", "other"):
        region.launch(name, owner="ann")
    record(tmp_path / "labs/us-west-2/desi", owner="ann")
    # Nothing was made here that is called other, which may be anybody's.
    found = look()
    assert ([lab["name"] for lab in found["labs"]], found["unseen"]) == (["desi"], [])


def test_without_credentials_labs_that_were_made_are_said_not_to_be_seen(look, monkeypatch, tmp_path):
    without_credentials(monkeypatch)
    folder = tmp_path / "labs/eu-west-1/desi"
    folder.mkdir(parents=True)
    (folder / "id_ed25519").touch()
    [sentence] = look()["unseen"]
    assert sentence.startswith("Labs in eu-west-1 cannot be seen. No AWS credentials were found")


def test_profile_that_there_is_not_is_told_once_for_all_regions(look):
    [sentence] = look(profile="gone", regions=["us-west-2", "eu-west-1"], access_key="", secret_key="")["unseen"]
    assert sentence.startswith("Labs in us-west-2 and eu-west-1 cannot be seen.")
    assert "gone" in sentence


def test_nobody_is_asked_where_only_this_computer_is_meant(region, look):
    assert look(where="here")["labs"] == region.calls == []
