# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import threading
from datetime import datetime, timezone

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import from_table
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags, our_filters
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import (
    KINDS,
    QUERIES,
    ResourceQuery,
    exists,
    lab_rows,
    resource_rows,
    resources_in,
)
from ansible_collections.desi.lab.plugins.module_utils._lab.labels import lab_row

BY_KIND = {question.kind: question for question in QUERIES}
OURS = as_tag_list(lab_tags("desi", "ann"))


@pytest.mark.parametrize("question", QUERIES, ids=list(BY_KIND))
def test_question_is_one_that_the_api_knows(question):
    model = get_session().get_service_model("ec2")
    operation = model.operation_model("".join(word.capitalize() for word in question.operation.split("_")))
    report = ParamValidator().validate({"Filters": our_filters("ann", "desi"), **question.more}, operation.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert question.key in operation.output_shape.members


def test_things_of_all_pages_are_found():
    pages = [{"Volumes": [{"VolumeId": "vol-1"}]}, {}, {"Volumes": None}, {"Volumes": [{"VolumeId": "vol-2"}]}]
    assert [resource["VolumeId"] for resource in resources_in(BY_KIND["disk"], pages)] == ["vol-1", "vol-2"]
    pages = [{"Reservations": [{"Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}]}, {}]}]
    assert [resource["InstanceId"] for resource in resources_in(BY_KIND["machine"], pages)] == ["i-1", "i-2"]


@pytest.mark.parametrize(
    ("kind", "there", "gone"),
    [
        ("machine", ["shutting-down", "stopped"], ["terminated"]),
        # The instance of a disabled request was stopped; started again, it would go on.
        ("spot request", ["open", "active", "disabled"], ["cancelled", "closed", "failed"]),
        ("disk", ["available", "error"], ["deleting", "deleted"]),
        ("key pair", [None], []),
    ],
)
def test_what_is_gone_is_not_there_though_aws_still_tells_of_it(kind, there, gone):
    for state in [*there, *gone]:
        assert exists(kind, {"State": {"Name": state} if kind == "machine" else state}) is (state in there)


class Region:
    """A region that tells of things whatever the filter."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def can_paginate(self, operation):
        return operation not in ("describe_addresses", "describe_key_pairs")

    def get_paginator(self, operation):
        assert self.can_paginate(operation)

        class Paginator:
            @staticmethod
            def paginate(**parameters):
                return [self.answer(operation, parameters)]

        return Paginator

    def __getattr__(self, operation):
        return lambda **parameters: self.answer(operation, parameters)

    def answer(self, operation, parameters):
        self.asked.append((operation, parameters))
        answer = self.answers.get(operation, {})
        return answer() if callable(answer) else answer


def test_everything_is_asked_for_by_our_tags():
    region = Region({})
    assert ResourceQuery(region, "ann", "desi").everything() == {kind: [] for kind in BY_KIND}
    assert sorted(operation for operation, _parameters in region.asked) == sorted(question[1] for question in QUERIES)
    assert all(parameters["Filters"] == our_filters("ann", "desi") for _operation, parameters in region.asked)
    # Else the public snapshots of the whole world are looked through.
    assert dict(region.asked)["describe_snapshots"]["OwnerIds"] == ["self"]


def test_questions_are_asked_side_by_side():
    together = threading.Barrier(len(QUERIES), timeout=20)
    region = Region({question.operation: lambda: (together.wait() and {}) or {} for question in QUERIES})
    ResourceQuery(region, "ann").everything()
    assert not together.broken


def test_what_lacks_our_tags_is_not_told_even_if_the_api_does():
    keys = [
        {"KeyName": "ours", "Tags": OURS},
        {"KeyName": "desi-lab-desi", "Tags": []},
        {"KeyName": "ben's", "Tags": as_tag_list(lab_tags("desi", "ben"))},
        {"KeyName": "other", "Tags": as_tag_list(lab_tags("other", "ann"))},
    ]
    region = Region({"describe_key_pairs": {"KeyPairs": keys}})
    assert [key["KeyName"] for key in ResourceQuery(region, "ann", "desi").everything()["key pair"]] == ["ours"]
    assert [key["KeyName"] for key in ResourceQuery(region, "ann").everything()["key pair"]] == ["ours", "other"]
    assert ResourceQuery(region, "").everything()["key pair"] == []


# Rows


MORE = {"os": "ubuntu", "release": "dr1", "access": "https", "port": "443"}


def instance(name="desi", state="running", more=MORE, **facts):
    return {
        "InstanceId": "i-1",
        "InstanceType": "t3.xlarge",
        "State": {"Name": state},
        "Placement": {"AvailabilityZone": "us-west-2b"},
        "LaunchTime": datetime(2026, 11, 24, 5, 30, tzinfo=timezone.utc),
        "Tags": as_tag_list(lab_tags(name, "ann", more)),
        **facts,
    }


def test_lab_is_told_by_its_tags_and_its_machine():
    [row] = lab_rows([instance(PublicIpAddress="203.0.113.7")], "us-west-2")
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
    # It has all that a row of a lab on this computer has.
    assert set(lab_row({}, None, None)) <= set(row)
    [row] = lab_rows([{}], "us-west-2")
    assert (row["name"], row["state"], row["port"]) == ("", "unknown", 0)


@pytest.mark.parametrize(
    ("tag", "value", "key", "told"),
    [
        *(("port", value, "port", 0) for value in ("", "x", "-1", "²", "88 88")),
        *(("os", value, "user", "ec2-user") for value in ("amazon", "", "x")),
    ],
)
def test_tag_that_cannot_be_meant_is_told_as_nothing(tag, value, key, told):
    assert lab_rows([instance(more={tag: value})], "r")[0][key] == told


def test_labs_are_told_by_name():
    rows = lab_rows([instance("b"), instance("a", InstanceId="i-3"), instance("a", InstanceId="i-2")], "us-west-2")
    assert [(row["name"], row["id"]) for row in rows] == [("a", "i-2"), ("a", "i-3"), ("b", "i-1")]


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
    assert lab_rows([instance(state=state, StateTransitionReason=reason)], "r")[0]["since"] == since


THINGS = {
    "machine": instance(InstanceLifecycle="spot"),
    "spot request": {"SpotInstanceRequestId": "sir-1", "State": "active"},
    "disk": {"VolumeId": "vol-1", "Size": 30, "State": "in-use", "Attachments": [{"InstanceId": "i-1"}]},
    "snapshot": {"SnapshotId": "snap-1", "VolumeSize": 30, "State": "completed"},
    "address": {"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.7", "AssociationId": "eipassoc-1"},
    "network interface": {"NetworkInterfaceId": "eni-1", "Status": "in-use"},
    "security group": {"GroupId": "sg-1", "GroupName": "jupyter"},
    "key pair": {"KeyPairId": "key-1", "KeyName": "desi-lab-desi"},
    "schedule group": {"Name": "desi-lab-0a-d", "Schedules": ["delete-i-1", "snapshot-i-1"]},
}


def left(**resources):
    """Rows of some of the things above, changed as told, with our tags."""
    found = {}
    for kind, change in resources.items():
        name = kind.replace("_", " ")
        found[name] = [{"Tags": OURS, **THINGS[name], **change}]
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
        ("snapshot", {}, "snapshot snap-1 (30 GiB)"),
        ("address", {}, "address 203.0.113.7 (in use)"),
        ("address", {"AssociationId": None}, "address 203.0.113.7 (not in use)"),
        ("network_interface", {}, "network interface eni-1 (in-use)"),
        ("network_interface", {"Status": None}, "network interface eni-1 (unknown)"),
        ("security_group", {}, "security group jupyter (sg-1)"),
        ("key_pair", {}, "key pair desi-lab-desi (key-1)"),
        ("key_pair", {"KeyPairId": None}, "key pair desi-lab-desi (desi-lab-desi)"),
        ("schedule_group", {}, "schedule group desi-lab-0a-d (2 schedules)"),
        ("schedule_group", {"Schedules": ["delete-i-1"]}, "schedule group desi-lab-0a-d (1 schedule)"),
        ("schedule_group", {"Schedules": None}, "schedule group desi-lab-0a-d (0 schedules)"),
        ("schedule_group", {"Schedules": ["x"]}, "schedule group desi-lab-0a-d (with x in it, not made by DESI Lab)"),
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
    assert {row["kind"] for row in rows if row["billed"]} == {"machine", "disk", "snapshot", "address"}
    assert resource_rows({}) == []


@pytest.mark.parametrize(
    ("state", "billed"), [("running", True), ("pending", True), ("stopped", False), ("shutting-down", False)]
)
def test_instance_is_billed_while_it_runs(state, billed):
    assert [row["billed"] for row in left(machine={"State": {"Name": state}})] == [billed]


@pytest.mark.parametrize(
    ("kind", "change", "alone", "beside"),
    [
        *((kind, {}, False, True) for kind in ("security_group", "key_pair", "network_interface", "spot_request")),
        ("disk", {}, True, True),
        ("disk", {"Attachments": []}, False, False),
        ("address", {}, True, True),
        ("address", {"AssociationId": None}, False, False),
        ("snapshot", {}, False, False),
    ],
)
def test_resource_is_in_use_beside_an_instance_of_its_lab_or_by_what_it_is_attached_to(kind, change, alone, beside):
    assert [row["in_use"] for row in left(**{kind: change})] == [alone]
    for state in ("running", "stopped"):
        rows = left(machine={"State": {"Name": state}}, **{kind: change})
        assert [row["in_use"] for row in rows] == [True, beside]
    name = kind.replace("_", " ")
    rows = resource_rows({"machine": [instance("other")], name: [{"Tags": OURS, **THINGS[name], **change}]})
    assert [row["in_use"] for row in rows] == [True, alone]


def test_disks_and_snapshots_are_told_with_what_a_month_costs():
    table = {"date": "2026-01-01", "regions": {"r": {"gib_month": 0.08, "snapshot_gib_month": 0.05}}}
    prices = from_table(table, "r", [])
    resources = {kind: [{"Tags": OURS, **THINGS[kind]}] for kind in ("disk", "snapshot", "address")}
    assert [(row["kind"], row["usd_month"]) for row in resource_rows(resources, prices)] == [
        ("disk", 2.4),
        ("snapshot", 1.5),
        ("address", None),
    ]
    # Of a region that the table does not have, nothing is known.
    assert {row["usd_month"] for row in resource_rows(resources, from_table({}, "r", []))} == {None}
