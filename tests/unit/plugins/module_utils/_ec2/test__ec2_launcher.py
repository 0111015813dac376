# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore import exceptions as boto
from little_ec2 import SPOT, WISH, A, said

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

NO_CAPACITY = said("InsufficientInstanceCapacity", 500)
BROKEN = boto.ConnectionClosedError(endpoint_url="https://ec2.us-west-2.amazonaws.com")


# A machine that is there


def test_machine_that_runs_is_left_as_it_is(ec2, ensure):
    ec2.machine(PublicIpAddress="203.0.113.9")
    found = ensure()
    assert (found.how, found.changed, found.instance["address"]) == ("runs", False, "203.0.113.9")
    assert {name for name, _parameters in ec2.calls} == {"list"}


def test_machine_that_is_there_needs_no_way_to_make_one(ec2, ensure):
    ec2.machine("stopped")
    assert ensure(replace(WISH, attempts=())).how == "started"


def test_machine_that_is_just_coming_up_is_waited_for(ec2, ensure):
    ec2.machine("pending", lives=["pending", "pending", "running"])
    found = ensure()
    assert (found.how, found.changed, found.instance["state"]) == ("runs", False, "running")


def test_machine_that_has_an_address_is_waited_for_until_it_runs(ec2, ensure):
    # AWS gives the address first.
    ec2.machine("pending", lives=["pending", "pending", "running"], PublicIpAddress="203.0.113.9")
    assert ensure().instance["state"] == "running"


def test_machine_that_runs_is_waited_for_until_it_has_an_address(ec2, ensure):
    ec2.machine("running", address="", lives=["running"])
    with pytest.raises(LabError, match="no public address"):
        ensure()


def test_stopped_machine_is_started(ec2, ensure):
    ec2.machine("stopped")
    found = ensure()
    assert (found.how, found.changed, found.instance["state"]) == ("started", True, "running")
    assert ec2.asked("start_instances") == [["i-0"]]


def test_machine_that_is_stopping_is_waited_for_and_started(ec2, ensure):
    ec2.machine("stopping", lives=["stopping", "stopping", "stopped"])
    assert ensure().how == "started"
    assert ec2.asked("start_instances") == [["i-0"]]


def test_start_that_the_api_does_not_show_at_once_is_not_taken_for_a_failure(ec2, ensure):
    ec2.machine("stopped")
    ec2.lives = ["stopped", "stopped", "pending", "running"]
    assert ensure().how == "started"
    assert len(ec2.asked("start_instances")) == 1


def test_machine_that_stops_again_while_it_starts_is_told_with_the_reason(ec2, ensure):
    ec2.machine("stopped", StateReason={"Code": "Server.InsufficientInstanceCapacity"})
    ec2.lives = ["pending", "stopped"]
    with pytest.raises(LabError, match="stopped while it was being started") as caught:
        ensure()
    assert "no room" in caught.value.why


def test_machine_that_is_taken_away_while_it_starts_is_told_and_makes_no_other_machine(ec2, ensure):
    ec2.machine("stopped", StateReason={"Code": "Server.InsufficientInstanceCapacity"})
    ec2.lives = ["pending", "terminated"]
    with pytest.raises(LabError, match="ended while it was being started"):
        ensure()
    assert ec2.asked("run_instances") == []


@pytest.mark.parametrize("error", [said("IncorrectInstanceState"), said("InternalError", 500), BROKEN])
def test_start_is_repeated_while_nobody_knows_whether_it_worked(ec2, ensure, error):
    ec2.machine("stopped")
    ec2.starts = [error]
    assert ensure().instance["state"] == "running"
    assert len(ec2.asked("start_instances")) == 2


def test_start_that_worked_though_the_answer_was_lost_is_not_repeated(ec2, ensure):
    ec2.machine("stopped")
    ec2.lives, ec2.starts = ["pending", "running"], [("after", BROKEN)]
    assert ensure().how == "started"
    assert len(ec2.asked("start_instances")) == 1


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NO_CAPACITY, "no capacity for t2.micro in us-west-2a, and the disk"),
        (said("IncorrectSpotRequestState"), "AWS starts it by itself"),
        (said("VcpuLimitExceeded"), "quota"),
        (said("UnauthorizedOperation", 403, "StartInstances"), "ec2:StartInstances"),
    ],
)
def test_start_that_aws_refuses_is_told_and_makes_no_other_machine(ec2, ensure, error, why):
    ec2.machine("stopped")
    ec2.starts = [error]
    with pytest.raises(LabError) as caught:
        ensure()
    assert why in caught.value.why
    assert ec2.asked("run_instances") == []


def test_waiting_is_bounded(ec2, ensure, clock):
    ec2.machine("pending")
    with pytest.raises(LabError, match="not ready after 180 seconds"):
        ensure()
    assert clock.now - 1000 < 185


@pytest.mark.parametrize("error", [said("InternalError", 500), said("RequestLimitExceeded", 503), BROKEN])
def test_look_that_fails_for_a_moment_is_repeated(ec2, ensure, error):
    ec2.machine("pending", lives=["pending", "running"])
    ec2.looks = [error, error]
    assert ensure().instance["state"] == "running"


def test_look_that_aws_refuses_is_told(ec2, ensure):
    ec2.machine("pending", lives=["pending", "running"])
    ec2.looks = [said("UnauthorizedOperation", 403, "DescribeInstances")]
    with pytest.raises(LabError, match="look at the machine i-0"):
        ensure()


def test_search_that_aws_refuses_is_told_and_nothing_is_made(ec2, ensure):
    ec2.looks = [said("UnauthorizedOperation", 403, "DescribeInstances")]
    with pytest.raises(LabError, match="look for the lab's machine"):
        ensure()
    assert ec2.asked("run_instances") == []


def test_several_machines_are_refused_rather_than_guessed_at(ec2, ensure):
    ec2.machine("stopped")
    ec2.machine("running")
    with pytest.raises(LabError, match="has 2 machines"):
        ensure()
    assert ec2.asked("start_instances") == []


@pytest.mark.parametrize(
    ("state", "tags"),
    [
        ("running", {"Name": "desi-lab-desi"}),
        ("running", lab_tags("desi", "ben")),
        ("running", lab_tags("other", "ann")),
        ("terminated", None),
        ("shutting-down", None),
    ],
)
def test_machine_that_is_not_ours_or_is_gone_is_not_taken(ec2, ensure, state, tags):
    ec2.machine(state, tags)
    assert (ensure().how, len(ec2.machines)) == ("launched", 2)


# Check mode


@pytest.mark.parametrize(
    ("state", "how", "changed"),
    [("running", "runs", False), ("stopped", "started", True), ("stopping", "started", True)],
)
def test_check_mode_tells_what_would_be_done_with_the_machine(ec2, ensure, state, how, changed):
    ec2.machine(state)
    found = ensure(check=True)
    assert (found.how, found.changed, found.instance["state"]) == (how, changed, state)
    assert {name for name, _parameters in ec2.calls} == {"list"}


def test_check_mode_tells_which_machine_would_be_made(ec2, ensure):
    found = ensure(replace(WISH, attempts=(SPOT, A)), check=True)
    assert (found.how, found.changed, found.instance["id"]) == ("launched", True, "")
    assert (found.instance["type"], found.instance["zone"], found.instance["market"]) == (
        "t2.micro",
        "us-west-2a",
        "spot",
    )
    assert ec2.machines == []
