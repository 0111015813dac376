# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from little_ec2 import SPOT, WISH, A, said

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.launcher import Launcher

NO_CAPACITY = said("InsufficientInstanceCapacity", 500)
BROKEN = boto.ConnectionClosedError(endpoint_url="https://ec2.us-west-2.amazonaws.com")


def alive(ec2):
    return [machine["InstanceId"] for machine in ec2.machines if machine["State"]["Name"] != "terminated"]


def tokens(ec2):
    return [asked["ClientToken"] for asked in ec2.asked("run_instances")]


# Lost answers

LOST = [
    said("InternalError", 500),
    said("Unavailable", 503),
    said("RequestLimitExceeded", 503),
    BROKEN,
    boto.ReadTimeoutError(endpoint_url="https://ec2.us-west-2.amazonaws.com"),
    ResponseParserError("x"),
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: str(error)[:40])
def test_answer_that_is_lost_after_the_effect_makes_one_machine(ec2, ensure, error):
    ec2.answers = [("after", error)]
    made = ensure()
    assert made.how == "launched"
    assert alive(ec2) == [made.instance["id"]]


@pytest.mark.parametrize("error", LOST, ids=lambda error: str(error)[:40])
def test_answer_that_is_lost_before_the_effect_is_asked_for_again_with_the_same_token(ec2, ensure, error):
    ec2.answers = [error]
    made = ensure()
    assert alive(ec2) == [made.instance["id"]]
    first, second = tokens(ec2)
    assert first == second


def test_answer_that_is_lost_and_a_machine_that_the_api_does_not_list_yet_make_one_machine(ec2, ensure):
    listed = ec2.paginate
    ec2.answers = [("after", BROKEN), ("after", BROKEN)]
    ec2.paginate = lambda Filters: listed(Filters) if len(ec2.asked("run_instances")) > 2 else [{"Reservations": []}]
    made = ensure()
    assert len(set(tokens(ec2))) == 1
    assert alive(ec2) == [made.instance["id"]]


def test_answers_that_stay_lost_end_it_with_a_sentence(ec2, ensure, clock):
    ec2.answers = [said("InternalError", 500)] * 9
    with pytest.raises(LabError, match="not possible to start a machine") as caught:
        ensure()
    assert "AWS itself has trouble" in caught.value.why
    assert len(ec2.asked("run_instances")) == 3
    assert len(set(tokens(ec2))) == 1
    assert clock.now - 1000 == 6


def test_answers_that_stay_lost_though_the_machine_is_made_are_not_needed(ec2, ensure):
    ec2.answers = [("after", BROKEN)] * 9
    made = ensure()
    assert alive(ec2) == [made.instance["id"]]
    assert len(ec2.asked("run_instances")) == 1


# Machines of earlier days and of other terminals


def test_machine_that_was_terminated_by_hand_is_followed_by_another_at_once(ec2, ensure, clock):
    first = ensure()
    ec2.terminate_instances([first.instance["id"]])
    clock.now = 1000
    second = ensure()
    assert clock.now - 1000 <= 2
    assert second.how == "launched"
    assert alive(ec2) == [second.instance["id"]]


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_answer_with_a_machine_that_is_gone_is_followed_by_another(ec2, ensure, state):
    # This is how EC2 answered a token of a terminated machine until 2025.
    real = ec2.run_instances

    def run(**parameters):
        answer = real(**parameters)
        if len(ec2.asked("run_instances")) == 1:
            ec2.machines[0].update(State={"Name": state}, lives=[state])
            return {"Instances": [dict(ec2.machines[0])]}
        return answer

    ec2.run_instances = run
    assert ensure().instance["id"] == "i-1"


def test_machines_without_end_that_are_all_gone_end_it_with_a_sentence(ec2, ensure):
    ec2.answers = [said("IdempotentInstanceTerminated")] * 999
    with pytest.raises(LabError, match="not possible to start a machine"):
        ensure()
    assert len(ec2.asked("run_instances")) == 50


def test_answers_without_end_of_machines_that_are_all_gone_end_it_with_a_sentence(ec2, ensure):
    ec2.run_instances = lambda **_parameters: {"Instances": [ec2.machine("terminated")]}
    with pytest.raises(LabError, match="not possible to start a machine") as caught:
        ensure()
    assert "Too many machines" in caught.value.why


def test_wishes_without_end_that_differ_are_bounded_in_time(ec2, ensure, clock):
    ec2.answers = [said("IdempotentParameterMismatch")] * 99
    with pytest.raises(LabError, match="not possible to start a machine"):
        ensure()
    assert clock.now - 1000 <= 135


def other_terminal(ec2, clock, spec=WISH):
    return Launcher(ec2, spec, "us-west-2", sleep=clock.sleep, clock=clock)


def test_two_terminals_that_saw_no_machine_make_one(ec2, ensure, clock):
    listed, runs = ec2.paginate, []

    def paginate(Filters):
        # The other one looks and launches between our look and our launch.
        if not runs:
            runs.append(1)
            other_terminal(ec2, clock).ensure()
            return [{"Reservations": []}]
        return listed(Filters)

    ec2.paginate = paginate
    made = ensure()
    assert alive(ec2) == [made.instance["id"]]


@pytest.mark.parametrize("change", [{"image_id": "ami-2"}, {"tags": {"release": "dr1"}}])
def test_two_terminals_that_want_it_differently_make_one(ec2, ensure, clock, change):
    listed, runs = ec2.paginate, []

    def paginate(Filters):
        if not runs:
            runs.append(1)
            other_terminal(ec2, clock, replace(WISH, **change)).ensure()
            return [{"Reservations": []}]
        return listed(Filters)

    ec2.paginate = paginate
    made = ensure()
    assert alive(ec2) == [made.instance["id"]] == ["i-0"]
    assert len(ec2.machines) == 1


def test_machine_of_another_terminal_that_is_not_listed_at_once_is_waited_for(ec2, ensure, clock):
    other_terminal(ec2, clock, replace(WISH, image_id="ami-2")).ensure()
    listed, appears = ec2.paginate, clock.now + 6
    ec2.paginate = lambda Filters: listed(Filters) if clock.now >= appears else [{"Reservations": []}]
    assert ensure().instance["id"] == "i-0"
    assert len(ec2.machines) == 1
    assert clock.now <= appears + 1


def test_wish_that_differs_from_one_that_failed_before_is_fulfilled(ec2, ensure):
    ec2.answers = [said("IdempotentParameterMismatch")]
    made = ensure()
    assert alive(ec2) == [made.instance["id"]]
    assert len(set(tokens(ec2))) == 2


@pytest.mark.parametrize(("attempt", "cancelled"), [(A, []), (SPOT, [["sir-1"]])])
def test_machine_of_another_terminal_that_was_first_stays_and_ours_goes(ec2, ensure, attempt, cancelled):
    real = ec2.run_instances

    def run(**parameters):
        if not ec2.machines:
            # It asked for another type, so its token is another one.
            ec2.machine("running", lab_tags("desi", "ann"), PublicIpAddress="203.0.113.9")
        return real(**parameters)

    ec2.run_instances = run
    found = ensure(replace(WISH, attempts=(attempt,)))
    assert (found.how, found.instance["id"]) == ("runs", "i-0")
    assert alive(ec2) == ["i-0"]
    assert ec2.asked("cancel_spot_instance_requests") == cancelled


def test_second_machine_that_cannot_be_given_up_is_told_by_its_id(ec2, ensure):
    real = ec2.run_instances

    def run(**parameters):
        ec2.machine("running", PublicIpAddress="203.0.113.9")
        return real(**parameters)

    ec2.run_instances, ec2.refusal = run, said("UnauthorizedOperation", 403, "TerminateInstances")
    with pytest.raises(LabError, match="give up the second machine i-1"):
        ensure()


def test_machine_of_another_terminal_that_was_later_is_left_to_it(ec2, ensure):
    real = ec2.run_instances

    def run(**parameters):
        answer = real(**parameters)
        ec2.machine("pending", lab_tags("desi", "ann"))
        return answer

    ec2.run_instances = run
    made = ensure()
    assert (made.how, made.instance["id"]) == ("launched", "i-0")
    assert ec2.asked("terminate_instances") == []
