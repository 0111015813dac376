# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator
from little_ec2 import Clock

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags, our_filters
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import QUERIES, ResourceQuery, resources_in

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
    assert [thing["VolumeId"] for thing in resources_in(BY_KIND["disk"], pages)] == ["vol-1", "vol-2"]


def test_machines_are_taken_out_of_their_reservations():
    pages = [{"Reservations": [{"Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}]}, {}]}]
    assert [thing["InstanceId"] for thing in resources_in(BY_KIND["machine"], pages)] == ["i-1", "i-2"]


@pytest.mark.parametrize(
    ("kind", "thing", "there"),
    [
        ("machine", {"State": {"Name": "shutting-down"}}, True),
        ("machine", {"State": {"Name": "stopped"}}, True),
        ("machine", {"State": {"Name": "terminated"}}, False),
        ("spot request", {"State": "open"}, True),
        ("spot request", {"State": "active"}, True),
        # Its machine was stopped; started again, it would go on.
        ("spot request", {"State": "disabled"}, True),
        ("spot request", {"State": "cancelled"}, False),
        ("spot request", {"State": "closed"}, False),
        ("spot request", {"State": "failed"}, False),
        ("disk", {"State": "available"}, True),
        ("disk", {"State": "error"}, True),
        ("disk", {"State": "deleting"}, False),
        ("disk", {"State": "deleted"}, False),
        ("key pair", {}, True),
    ],
)
def test_what_is_gone_is_not_there_though_aws_still_tells_of_it(kind, thing, there):
    question = BY_KIND[kind]
    page = {"Reservations": [{"Instances": [thing]}]} if kind == "machine" else {question.key: [thing]}
    assert bool(resources_in(question, [page])) is there


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

    def describe_addresses(self, **parameters):
        return self.answer("describe_addresses", parameters)

    def describe_key_pairs(self, **parameters):
        return self.answer("describe_key_pairs", parameters)

    def answer(self, operation, parameters):
        self.asked.append((operation, parameters))
        answer = self.answers.get(operation, {})
        return answer() if callable(answer) else answer


def test_everything_is_asked_for_by_our_tags():
    region = Region({})
    assert ResourceQuery(region, "ann", "desi").everything() == {kind: [] for kind in BY_KIND}
    assert sorted(operation for operation, _parameters in region.asked) == sorted(question[1] for question in QUERIES)
    assert all(parameters["Filters"] == our_filters("ann", "desi") for _operation, parameters in region.asked)


def test_only_snapshots_of_the_account_are_looked_through():
    region = Region({})
    ResourceQuery(region, "ann").everything(["snapshot"])
    [(_operation, parameters)] = region.asked
    assert parameters["OwnerIds"] == ["self"]


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


def test_waiting_ends_when_all_is_gone():
    clock, looks = Clock(), []

    def keys():
        looks.append(1)
        return {"KeyPairs": [{"Tags": OURS}] if len(looks) < 4 else []}

    ResourceQuery(Region({"describe_key_pairs": keys}), "ann", sleep=clock.sleep, clock=clock).wait(["key pair"], 60)
    assert (len(looks), clock.now) == (4, 1003)


def test_waiting_asks_only_for_what_it_waits_for():
    region = Region({})
    ResourceQuery(region, "ann").wait(["machine"], 60)
    assert [operation for operation, _parameters in region.asked] == ["describe_instances"]


def test_waiting_is_bounded():
    clock = Clock()
    region = Region({"describe_key_pairs": {"KeyPairs": [{"Tags": OURS}]}})
    ResourceQuery(region, "ann", sleep=clock.sleep, clock=clock).wait(["key pair"], 10)
    assert clock.now == 1010
