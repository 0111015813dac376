# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError

from ansible_collections.desi.lab.plugins.module_utils._aws import permissions
from ansible_collections.desi.lab.plugins.module_utils._aws.permissions import CHANGES, DryRunTargets
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

ROOT = Path(__file__).parents[5]
ACTIONS = {action.name: action for action in CHANGES}
NOTHING = DryRunTargets({"MinCount": 1}, [{"Key": "desi-lab:owner", "Value": "ann"}], "vpc-1", "")
ALL = NOTHING._replace(instance_id="i-1", group_id="sg-1", key_name="desi-lab-desi")
REFUSED = "You are not authorized to perform this operation."


def error(code="UnauthorizedOperation", message=REFUSED, operation="StopInstances"):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def outcomes(refused, targets=NOTHING, names=tuple(ACTIONS), message=REFUSED):
    """The outcomes of dry runs of which some are refused."""
    allowed = error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    return [
        permissions.read_dry_run(ACTIONS[name], targets, error(message=message) if name in refused else allowed)
        for name in names
    ]


ON_MACHINE = [name for name, action in ACTIONS.items() if action.on == "machine"]
ON_GROUP = [name for name, action in ACTIONS.items() if action.on == "group"]


# What a refusal means


def test_all_that_is_missing_is_named_in_one_failure_that_points_to_the_policy():
    with pytest.raises(LabError) as caught:
        permissions.judge(outcomes(["ec2:RunInstances", "ec2:ImportKeyPair", "ec2:StopInstances"]))
    assert caught.value.why == "Not allowed: ec2:RunInstances, ec2:ImportKeyPair, ec2:StopInstances."
    assert "docs/iam-policy.json" in caught.value.do


def test_action_that_the_refusal_names_is_the_one_that_is_missing():
    message = f"{REFUSED} User: arn:aws:iam::123456789012:user/ann is not authorized to perform: ec2:CreateTags on it"
    with pytest.raises(LabError, match=r"Not allowed: ec2:CreateTags\."):
        permissions.judge(outcomes(["ec2:RunInstances"], message=message))


@pytest.mark.parametrize("refused", [ON_MACHINE, ON_GROUP, ["ec2:DeleteKeyPair"], ON_MACHINE + ON_GROUP])
def test_policy_that_asks_for_tags_does_not_stop_a_lab_that_has_none_yet(refused):
    said = permissions.judge(outcomes(refused))
    assert [("cannot be told before there is one" in note) for note in said] == [True] * (ON_MACHINE[0] in refused)


@pytest.mark.parametrize("refused", [ON_MACHINE[:1], ON_GROUP[1:], [*ON_MACHINE, ON_GROUP[0]]])
def test_single_action_that_is_refused_is_missing(refused):
    with pytest.raises(LabError) as caught:
        permissions.judge(outcomes(refused))
    assert refused[-1] in caught.value.why


@pytest.mark.parametrize("refused", [ON_MACHINE, ON_GROUP, ["ec2:DeleteKeyPair"]])
def test_what_exists_has_its_tags_so_that_a_refusal_counts(refused):
    with pytest.raises(LabError) as caught:
        permissions.judge(outcomes(refused, ALL))
    assert all(name in caught.value.why for name in refused)


def test_explicit_denial_counts_even_for_what_does_not_exist():
    with pytest.raises(LabError):
        permissions.judge(outcomes(ON_MACHINE, message=f"{REFUSED} with an explicit deny in a service control policy"))


@pytest.mark.parametrize(
    "failure",
    [
        error("InvalidInstanceID.NotFound", "The instance ID does not exist"),
        error("RequestLimitExceeded", "Request limit exceeded."),
        error("MissingParameter", "The request must contain the parameter"),
        EndpointConnectionError(endpoint_url="https://ec2.us-west-2.amazonaws.com"),
    ],
)
def test_what_could_not_be_told_lets_the_real_call_tell(failure):
    found = permissions.read_dry_run(ACTIONS["ec2:RunInstances"], ALL, failure)
    assert not found.refused


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "AccessDeniedException", "Client.UnauthorizedOperation"])
def test_refusal_is_known_by_each_of_its_codes(code):
    assert permissions.read_dry_run(ACTIONS["ec2:RunInstances"], ALL, error(code)).refused


# What is tried, and how


class Client:
    """A client that notes what it is asked and answers each dry run as EC2 does."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, operation):
        def call(**parameters):
            self.asked.append((operation, parameters))
            raise error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")

        return call


@pytest.mark.parametrize("action", CHANGES, ids=lambda action: action.name)
@pytest.mark.parametrize("targets", [NOTHING, ALL])
def test_everything_is_tried_as_a_dry_run_and_never_for_real(action, targets):
    client = Client()
    found = permissions.dry_run(client, action, targets)
    assert (found.action, found.refused) == (action, False)
    assert [parameters["DryRun"] for _operation, parameters in client.asked] == [True]
    assert client.asked[0][0] == xform_name(action.name.partition(":")[2])


def test_dry_run_that_is_answered_without_a_word_is_allowed():
    class Silent:
        def stop_instances(self, **_parameters):
            return {}

    found = permissions.dry_run(Silent(), ACTIONS["ec2:StopInstances"], NOTHING)
    assert found == (ACTIONS["ec2:StopInstances"], False, True, "ec2:StopInstances")


def test_things_of_ours_are_tried_by_their_own_ids():
    for name, wanted in (
        ("ec2:StopInstances", {"InstanceIds": ["i-1"]}),
        ("ec2:DeleteSecurityGroup", {"GroupId": "sg-1"}),
        ("ec2:DeleteKeyPair", {"KeyName": "desi-lab-desi"}),
    ):
        assert ACTIONS[name].parameters(ALL) == wanted
        assert ACTIONS[name].parameters(NOTHING).keys() == wanted.keys()
        assert ACTIONS[name].parameters(NOTHING) != wanted


def test_what_is_made_is_tried_with_its_tags():
    for name in ("ec2:CreateSecurityGroup", "ec2:ImportKeyPair"):
        (tagged,) = ACTIONS[name].parameters(NOTHING)["TagSpecifications"]
        assert tagged["Tags"] == NOTHING.tags


def names(state, spot=False):
    return {action.name for action in permissions.needed(state, spot)}


def test_everything_is_tried_before_a_first_machine():
    assert names("absent", spot=True) == set(ACTIONS)
    assert names("absent") == set(ACTIONS) - {"ec2:CancelSpotInstanceRequests"}


def test_only_what_may_change_is_tried_beside_an_instance_and_its_start_if_it_is_stopped():
    rules = {"ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"}
    assert names("pending") == names("running") == rules
    assert names("stopping") == names("stopped") == {*rules, "ec2:StartInstances"}


# The policy


# Read only, and needed.
READS = {
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcs",
    "ssm:GetParameters",
    "sts:GetCallerIdentity",
}
# What lets a lab be deleted that is forgotten. Without these it is not, and that is said.
EXPIRY = {
    "iam:GetRole",
    "iam:PassRole",
    "scheduler:CreateSchedule",
    "scheduler:CreateScheduleGroup",
    "scheduler:DeleteSchedule",
    "scheduler:DeleteScheduleGroup",
    "scheduler:GetSchedule",
    "scheduler:GetScheduleGroup",
    "scheduler:ListSchedules",
    "scheduler:ListScheduleGroups",
    "scheduler:ListTagsForResource",
    "scheduler:TagResource",
    "scheduler:UpdateSchedule",
}
READS_OF_DOWN = {
    "ec2:DescribeAddresses",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSpotInstanceRequests",
}
# Without these something is unknown, and that is said.
READS_THAT_MAY_LACK = {
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeRouteTables",
    "ec2:DescribeVolumes",
    "pricing:GetProducts",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
}
# Removes what is left of a lab that was deleted by its schedule, on request.
OF_PURGE = {"ec2:DeleteSnapshot"}
# Asked of AWS by AWS itself when an account takes its first spot instance.
INDIRECT = {"iam:CreateServiceLinkedRole"}

STATEMENTS = json.loads((ROOT / "docs/iam-policy.json").read_text())["Statement"]


def test_policy_allows_just_what_is_done():
    looks = READS | READS_OF_DOWN | READS_THAT_MAY_LACK
    done = {*ACTIONS, *permissions.OF_RESIZE} | EXPIRY | looks | OF_PURGE | INDIRECT
    lists = [statement["Action"] for statement in STATEMENTS]
    assert done == {action for one in lists for action in ([one] if isinstance(one, str) else one)}
