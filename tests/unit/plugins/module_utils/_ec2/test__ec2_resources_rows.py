# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import from_table
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import KINDS, lab_rows, resource_rows
from ansible_collections.desi.lab.plugins.module_utils._lab.labels import lab_row

TAGS = as_tag_list(lab_tags("desi", "ann"))
MORE = {"os": "ubuntu", "release": "dr1", "access": "https", "port": "443"}


def machine(name="desi", state="running", more=MORE, **facts):
    return {
        "InstanceId": "i-1",
        "InstanceType": "t3.xlarge",
        "State": {"Name": state},
        "Placement": {"AvailabilityZone": "us-west-2b"},
        "LaunchTime": datetime(2026, 11, 24, 5, 30, tzinfo=timezone.utc),
        "Tags": as_tag_list(lab_tags(name, "ann", more)),
        **facts,
    }


# Labs


def test_lab_is_told_by_its_tags_and_its_machine():
    [row] = lab_rows([machine(PublicIpAddress="203.0.113.7")], "us-west-2")
    wanted = {
        "name": "desi",
        "where": "ec2 us-west-2",
        "state": "running",
        "since": "2026-11-24T05:30:00Z",
        "release": "dr1",
        "access": "https",
        "port": 443,
        "address": "203.0.113.7",
        "os": "ubuntu",
        "user": "ubuntu",
        "id": "i-1",
        "type": "t3.xlarge",
        "zone": "us-west-2b",
        "market": "on-demand",
    }
    assert {key: row[key] for key in wanted} == wanted


def test_row_has_all_that_a_row_of_a_lab_on_this_computer_has():
    [row] = lab_rows([machine()], "us-west-2")
    assert set(lab_row({}, None, None)) <= set(row)


def test_labs_are_told_by_name():
    rows = lab_rows([machine("b"), machine("a", InstanceId="i-3"), machine("a", InstanceId="i-2")], "us-west-2")
    assert [(row["name"], row["id"]) for row in rows] == [("a", "i-2"), ("a", "i-3"), ("b", "i-1")]


@pytest.mark.parametrize(("port", "told"), [("8888", 8888), ("", 0), ("x", 0), ("-1", 0), ("²", 0), ("88 88", 0)])
def test_port_that_is_none_is_told_as_0(port, told):
    assert lab_rows([machine(more={"port": port})], "r")[0]["port"] == told


@pytest.mark.parametrize(
    ("system", "user"), [("amazon", "ec2-user"), ("ubuntu", "ubuntu"), ("", "ec2-user"), ("x", "ec2-user")]
)
def test_user_follows_from_the_system(system, user):
    assert lab_rows([machine(more={"os": system})], "r")[0]["user"] == user


@pytest.mark.parametrize(
    ("state", "reason", "since"),
    [
        ("running", "", "2026-11-24T05:30:00Z"),
        ("pending", "", "2026-11-24T05:30:00Z"),
        ("stopped", "User initiated (2026-11-24 06:10:11 GMT)", "2026-11-24T06:10:11Z"),
        ("stopped", "User initiated", ""),
        ("stopped", None, ""),
    ],
)
def test_time_of_the_state_is_told_as_far_as_aws_tells_it(state, reason, since):
    assert lab_rows([machine(state=state, StateTransitionReason=reason)], "r")[0]["since"] == since


def test_machine_of_which_little_is_known_is_told_all_the_same():
    [row] = lab_rows([{}], "us-west-2")
    assert (row["name"], row["state"], row["port"]) == ("", "unknown", 0)


# Things

THINGS = {
    "machine": machine(InstanceLifecycle="spot"),
    "spot request": {"SpotInstanceRequestId": "sir-1", "State": "active"},
    "disk": {"VolumeId": "vol-1", "Size": 30, "State": "in-use", "Attachments": [{"InstanceId": "i-1"}]},
    "snapshot": {"SnapshotId": "snap-1", "VolumeSize": 30, "State": "completed"},
    "address": {"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.7", "AssociationId": "eipassoc-1"},
    "network interface": {"NetworkInterfaceId": "eni-1", "Status": "in-use"},
    "security group": {"GroupId": "sg-1", "GroupName": "jupyter"},
    "key pair": {"KeyPairId": "key-1", "KeyName": "desi-lab-desi"},
    "schedule group": {"Name": "desi-lab-0a-desi", "Schedules": ["delete-i-1", "snapshot-i-1"]},
}


def left(**things):
    """Rows of some of the things above, changed as told, with our tags."""
    found = {}
    for kind, change in things.items():
        name = kind.replace("_", " ")
        found[name] = [{"Tags": TAGS, **THINGS[name], **change}]
    return resource_rows(found)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("machine", {}, "machine i-1 (t3.xlarge, running, spot)"),
        ("machine", {"InstanceLifecycle": None}, "machine i-1 (t3.xlarge, running)"),
        ("spot_request", {}, "spot request sir-1 (active, makes a machine again)"),
        ("spot_request", {"State": "disabled"}, "spot request sir-1 (its machine is stopped)"),
        ("disk", {}, "disk vol-1 (30 GiB, of i-1)"),
        ("disk", {"Attachments": []}, "disk vol-1 (30 GiB, of no machine)"),
        ("disk", {"Attachments": None, "Size": 8}, "disk vol-1 (8 GiB, of no machine)"),
        ("snapshot", {}, "snapshot snap-1 (30 GiB)"),
        ("address", {}, "address 203.0.113.7 (in use)"),
        ("address", {"AssociationId": None}, "address 203.0.113.7 (not in use)"),
        ("network_interface", {}, "network interface eni-1 (in-use)"),
        ("network_interface", {"Status": None}, "network interface eni-1 (unknown)"),
        ("security_group", {}, "security group jupyter (sg-1)"),
        ("key_pair", {}, "key pair desi-lab-desi (key-1)"),
        ("key_pair", {"KeyPairId": None}, "key pair desi-lab-desi (desi-lab-desi)"),
        ("schedule_group", {}, "schedule group desi-lab-0a-desi (2 schedules)"),
        ("schedule_group", {"Schedules": ["delete-i-1"]}, "schedule group desi-lab-0a-desi (1 schedule)"),
        ("schedule_group", {"Schedules": None}, "schedule group desi-lab-0a-desi (0 schedules)"),
        (
            "schedule_group",
            {"Schedules": ["delete-i-1", "theirs"]},
            "schedule group desi-lab-0a-desi (with theirs in it, not made by DESI Lab)",
        ),
    ],
)
def test_thing_is_told_in_words(kind, change, words):
    assert [row["words"] for row in left(**{kind: change})] == [words]


def test_row_has_the_same_keys_for_every_kind():
    rows = left(**{kind.replace(" ", "_"): {} for kind in KINDS})
    assert [row["kind"] for row in rows] == KINDS
    assert {frozenset(row) for row in rows} == {
        frozenset({"kind", "id", "name", "lab", "state", "in_use", "billed", "usd_month", "words"})
    }
    assert {row["lab"] for row in rows} == {"desi"}


@pytest.mark.parametrize(
    ("kind", "change", "billed"),
    [
        ("machine", {}, True),
        ("machine", {"State": {"Name": "pending"}}, True),
        ("machine", {"State": {"Name": "stopped"}}, False),
        ("machine", {"State": {"Name": "shutting-down"}}, False),
        ("disk", {}, True),
        ("snapshot", {}, True),
        ("address", {}, True),
        ("spot_request", {}, False),
        ("network_interface", {}, False),
        ("security_group", {}, False),
        ("key_pair", {}, False),
    ],
)
def test_it_is_told_what_is_billed(kind, change, billed):
    assert [row["billed"] for row in left(**{kind: change})] == [billed]


@pytest.mark.parametrize("kind", ["security_group", "key_pair", "network_interface", "spot_request"])
def test_a_part_of_a_lab_is_of_use_as_long_as_there_is_a_machine(kind):
    assert [row["in_use"] for row in left(**{kind: {}})] == [False]
    assert [row["in_use"] for row in left(machine={}, **{kind: {}})] == [True, True]
    assert [row["in_use"] for row in left(machine={"State": {"Name": "stopped"}}, **{kind: {}})] == [True, True]


def test_the_machine_of_another_lab_makes_nothing_of_use():
    other = machine("other")
    rows = resource_rows({"machine": [other], "key pair": [{"Tags": TAGS, **THINGS["key pair"]}]})
    assert [row["in_use"] for row in rows] == [True, False]


@pytest.mark.parametrize(
    ("kind", "change", "in_use"),
    [
        ("disk", {}, True),
        ("disk", {"Attachments": []}, False),
        ("address", {}, True),
        ("address", {"AssociationId": None}, False),
        ("snapshot", {}, False),
    ],
)
def test_a_disk_that_no_machine_has_is_of_no_use_even_if_there_is_a_machine(kind, change, in_use):
    assert left(machine={}, **{kind: change})[1]["in_use"] is in_use


def test_nothing_is_told_of_nothing():
    assert resource_rows({}) == []


def test_disks_and_snapshots_are_told_with_what_a_month_costs():
    table = {"date": "2026-01-01", "regions": {"r": {"gib_month": 0.08, "snapshot_gib_month": 0.05}}}
    prices = from_table(table, "r", [])
    things = {kind: [{"Tags": TAGS, **THINGS[kind]}] for kind in ("disk", "snapshot", "address")}
    assert [(row["kind"], row["usd_month"]) for row in resource_rows(things, prices)] == [
        ("disk", 2.4),
        ("snapshot", 1.5),
        ("address", None),
    ]
    # Of a region that the table does not have, nothing is known.
    assert {row["usd_month"] for row in resource_rows(things, from_table({}, "r", []))} == {None}
