# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from aws_region import REFUSED, run_module
from moto.core.responses import ActionResult
from moto.ec2.responses.instances import InstanceResponse

from ansible_collections.desi.lab.plugins.modules import ec2_instance_type


@pytest.fixture
def resize(region, capsys, monkeypatch):
    """A function that changes the type of an instance; moto lacks the choice of CPU credits."""
    monkeypatch.setattr(InstanceResponse, "modify_instance_credit_specification", credits_of(), raising=False)
    number = region.launch()

    def run(name, check=False):
        return run_module(ec2_instance_type, capsys, check, instance_id=number, type=name)

    return run


def credits_of(*failed):
    """What moto is to answer to the choice of CPU credits; AWS tells of failures in an answer that is none."""
    rows = [{"InstanceId": "i-1", "Error": {"Code": "InternalError", "Message": why}} for why in failed]
    return lambda _answers: ActionResult({"UnsuccessfulInstanceCreditSpecifications": rows})


def kind(region):
    (instance,) = region.instances()
    return instance["InstanceType"]


@pytest.mark.parametrize(("name", "credited"), [("t3.large", True), ("m5.large", False)])
def test_type_is_changed_once_and_its_credits_are_those_that_cost_nothing(region, resize, name, credited):
    assert resize(name, check=True)["changed"]
    assert kind(region) == "t2.micro"
    done = resize(name)
    assert (done["changed"], done["charged"], resize(name)["changed"]) == (True, "", False)
    assert kind(region) == name
    chosen = [form for call, _region, form in region.calls if call == "ec2:ModifyInstanceCreditSpecification"]
    assert [form["InstanceCreditSpecification.1.CpuCredits"] for form in chosen] == [["standard"]] * credited


def test_type_that_is_changed_and_keeps_other_credits_is_no_failure(region, resize, monkeypatch):
    monkeypatch.setattr(InstanceResponse, "modify_instance_credit_specification", credits_of("Not now."))
    assert resize("t3.small")["charged"] == "Not now."
    region.faults["ec2:ModifyInstanceCreditSpecification"] = REFUSED
    assert "ec2:ModifyInstanceCreditSpecification" in resize("t3.large")["charged"]
    assert kind(region) == "t3.large"


@pytest.mark.parametrize(
    ("name", "words"),
    [("t3.xlagre", "t3.xlarge"), ("t4g.micro", "arm64"), ("t3.2xlarge", "exceeds what this account may run")],
)
def test_type_that_cannot_be_is_refused_before_the_instance_is_stopped(region, resize, name, words):
    region.quotas["L-1216C47A"] = 7.0
    told = resize(name, check=True)
    assert told["failed"]
    assert words in f"{told['what']} {told['why']} {told['do']}"
    assert kind(region) == "t2.micro"
