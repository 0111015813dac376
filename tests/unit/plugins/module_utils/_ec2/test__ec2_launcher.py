# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from dataclasses import replace

import pytest
from botocore import exceptions as boto
from little_ec2 import SPEC, SPOT, A, B, said

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.launcher import Launcher

ENDPOINT = "https://ec2.us-west-2.amazonaws.com"
NO_CAPACITY = said("InsufficientInstanceCapacity", 500)
BROKEN = boto.ConnectionClosedError(endpoint_url=ENDPOINT)
LOST = [said("InternalError", 500), BROKEN]
NOTHING = [{"Reservations": []}]


def alive(ec2):
    return [instance["InstanceId"] for instance in ec2.instances if instance["State"]["Name"] != "terminated"]


def zones(ec2):
    return [asked["NetworkInterfaces"][0]["SubnetId"][-1] for asked in ec2.asked("run_instances")]


def tokens(ec2):
    return [asked["ClientToken"] for asked in ec2.asked("run_instances")]


def refused(ensure, match, *arguments):
    with pytest.raises(LabError, match=match) as caught:
        ensure(*arguments)
    return caught.value


def around_run(ec2, before=lambda: None, after=lambda: None):
    """Let something happen before and after each RunInstances."""
    real = ec2.run_instances

    def run(**parameters):
        before()
        answer = real(**parameters)
        after()
        return answer

    ec2.run_instances = run


# An instance that is there


def test_instance_that_runs_is_left_as_it_is(ec2, ensure):
    ec2.instance(PublicIpAddress="203.0.113.9")
    found = ensure()
    assert (found.how, found.changed, found.instance["address"]) == ("runs", False, "203.0.113.9")
    assert {name for name, _parameters in ec2.calls} == {"list"}


@pytest.mark.parametrize(
    ("lives", "more", "how", "starts"),
    [
        (["pending", "pending", "running"], {}, "runs", 0),
        # AWS gives the address before it runs.
        (["pending", "pending", "running"], {"PublicIpAddress": "203.0.113.9"}, "runs", 0),
        (["stopped"], {}, "started", 1),
        (["stopping", "stopping", "stopped"], {}, "started", 1),
    ],
)
def test_instance_is_waited_for_and_started_if_it_is_stopped(ec2, ensure, lives, more, how, starts):
    ec2.instance(lives[0], lives=lives, **more)
    # One that is there needs no way to launch one.
    found = ensure(replace(SPEC, attempts=()))
    assert (found.how, found.changed, found.instance["state"]) == (how, how != "runs", "running")
    assert ec2.asked("start_instances") == [["i-0"]] * starts


def test_start_that_the_api_does_not_show_at_once_is_not_taken_for_a_failure(ec2, ensure):
    ec2.instance("stopped")
    ec2.lives = ["stopped", "stopped", "pending", "running"]
    assert ensure().how == "started"
    assert len(ec2.asked("start_instances")) == 1


@pytest.mark.parametrize("end", ["stopped", "terminated"])
def test_instance_that_ends_while_it_starts_is_told_with_the_reason_and_no_other_is_launched(ec2, ensure, end):
    ec2.instance("stopped", StateReason={"Code": "Server.InsufficientInstanceCapacity"})
    ec2.lives = ["pending", end]
    assert "no room" in refused(ensure, "(stopped|ended) while it was being started").why
    assert ec2.asked("run_instances") == []


@pytest.mark.parametrize(
    ("answer", "calls"),
    [(said("IncorrectInstanceState"), 2), (said("InternalError", 500), 2), (BROKEN, 2), (("after", BROKEN), 1)],
)
def test_start_is_repeated_while_nobody_knows_whether_it_worked(ec2, ensure, answer, calls):
    ec2.instance("stopped")
    ec2.starts = [answer]
    assert ensure().instance["state"] == "running"
    assert len(ec2.asked("start_instances")) == calls


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NO_CAPACITY, "no capacity for t2.micro in us-west-2a, and the disk"),
        (said("IncorrectSpotRequestState"), "AWS starts it by itself"),
        (said("VcpuLimitExceeded"), "quota"),
        (said("UnauthorizedOperation", 403, "StartInstances"), "ec2:StartInstances"),
    ],
)
def test_start_that_aws_refuses_is_told_and_no_other_is_launched(ec2, ensure, error, why):
    ec2.instance("stopped")
    ec2.starts = [error]
    assert why in refused(ensure, None).why
    assert ec2.asked("run_instances") == []


def test_waiting_is_bounded(ec2, ensure, clock):
    ec2.instance("pending")
    refused(ensure, "not ready after 180 seconds")
    assert clock.now - 1000 < 185


@pytest.mark.parametrize("error", LOST)
def test_query_that_fails_for_a_moment_is_repeated(ec2, ensure, error):
    ec2.instance("pending", lives=["pending", "running"])
    ec2.looks = [error, error]
    assert ensure().instance["state"] == "running"


@pytest.mark.parametrize(("there", "what"), [(True, "inspect the machine i-0"), (False, "look for the lab's machine")])
def test_query_that_aws_refuses_is_told_and_nothing_is_launched(ec2, ensure, there, what):
    if there:
        ec2.instance("pending", lives=["pending", "running"])
    ec2.looks = [said("UnauthorizedOperation", 403, "DescribeInstances")]
    refused(ensure, what)
    assert ec2.asked("run_instances") == []


def test_several_instances_are_refused_rather_than_guessed_at(ec2, ensure):
    ec2.instance("stopped")
    ec2.instance("running")
    refused(ensure, "has 2 machines")
    assert ec2.asked("start_instances") == []


@pytest.mark.parametrize(
    ("state", "tags"), [("running", lab_tags("desi", "ben")), ("terminated", None), ("shutting-down", None)]
)
def test_instance_that_is_not_ours_or_is_gone_is_not_used(ec2, ensure, state, tags):
    ec2.instance(state, tags)
    assert (ensure().how, len(ec2.instances)) == ("launched", 2)


# Check mode


@pytest.mark.parametrize(
    ("state", "how", "changed"),
    [("running", "runs", False), ("stopped", "started", True), ("stopping", "started", True)],
)
def test_check_mode_tells_what_would_be_done_with_the_instance(ec2, ensure, state, how, changed):
    ec2.instance(state)
    found = ensure(check=True)
    assert (found.how, found.changed, found.instance["state"]) == (how, changed, state)
    assert {name for name, _parameters in ec2.calls} == {"list"}


def test_check_mode_tells_which_instance_would_be_launched(ec2, ensure):
    found = ensure(replace(SPEC, attempts=(SPOT, A)), check=True)
    view = found.instance
    assert (found.how, found.changed, view["id"]) == ("launched", True, "")
    assert (view["type"], view["zone"], view["market"]) == ("t2.micro", "us-west-2a", "spot")
    assert ec2.instances == []


# A launch


def test_instance_is_launched_once_and_found_by_the_next_run(ec2, ensure):
    ec2.hidden_looks = 5
    made = ensure()
    assert (made.how, made.changed, made.tried) == ("launched", True, [])
    assert (made.instance["state"], made.instance["address"]) == ("running", "203.0.113.7")
    second = ensure()
    assert (second.how, second.changed, second.instance["id"]) == ("runs", False, made.instance["id"])
    assert zones(ec2) == ["a"]


@pytest.mark.parametrize("check", [False, True])
def test_instance_for_which_no_way_was_given_is_not_launched(ec2, ensure, check):
    refused(ensure, "No machine is made", replace(SPEC, attempts=()), check)
    assert ec2.instances == []


def test_next_attempt_is_made_at_once_where_there_is_no_capacity_and_both_are_told(ec2, ensure, clock):
    ec2.answers = [NO_CAPACITY]
    made = ensure()
    assert made.instance["zone"] == "us-west-2b"
    assert made.tried == [{"type": "t2.micro", "zone": "us-west-2a", "market": "on-demand", "reason": "no capacity"}]
    assert zones(ec2) == ["a", "b"]
    assert clock.now - 1000 <= 2


def test_on_demand_is_the_fallback_of_spot(ec2, ensure):
    ec2.answers = [said("MaxSpotInstanceCountExceeded")]
    made = ensure(replace(SPEC, attempts=(SPOT, A)))
    assert (made.instance["market"], made.tried[0]["reason"]) == ("on-demand", "the quota for spot is used up")


def test_instance_that_dies_for_lack_of_capacity_is_followed_by_the_next_attempt(ec2, ensure):
    def die():
        ec2.instances[0]["StateReason"] = {"Code": "Server.InsufficientInstanceCapacity"}
        ec2.lives = ["pending", "running"]

    ec2.lives = ["pending", "terminated"]
    around_run(ec2, after=die)
    made = ensure()
    assert (made.instance["zone"], made.tried[0]["reason"]) == ("us-west-2b", "no capacity")


def test_instance_that_stops_instead_of_running_is_not_started_again_and_again(ec2, ensure):
    ec2.lives = ["pending", "stopping", "stopped"]
    refused(ensure, "stopped while it was being started")
    assert ec2.asked("start_instances") == ec2.asked("terminate_instances") == []


def test_request_of_a_spot_instance_that_dies_is_cancelled(ec2, ensure):
    ec2.lives = ["pending", "terminated"]
    refused(ensure, "ended while it was being started", replace(SPEC, attempts=(SPOT,)))
    assert ec2.asked("cancel_spot_instance_requests") == [["sir-1"]]


def test_where_nothing_is_to_be_had_all_attempts_are_told_and_others_proposed(ec2, ensure):
    ec2.answers = [NO_CAPACITY, said("Unsupported")]
    error = refused(ensure, "no machine for the lab in us-west-2")
    tried = ["t2.micro in us-west-2a: no capacity", "t2.micro in us-west-2b: the type is not offered there"]
    assert error.why == f"{'; '.join(tried)}."
    assert "-e lab_instance_type=t2.micro,t3.micro,t3a.micro" in error.do
    assert "-e lab_region=" in error.do
    assert alive(ec2) == []


def test_search_for_a_place_is_bounded(ec2, ensure, clock):
    around_run(ec2, before=lambda: clock.sleep(50))
    ec2.answers = [NO_CAPACITY] * 20
    error = refused(ensure, "no machine for the lab", replace(SPEC, attempts=(A, B) * 10))
    assert len(ec2.asked("run_instances")) == 3
    assert "no time to try more" in error.why


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (said("VcpuLimitExceeded"), "quota"),
        (said("UnauthorizedOperation", 403), "ec2:RunInstances"),
        (boto.NoCredentialsError(), "No AWS credentials"),
    ],
)
def test_refusal_that_no_other_zone_would_change_ends_it_at_once(ec2, ensure, error, why):
    ec2.answers = [error]
    assert why in refused(ensure, None).why
    assert len(ec2.asked("run_instances")) == 1


# Lost answers


@pytest.mark.parametrize("error", LOST, ids=lambda error: str(error)[:40])
@pytest.mark.parametrize("after", [True, False])
def test_answer_that_is_lost_before_or_after_the_effect_makes_one_instance(ec2, ensure, error, after):
    ec2.answers = [("after", error) if after else error]
    made = ensure()
    assert alive(ec2) == [made.instance["id"]]
    assert len(tokens(ec2)) == (1 if after else 2)
    assert len(set(tokens(ec2))) == 1


def test_answer_that_is_lost_and_an_instance_that_is_not_listed_yet_make_one(ec2, ensure):
    listed = ec2.paginate
    ec2.answers = [("after", BROKEN), ("after", BROKEN)]
    ec2.paginate = lambda Filters: listed(Filters) if len(ec2.asked("run_instances")) > 2 else NOTHING
    made = ensure()
    assert len(set(tokens(ec2))) == 1
    assert alive(ec2) == [made.instance["id"]]


def test_answers_that_stay_lost_end_it_with_a_sentence(ec2, ensure, clock):
    ec2.answers = [said("InternalError", 500)] * 9
    assert "AWS itself has trouble" in refused(ensure, "not possible to start a machine").why
    assert (len(tokens(ec2)), len(set(tokens(ec2)))) == (3, 1)
    assert clock.now - 1000 == 6


# Instances of earlier days and of other terminals


def test_instance_that_was_terminated_by_hand_is_followed_by_another_at_once(ec2, ensure, clock):
    ec2.terminate_instances([ensure().instance["id"]])
    clock.now = 1000
    second = ensure()
    assert (second.how, alive(ec2)) == ("launched", [second.instance["id"]])
    assert clock.now - 1000 <= 2


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_answer_with_an_instance_that_is_gone_is_followed_by_another(ec2, ensure, state):
    # This is how EC2 answered a token of a terminated instance until 2025.
    real = ec2.run_instances

    def run(**parameters):
        answer = real(**parameters)
        if len(ec2.asked("run_instances")) == 1:
            ec2.instances[0].update(State={"Name": state}, lives=[state])
            return {"Instances": [dict(ec2.instances[0])]}
        return answer

    ec2.run_instances = run
    assert ensure().instance["id"] == "i-1"


def test_instances_without_end_that_are_all_gone_end_it_with_a_sentence(ec2, ensure):
    ec2.answers = [said("IdempotentInstanceTerminated")] * 999
    refused(ensure, "not possible to start a machine")
    assert len(ec2.asked("run_instances")) == 50
    ec2.run_instances = lambda **_parameters: {"Instances": [ec2.instance("terminated")]}
    assert "Too many machines" in refused(ensure, "not possible to start a machine").why


def test_specs_without_end_that_differ_are_bounded_in_time(ec2, ensure, clock):
    ec2.answers = [said("IdempotentParameterMismatch")] * 99
    refused(ensure, "not possible to start a machine")
    assert clock.now - 1000 <= 135


def other_terminal(ec2, clock, **change):
    return Launcher(ec2, replace(SPEC, **change), "us-west-2", sleep=clock.sleep, clock=clock).ensure()


@pytest.mark.parametrize("change", [{}, {"image_id": "ami-2"}, {"tags": {"release": "dr1"}}])
def test_two_terminals_that_saw_no_instance_launch_one(ec2, ensure, clock, change):
    listed, runs = ec2.paginate, []

    def paginate(Filters):
        # The other one looks and launches between our look and our launch.
        if not runs:
            runs.append(1)
            other_terminal(ec2, clock, **change)
            return NOTHING
        return listed(Filters)

    ec2.paginate = paginate
    made = ensure()
    assert alive(ec2) == [made.instance["id"]] == ["i-0"]
    assert len(ec2.instances) == 1


def test_instance_of_another_terminal_that_is_not_listed_at_once_is_waited_for(ec2, ensure, clock):
    other_terminal(ec2, clock, image_id="ami-2")
    listed, appears = ec2.paginate, clock.now + 6
    ec2.paginate = lambda Filters: listed(Filters) if clock.now >= appears else NOTHING
    assert ensure().instance["id"] == "i-0"
    assert len(ec2.instances) == 1
    assert clock.now <= appears + 1


def test_spec_that_differs_from_one_that_failed_before_is_launched(ec2, ensure):
    ec2.answers = [said("IdempotentParameterMismatch")]
    made = ensure()
    assert alive(ec2) == [made.instance["id"]]
    assert len(set(tokens(ec2))) == 2


@pytest.mark.parametrize(("attempt", "cancelled"), [(A, []), (SPOT, [["sir-1"]])])
def test_instance_of_another_terminal_that_was_first_stays_and_ours_goes(ec2, ensure, attempt, cancelled):
    # It asked for another type, so its token is another one.
    around_run(ec2, before=lambda: ec2.instances or ec2.instance("running", PublicIpAddress="203.0.113.9"))
    found = ensure(replace(SPEC, attempts=(attempt,)))
    assert (found.how, found.instance["id"], alive(ec2)) == ("runs", "i-0", ["i-0"])
    assert ec2.asked("cancel_spot_instance_requests") == cancelled


def test_second_instance_that_cannot_be_given_up_is_told_by_its_id(ec2, ensure):
    around_run(ec2, before=lambda: ec2.instance("running", PublicIpAddress="203.0.113.9"))
    ec2.refusal = said("UnauthorizedOperation", 403, "TerminateInstances")
    refused(ensure, "give up the second machine i-1")


class OnlyOurs:
    """The record of a computer that knows the instances of its own launches alone."""

    def __init__(self):
        self.ids = set()

    def knows(self, instance):
        return instance["InstanceId"] in self.ids

    def add_launch(self, token):
        pass

    drop_launch = add_launch

    def add_instance(self, instance):
        self.ids.add(instance["InstanceId"])


def test_instance_of_another_computer_with_the_same_token_is_refused_and_none_is_launched_beside_it(ec2, clock):
    # It looks and launches between our look and our launch, with its own key.
    launches = []

    def before():
        if not launches:
            launches.append(1)
            ec2.calls.clear()
            other_terminal(ec2, clock, key_name="desi-lab-desi-2")

    around_run(ec2, before=before)
    with pytest.raises(LabError, match="was not made from this computer"):
        Launcher(ec2, SPEC, sleep=clock.sleep, clock=clock, record=OnlyOurs()).ensure()
    assert alive(ec2) == ["i-0"]


def test_instance_of_another_terminal_that_was_later_is_left_to_it(ec2, ensure):
    around_run(ec2, after=lambda: ec2.instance("pending", lab_tags("desi", "ann")))
    made = ensure()
    assert (made.how, made.instance["id"]) == ("launched", "i-0")
    assert ec2.asked("terminate_instances") == []
