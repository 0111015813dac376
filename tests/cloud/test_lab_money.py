# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What labs on EC2 cost is told, a forgotten one is deleted, and what is taken away is gone."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from dataclasses import replace

import pytest
from bare import launched, many, tags
from jsonschema import Draft202012Validator
from labs import ROOT, Lab, nothing_changed
from region import helpers
from region.people import KEYS

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import Caller
from ansible_collections.desi.lab.plugins.module_utils._ec2.expiry import group_name
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import begin, read, write

SCHEMA = Draft202012Validator(json.loads((ROOT / "docs/status.schema.json").read_text()))
MACHINE = "tests/cloud/instance.yml"
QUIET = {"DESI_LAB_QUIET": "1"}
BEN = KEYS["ben"]


@pytest.fixture
def lab(request, region, tmp_path_factory, free_ports):
    """Return the lab of a test, and take away whatever it leaves, past the product."""
    name = f"money-{abs(hash(request.node.name)) % 10**6}"
    # Its machines are made past the product, and let nobody in who could bring files home.
    made = Lab(region, name, tmp_path_factory.mktemp("m"), next(free_ports), lab_sync=False)
    yield made
    made.sweep()
    for snapshot in snapshots(region, made.name):
        region.client("ec2").delete_snapshot(SnapshotId=snapshot["SnapshotId"])
    for group in groups(region):
        region.client("scheduler").delete_schedule_group(Name=group)


def snapshots(region, name: str = "") -> list[dict]:
    found = region.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return [one for one in found if {"Key": "desi-lab:name", "Value": name} in one.get("Tags", [])]


def groups(region) -> list[str]:
    found = region.client("scheduler").list_schedule_groups()["ScheduleGroups"]
    return [one["Name"] for one in found if one["Name"] != "default"]


def schedules(region) -> dict[str, str]:
    found = region.client("scheduler").list_schedules()["Schedules"]
    about = (region.client("scheduler").get_schedule(GroupName=one["GroupName"], Name=one["Name"]) for one in found)
    return {one["Name"]: one["ScheduleExpression"] for one in about}


def status(lab: Lab, **settings: object) -> dict:
    """Return what ``./lab status --json`` prints, which is a document as its schema says."""
    found = json.loads(lab.run("status", environment=QUIET, desi_output="json", **settings))
    SCHEMA.validate(found)
    return found


def elsewhere(found: dict) -> list[dict]:
    """Return the labs on EC2. Whoever runs the tests may have some on this computer, too."""
    return [row for row in found["labs"] if row["region"]]


def state(region, machine: str) -> str:
    found = region.client("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
    return found["State"]["Name"]


# Forgotten


def test_expired_lab_is_deleted_with_a_snapshot_and_similar_resources_stay(lab, region):
    [theirs], [untagged] = launched(region, lab.name, owner="ben"), launched(region, lab.name, owner="")
    try:
        # Without a role nothing is set, and each run and status say so.
        assert "lab_expire_role=make" in lab.run(MACHINE)
        assert groups(region) == []
        assert any(lab.name in sentence for sentence in status(lab)["warnings"])
        shown = lab.run(MACHINE, lab_expire_role="make")
        assert "14 days after its last use" in shown
        machine = next(one["InstanceId"] for one in lab.instances("running") if one["InstanceId"] != theirs)
        before = schedules(region)
        assert set(before) == {f"snapshot-{machine}", f"delete-{machine}"}
        # From now on it is there; the same day changes nothing, and more days move it.
        assert nothing_changed(lab.run(MACHINE))
        assert schedules(region) == before
        lab.run(MACHINE, lab_expire_days=20)
        assert all(each > before[name] for name, each in schedules(region).items())
        told = next(one for one in elsewhere(status(lab)) if one["id"] == machine)
        assert "is deleted in" in next(event["words"] for event in told["next"] if event["what"] == "expiry")
        a_sly_schedule_does_nothing_to(region, theirs)
        region.client("ec2").stop_instances(InstanceIds=[machine])
        assert region.let_time_pass(days=19) == []
        assert state(region, machine) == "stopped"
        assert [one["schedule"].split("-")[0] for one in region.let_time_pass(days=23)] == ["snapshot", "delete"]
        assert state(region, machine) == "terminated"
        [kept] = snapshots(region, lab.name)
        assert {"Key": "desi-lab:machine", "Value": machine} in kept["Tags"]
        assert [state(region, one) for one in (theirs, untagged)] == ["running", "running"]
        assert schedules(region) == {}
        what_is_kept_is_told_and_goes_on_request(lab, region, kept["SnapshotId"])
        assert [state(region, one) for one in (theirs, untagged)] == ["running", "running"]
    finally:
        region.client("ec2").terminate_instances(InstanceIds=[theirs, untagged])


def a_sly_schedule_does_nothing_to(region, theirs: str) -> None:
    """Let somebody point the role at what is another's."""
    scheduler, [group] = region.client("scheduler"), groups(region)
    name = next(name for name in schedules(region) if name.startswith("delete-"))
    target = scheduler.get_schedule(GroupName=group, Name=name)["Target"]
    target["Input"] = json.dumps({"InstanceIds": [theirs]})
    put(region, group, "sly", target)
    [happened] = region.let_time_pass(days=0)
    assert "may not do ec2:TerminateInstances" in happened["outcome"]
    assert state(region, theirs) == "running"


def what_is_kept_is_told_and_goes_on_request(lab, region, kept: str) -> None:
    shown = lab.run("down", lab_yes=True)
    assert kept in shown
    assert "1.50 USD a month" in shown
    assert "lab_purge=true" in shown
    assert "nothing else is left" in shown
    assert snapshots(region, lab.name)
    assert "nothing is left" in lab.run("down", lab_yes=True, lab_where="ec2", lab_purge=True)
    assert snapshots(region, lab.name) == []
    assert groups(region) == []


# Taken away


def put(region, group: str, name: str, target: dict) -> None:
    region.client("scheduler").create_schedule(
        GroupName=group,
        Name=name,
        ScheduleExpression="at(2026-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
        ActionAfterCompletion="DELETE",
    )


QUEUE = {"Arn": "arn:aws:sqs:us-west-2:123456789012:q", "RoleArn": "arn:aws:iam::123456789012:role/theirs"}


@pytest.fixture
def parts(lab, region):
    """Return all that a lab has at AWS, by kind, made past the product."""
    ec2, scheduler = region.client("ec2"), region.client("scheduler")
    tagged = {kind: [{"ResourceType": kind, "Tags": tags(lab.name)}] for kind in ("key-pair", "security-group")}
    name, group = f"desi-lab-{lab.name}", group_name("ann", lab.name)
    ec2.create_key_pair(KeyName=name, TagSpecifications=tagged["key-pair"])
    made = ec2.create_security_group(
        GroupName=f"jupyter-{lab.name}", Description="x", TagSpecifications=tagged["security-group"]
    )["GroupId"]
    [machine] = launched(region, lab.name, KeyName=name, SecurityGroupIds=[made])
    scheduler.create_schedule_group(Name=group, Tags=tags(lab.name))
    put(region, group, f"delete-{machine}", QUEUE)
    lab.folder.mkdir(parents=True)
    key = lab.folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    maker = Caller("arn:aws:iam::123456789012:user/ann", "123456789012", "AIDA")
    things = [("machine", machine), ("security group", made), ("schedule group", group)]
    memory = begin(maker, "us-west-2", lab.name, "ann").with_resources(
        {"kind": kind, "id": one} for kind, one in things
    )
    write(str(lab.folder), memory)
    return {"machine": machine, "security group": made, "key pair": name, "schedules": group}


@pytest.mark.parametrize(
    "wanted",
    [{"machine", "security group"}, {"key pair", "schedules"}, {"machine", "security group", "key pair", "schedules"}],
    ids=["instance", "key", "everything"],
)
def test_resources_removed_in_the_console_are_no_error(lab, region, parts, wanted):
    ec2 = region.client("ec2")
    if wanted & {"machine", "security group"}:
        ec2.terminate_instances(InstanceIds=[parts["machine"]])
    if "security group" in wanted:
        ec2.delete_security_group(GroupId=parts["security group"])
    if "key pair" in wanted:
        ec2.delete_key_pair(KeyName=parts["key pair"])
    if "schedules" in wanted:
        region.client("scheduler").delete_schedule_group(Name=parts["schedules"])
    shown = lab.run("down", lab_yes=True)
    assert ("is not there" if wanted == set(parts) else "nothing is left") in shown
    assert lab.left() == []
    assert groups(region) == []
    assert not lab.folder.exists()


def test_down_names_what_is_lost_before_the_confirmation(lab, region, parts):
    shown = lab.run("down", "--check", lab_yes=False)
    assert "with the files on its machine" in shown
    for name in ("machine", "security group", "key pair", "schedules"):
        assert parts[name] in shown
    assert state(region, parts["machine"]) == "running"
    assert set(schedules(region)) == {f"delete-{parts['machine']}"}


@pytest.mark.security("M3", "P10")
def test_down_without_a_terminal_and_without_a_yes_is_refused_and_nothing_goes(lab, region, parts):
    shown = lab.refused("down", lab_yes=False)
    assert "nobody could be asked" in shown
    assert "-e lab_yes=true" in shown
    assert parts["machine"] in shown
    assert state(region, parts["machine"]) == "running"
    assert (lab.folder / "id_ed25519").exists()


def test_schedule_of_others_in_our_schedule_group_stays_and_is_reported(lab, region, parts):
    put(region, parts["schedules"], "theirs", QUEUE)
    shown = lab.refused("down", lab_yes=True)
    # As lines are broken, wherever that is.
    assert "with theirs in it, not made by DESI Lab" in " ".join(shown.split())
    assert set(schedules(region)) == {"theirs"}
    assert lab.left() == []


def test_lab_is_removed_without_rights_for_schedules(lab, region, parts):
    with region.faults({"kind": "call", "service": "scheduler", "code": "AccessDeniedException", "status": 403}):
        [row] = elsewhere(status(lab))
        assert row["expires"] is None
        assert "not looked for" in lab.run("down", lab_yes=True)
    assert lab.left() == []


# Not found is not gone


def kept(lab) -> dict[str, bytes]:
    """Return what this computer keeps of a lab. Only the hold is made anew by each run."""
    return {path.name: path.read_bytes() for path in lab.folder.iterdir() if path.name != "hold"}


@pytest.mark.security("A2")
def test_local_files_are_removed_only_when_the_creating_account_confirms_the_deletion(lab, region, parts):
    before, memory = kept(lab), read(str(lab.folder))
    with region.faults(helpers.expired_token()):
        assert "expired" in lab.refused("down")
    assert kept(lab) == before
    # Keys of another account see nothing of it.
    write(str(lab.folder), replace(memory, account="210987654321"))
    other = kept(lab)
    for verb in ("down", "stop"):
        shown = " ".join(lab.refused(verb, environment={"AWS_REGION": "eu-west-1"}).split())
        assert "It was made by ann in account …4321. Who asks now is ann in account …9012" in shown
        assert "AWS_PROFILE=" in shown
    assert kept(lab) == other
    # Of a lab of 0.1.0 nothing is remembered, and whoever sees nothing of it may be somebody else.
    (lab.folder / "made.json").unlink()
    shown = lab.refused("down", environment={"AWS_ACCESS_KEY_ID": BEN[0], "AWS_SECRET_ACCESS_KEY": BEN[1]})
    assert "does not remember who made it" in shown
    assert kept(lab) == {name: content for name, content in other.items() if name != "made.json"}
    assert state(region, parts["machine"]) == "running"


@pytest.mark.security("E12", "M4")
def test_lab_without_a_local_record_is_found_by_tags_and_confirmed(lab, region, parts):
    shutil.rmtree(lab.folder)
    shown = " ".join(lab.refused("down", lab_yes=False).split())
    assert "AWS has it in us-west-2" in shown
    assert f"{parts['machine']} (t2.micro, running): has its tags, but this computer does not remember" in shown
    assert state(region, parts["machine"]) == "running"
    assert "nothing is left" in lab.run("down")
    assert lab.left() == []
    assert not lab.folder.exists()
    assert "not on EC2 in us-west-2, as ann sees it" in lab.run("down")


@pytest.mark.security("M4")
def test_instance_of_others_with_our_tags_is_not_touched_without_confirmation(lab, region, parts):
    region.client("ec2").terminate_instances(InstanceIds=[parts["machine"]])
    [theirs] = launched(region, lab.name)
    for playbook in (MACHINE, "stop", "url"):
        assert theirs in lab.refused(playbook, lab_yes=False)
    assert state(region, theirs) == "running"
    assert not read(str(lab.folder)).knows("machine", theirs)


# Told


def test_status_queries_twenty_labs_in_parallel(lab, region):
    with many(region, lab, 20):
        begun = time.monotonic()
        found = elsewhere(status(lab))
        seconds = time.monotonic() - begun
    assert len(found) == 20
    assert {row["reached"] for row in found} == {True}
    assert all(row["usd_hour"] > 0 and row["usd_month"] > 0 for row in found)
    # bench/status measures it. Here, other tests are at work on the same computer; one by one they take minutes.
    assert seconds < 40


def test_what_is_wrong_with_credentials_is_a_sentence_beside_the_labs_here(lab, region):
    with region.faults(helpers.expired_token()):
        [sentence] = status(lab)["unseen"]
    assert sentence.startswith("Labs in us-west-2 cannot be seen.")
    assert "expired" in sentence
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = lab.attempt("status", environment={**QUIET, **nothing}, lab_where="ec2")
    assert done.returncode == 0
    assert "No AWS credentials were found" in done.stdout


def test_unknown_region_is_reported_beside_known_ones(lab):
    [sentence] = status(lab, lab_regions="us-west-9,us-west-2,eu-west-1")["unseen"]
    assert sentence.startswith("Labs in us-west-9 cannot be seen. AWS has no region of that name; the nearest is us-")
