# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance_wait import (
    AT_REST,
    changes,
    instance_row,
    wait_until_at_rest,
)


def instance(state):
    return {
        "InstanceId": "i-1",
        "InstanceType": "t3.small",
        "State": {"Name": state},
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1"}}],
        "Tags": as_tag_list(lab_tags("desi", "ann")),
    }


class Region:
    """Tells one state after the other; time passes only while somebody waits."""

    owner, name = "ann", "desi"

    def __init__(self, *states):
        self.states, self.now = list(states), 0.0

    def everything(self, kinds):
        assert list(kinds) == ["machine"]
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"machine": [instance(state)] if state else []}

    def wait(self, seconds=60):
        return wait_until_at_rest(self, seconds)

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize("state", AT_REST)
def test_a_machine_at_rest_is_told_at_once(state):
    region = Region(state)
    rest = region.wait()
    assert (rest.instance["State"]["Name"], rest.was, region.now) == (state, "", 0)


@pytest.mark.parametrize(
    ("states", "was"), [(("pending", "pending", "running"), "pending"), (("stopping", "stopped"), "stopping")]
)
def test_a_machine_in_transit_is_waited_for(states, was):
    rest = Region(*states).wait()
    assert (rest.instance["State"]["Name"], rest.was) == (states[-1], was)


@pytest.mark.parametrize("state", ["", "shutting-down"])
def test_where_there_is_none_that_is_the_answer(state):
    assert Region(state).wait().instance is None


def test_a_machine_that_goes_while_it_is_waited_for_is_none():
    assert Region("stopping", "").wait().instance is None


def test_waiting_has_an_end_and_says_what_it_waited_for():
    region = Region("stopping")
    with pytest.raises(LabError) as caught:
        region.wait(30)
    assert 30 <= region.now < 32
    assert "being stopped" in caught.value.what
    assert "30 seconds" in caught.value.why


def test_the_disk_of_a_machine_is_told_by_what_is_attached_as_its_root():
    volumes = [{"VolumeId": "vol-2", "Size": 100}, {"VolumeId": "vol-1", "Size": 30}]
    row = instance_row(instance("running"), volumes, "us-west-2")
    assert (row["name"], row["volume_id"], row["disk_gib"], row["type"]) == ("desi", "vol-1", 30, "t3.small")
    assert instance_row(None, [], "us-west-2") == {}


ROW = {"type": "t3.small", "disk_gib": 30}


@pytest.mark.parametrize(
    ("types", "disk", "kind", "gib"),
    [
        ([], 0, "", 0),
        (["t3.small"], 30, "", 0),
        (["t3.large", "t3.small"], 0, "", 0),
        (["t3.large"], 0, "t3.large", 0),
        ([], 31, "", 31),
        (["t3.large", "t3.xlarge"], 60, "t3.large", 60),
    ],
)
def test_only_what_was_asked_for_and_is_different_changes(types, disk, kind, gib):
    found = changes(ROW, types, disk, "desi")
    assert (found["type"], found["disk_gib"]) == (kind, gib)
    assert len(found["lines"]) == bool(kind) + bool(gib) + bool(kind or gib)


def test_a_change_is_told_with_what_an_hour_costs_then_and_before():
    here = {"gib_month": 0.08, "types": {"t3.small": 0.0208, "t3.xlarge": 0.1664}}
    prices = {"date": "2026-11-01", "ipv4_hour": 0.005, "regions": {"us-west-2": here}}
    line = changes({**ROW, "where": "ec2 us-west-2"}, ["t3.xlarge"], 0, "desi", prices)["lines"][-1]
    assert line["label"] == "cost"
    assert line["text"].startswith("0.175 USD an hour")
    assert "instead of 0.029" in line["about"]
    # Where the price is not known, it is told where to find it.
    assert "not known" in changes({**ROW, "where": "ec2 us-west-2"}, ["t3.xlarge"], 0, "desi")["lines"][-1]["text"]


def test_type_of_a_spot_machine_is_refused_and_its_disk_is_not():
    spot = {**ROW, "market": "spot"}
    assert changes(spot, ["t3.small"], 40, "desi")["disk_gib"] == 40
    with pytest.raises(LabError, match="It is a spot machine"):
        changes(spot, ["t3.large"], 0, "desi")


def test_a_smaller_disk_is_refused_in_three_sentences():
    with pytest.raises(LabError) as caught:
        changes(ROW, [], 29, "desi")
    assert "smaller" in caught.value.what
    assert "30 GiB" in caught.value.why
    assert "./lab sync" in caught.value.do
