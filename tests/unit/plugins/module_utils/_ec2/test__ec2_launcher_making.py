# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore import exceptions as boto
from little_ec2 import SPOT, WISH, A, B, said

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

NO_CAPACITY = said("InsufficientInstanceCapacity", 500)
BROKEN = boto.ConnectionClosedError(endpoint_url="https://ec2.us-west-2.amazonaws.com")


def alive(ec2):
    return [machine["InstanceId"] for machine in ec2.machines if machine["State"]["Name"] != "terminated"]


def zones(ec2):
    return [asked["NetworkInterfaces"][0]["SubnetId"][-1] for asked in ec2.asked("run_instances")]


def test_machine_is_made_where_there_is_none(ec2, ensure):
    made = ensure()
    assert (made.how, made.changed, made.tried) == ("launched", True, [])
    assert made.instance["state"] == "running"
    assert made.instance["address"] == "203.0.113.7"
    assert zones(ec2) == ["a"]


def test_second_run_finds_the_machine_of_the_first(ec2, ensure):
    first = ensure()
    second = ensure()
    assert (second.how, second.changed) == ("runs", False)
    assert second.instance["id"] == first.instance["id"]
    assert len(ec2.asked("run_instances")) == 1


def test_machine_that_the_api_does_not_know_at_once_is_waited_for(ec2, ensure):
    ec2.hidden_looks = 5
    assert ensure().how == "launched"


@pytest.mark.parametrize("check", [False, True])
def test_machine_for_which_no_way_was_given_is_not_made(ec2, ensure, check):
    with pytest.raises(LabError, match="No machine is made"):
        ensure(replace(WISH, attempts=()), check)
    assert ec2.machines == []


def test_machine_that_the_api_does_not_list_for_long_is_used_all_the_same(ec2, ensure):
    ec2.paginate = lambda Filters: [{"Reservations": []}]
    assert ensure().instance["id"] == "i-0"


# No room


def test_next_attempt_is_made_where_there_is_no_capacity_and_both_are_told(ec2, ensure):
    ec2.answers = [NO_CAPACITY]
    made = ensure()
    assert made.instance["zone"] == "us-west-2b"
    assert made.tried == [{"type": "t2.micro", "zone": "us-west-2a", "market": "on-demand", "reason": "no capacity"}]
    assert zones(ec2) == ["a", "b"]


def test_lack_of_capacity_takes_no_time(ec2, ensure, clock):
    ec2.answers = [NO_CAPACITY]
    ensure()
    assert clock.now - 1000 <= 2


def test_machine_on_demand_is_the_fallback_of_a_spot_machine(ec2, ensure):
    ec2.answers = [said("MaxSpotInstanceCountExceeded")]
    made = ensure(replace(WISH, attempts=(SPOT, A)))
    assert made.instance["market"] == "on-demand"
    assert made.tried[0]["reason"] == "the quota for spot is used up"


def test_machine_that_dies_for_lack_of_capacity_is_followed_by_the_next_attempt(ec2, ensure):
    ec2.lives = ["pending", "terminated"]
    real = ec2.run_instances

    def run(**parameters):
        answer = real(**parameters)
        ec2.machines[0]["StateReason"] = {"Code": "Server.InsufficientInstanceCapacity"}
        ec2.lives = ["pending", "running"]
        return answer

    ec2.run_instances = run
    made = ensure()
    assert (made.instance["zone"], made.tried[0]["reason"]) == ("us-west-2b", "no capacity")


def test_machine_that_stops_instead_of_running_is_not_started_again_and_again(ec2, ensure):
    ec2.lives = ["pending", "stopping", "stopped"]
    with pytest.raises(LabError, match="stopped while it was being started"):
        ensure()
    assert ec2.asked("start_instances") == ec2.asked("terminate_instances") == []


def test_request_of_a_spot_machine_that_dies_is_cancelled(ec2, ensure):
    ec2.lives = ["pending", "terminated"]
    with pytest.raises(LabError, match="ended while it was being started"):
        ensure(replace(WISH, attempts=(SPOT,)))
    assert ec2.asked("cancel_spot_instance_requests") == [["sir-1"]]


def test_where_nothing_is_to_be_had_all_attempts_are_told_and_others_proposed(ec2, ensure):
    ec2.answers = [NO_CAPACITY, said("Unsupported")]
    with pytest.raises(LabError, match="no machine for the lab in us-west-2") as caught:
        ensure()
    tried = ["t2.micro in us-west-2a: no capacity", "t2.micro in us-west-2b: the type is not offered there"]
    assert caught.value.why == f"{'; '.join(tried)}."
    assert "-e lab_instance_type=t2.micro,t3.micro,t3a.micro" in caught.value.do
    assert "-e lab_region=" in caught.value.do
    assert alive(ec2) == []


def test_looking_for_a_place_is_bounded(ec2, ensure, clock):
    real = ec2.run_instances

    def slow(**parameters):
        clock.sleep(50)
        return real(**parameters)

    ec2.run_instances, ec2.answers = slow, [NO_CAPACITY] * 20
    with pytest.raises(LabError, match="no machine for the lab") as caught:
        ensure(replace(WISH, attempts=(A, B) * 10))
    assert len(ec2.asked("run_instances")) == 3
    assert "no time to try more" in caught.value.why


# Refusals


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (said("VcpuLimitExceeded"), "quota"),
        (said("UnauthorizedOperation", 403), "ec2:RunInstances"),
        (said("InvalidAMIID.NotFound"), "InvalidAMIID.NotFound"),
        (boto.NoCredentialsError(), "No AWS credentials"),
    ],
)
def test_refusal_that_no_other_zone_would_change_ends_it_at_once(ec2, ensure, error, why):
    ec2.answers = [error]
    with pytest.raises(LabError) as caught:
        ensure()
    assert why in caught.value.why
    assert len(ec2.asked("run_instances")) == 1


def test_machine_that_dies_is_told_with_the_reason(ec2, ensure):
    ec2.lives = ["pending", "terminated"]
    real = ec2.run_instances

    def run(**parameters):
        answer = real(**parameters)
        ec2.machines[0]["StateReason"] = {"Code": "Client.VolumeLimitExceeded", "Message": "x"}
        return answer

    ec2.run_instances = run
    with pytest.raises(LabError, match="i-0 ended while it was being started") as caught:
        ensure()
    assert "quota of your account for disks" in caught.value.why
    assert len(ec2.machines) == 1
