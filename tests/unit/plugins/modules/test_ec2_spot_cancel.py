# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from aws_region import run_module

from ansible_collections.desi.lab.plugins.modules import ec2_spot_cancel


@pytest.fixture
def cancel(region, capsys):
    return lambda check=False, **arguments: run_module(ec2_spot_cancel, capsys, check, **arguments)


@pytest.fixture
def request_id(region):
    specification = {"ImageId": "ami-0d53cc9bd365ad65b", "InstanceType": "t2.micro"}
    answer = region.ec2.request_spot_instances(LaunchSpecification=specification)
    return answer["SpotInstanceRequests"][0]["SpotInstanceRequestId"]


def states(region):
    found = region.ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    return [item["State"] for item in found if item["State"] != "cancelled"]


def test_open_request_is_cancelled_once(region, cancel, request_id):
    first = cancel(ids=[request_id])
    assert (first["changed"], first["cancelled"]) == (True, [request_id])
    assert states(region) == []
    second = cancel(ids=[request_id])
    assert (second["changed"], second["cancelled"]) == (False, [])


def test_check_mode_cancels_nothing(region, cancel, request_id):
    assert cancel(check=True, ids=[request_id])["cancelled"] == [request_id]
    assert states(region) == ["active"]


@pytest.mark.parametrize("ids", [[], ["sir-00000000"]])
def test_request_that_does_not_exist_is_no_trouble_and_others_stay(region, cancel, request_id, ids):
    assert cancel(ids=ids)["changed"] is False
    assert states(region) == ["active"]


class Requests:
    """A region with requests in every state."""

    def __init__(self, *states):
        self.states = states

    def get_paginator(self, _operation):
        return self

    def paginate(self, Filters):
        assert Filters == [{"Name": "spot-instance-request-id", "Values": ["sir-0"]}]
        rows = [{"SpotInstanceRequestId": f"sir-{number}", "State": state} for number, state in enumerate(self.states)]
        return [{"SpotInstanceRequests": rows}]


def test_request_whose_machine_is_stopped_counts_as_open():
    region = Requests("open", "active", "disabled", "closed", "cancelled", "failed")
    assert ec2_spot_cancel.open_among(region, ["sir-0"]) == ["sir-0", "sir-1", "sir-2"]


def test_aws_that_refuses_is_told(cancel, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    failed = cancel(ids=["sir-0"])
    assert failed["what"] == "It was not possible to cancel the spot request."
