# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from dataclasses import replace

import pytest
from botocore import exceptions as boto
from little_ec2 import Clock, said

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import Caller, as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2 import deletion_proof as gone
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import begin
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import ResourceQuery

pytestmark = pytest.mark.security("A2")

ANN = Caller("arn:aws:iam::123456784711:user/ann", "123456784711", "AIDAANN")
LAB = begin(ANN, "us-west-2", "desi", "ann").with_resources([{"kind": "machine", "id": "i-0abc12345"}])


class Ec2:
    """Answers each question in one way."""

    def __init__(self, answer):
        self.answer = answer

    def __getattr__(self, operation):
        def ask(**parameters):
            assert len(next(iter(parameters.values()))) == 1
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return ask


def instance(state, number="i-0abc12345"):
    return {"Reservations": [{"Instances": [{"InstanceId": number, "State": {"Name": state}}]}]}


@pytest.mark.parametrize("answer", [instance("terminated"), said("InvalidInstanceID.NotFound")])
def test_a_machine_is_gone_if_aws_says_so_of_its_id(answer):
    assert gone.deletion_doubt(Ec2(answer), "", LAB, ANN) == ""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "does not say what became"),
        ({"Reservations": []}, "does not say what became"),
        (instance("terminated", "i-0fff00000"), "does not say what became"),
        (instance("running"), "still there"),
        (instance("shutting-down"), "still there"),
    ],
)
def test_an_answer_that_does_not_say_so_is_no_proof(answer, words):
    assert words in gone.deletion_doubt(Ec2(answer), "", LAB, ANN)


@pytest.mark.parametrize(
    "failure",
    [
        said("UnauthorizedOperation", 403),
        said("InternalError", 500),
        said("InvalidVolume.NotFound"),
        boto.EndpointConnectionError(endpoint_url="https://ec2.us-west-2.amazonaws.com"),
    ],
)
def test_trouble_is_no_proof_either(failure):
    with pytest.raises(type(failure)):
        gone.deletion_doubt(Ec2(failure), "", LAB, ANN)


@pytest.mark.parametrize(
    ("kind", "number", "absent"),
    [
        ("disk", "vol-1", "InvalidVolume.NotFound"),
        ("security group", "sg-1", "InvalidGroup.NotFound"),
        ("spot request", "sir-1", "InvalidSpotInstanceRequestID.NotFound"),
        ("key pair", "key-1", "InvalidKeyPair.NotFound"),
    ],
)
def test_the_rest_is_asked_for_by_id_too(kind, number, absent):
    lab = begin(ANN, "us-west-2", "desi", "ann").with_resources([{"kind": kind, "id": number}])
    assert gone.deletion_doubt(Ec2(said(absent)), "", lab, ANN) == ""
    assert ("does not say" in gone.deletion_doubt(Ec2({}), "", lab, ANN)) is (kind not in ("spot request", "key pair"))
    with pytest.raises(boto.ClientError):
        gone.deletion_doubt(Ec2(said("InvalidInstanceID.NotFound")), "", lab, ANN)


# What AWS does not find by its tags yet

OURS = {"Tags": as_tag_list(lab_tags("desi", "ann"))}
RUNS = {"InstanceId": "i-0abc12345", "State": {"Name": "running"}, **OURS}
NOTHING = {"Reservations": []}


def here(**more):
    return {"Reservations": [{"Instances": [{**RUNS, **more}]}]}


class Late:
    """EC2 that finds instances by their tags after so many seconds, and answers in one way for an id."""

    def __init__(self, clock, appears, by_id):
        self.clock, self.appears, self.by_id = clock, clock() + appears, by_id

    def can_paginate(self, operation):
        return False

    def describe_instances(self, Filters=None, InstanceIds=None):
        if Filters:
            return here() if self.clock() >= self.appears else NOTHING
        if isinstance(self.by_id, Exception):
            raise self.by_id
        return self.by_id


ABSENT = said("InvalidInstanceID.NotFound")
BEGUN = replace(begin(ANN, "us-west-2", "desi", "ann"), tokens=("t",))


@pytest.mark.parametrize(
    ("lab", "by_id", "appears", "age", "found", "waited"),
    [
        (LAB, here(), 60, 0, True, 0),
        (LAB, ABSENT, 3, 0, True, 3),
        (BEGUN, NOTHING, 3, 0, True, 3),
        (LAB, ABSENT, 60, 5, False, 15),
        (BEGUN, NOTHING, 60, 5, False, 15),
        # AWS has had the time to find it.
        (LAB, ABSENT, 60, 3600, False, 0),
        # It says what became of it.
        (LAB, here(State={"Name": "terminated"}), 60, 0, False, 0),
        (LAB, here(Tags=[]), 60, 0, False, 0),
        # Nothing was launched.
        (begin(ANN, "us-west-2", "desi", "ann"), NOTHING, 60, 0, False, 0),
    ],
)
def test_what_is_recorded_is_asked_for_by_its_id_and_waited_for_if_it_was_made_just_now(
    lab, by_id, appears, age, found, waited
):
    clock = Clock()
    begun = clock()
    query = ResourceQuery(Late(clock, appears, by_id), "ann", "desi", clock.sleep, clock)
    answer = gone.with_recorded(query, {"machine": []}, lab, age)["machine"]
    assert ([one["InstanceId"] for one in answer] == ["i-0abc12345"]) is found
    assert clock() - begun == waited


# A lab of 0.1.0, of which nothing is remembered


@pytest.fixture
def old(tmp_path):
    (tmp_path / "id_ed25519").write_text("secret")
    (tmp_path / "id_ed25519.pub").write_text("ssh-ed25519 AAAA desi-lab desi\n")
    return tmp_path


def test_without_a_machine_to_ask_for_the_key_stays(old):
    assert "does not remember who made it, and ann in account …4711" in gone.deletion_doubt(
        Ec2({}), str(old), None, ANN
    )


def test_a_folder_without_a_key_has_nothing_to_lose(tmp_path):
    assert gone.deletion_doubt(Ec2({}), str(tmp_path), None, ANN) == gone.deletion_doubt(Ec2({}), "", None, ANN) == ""


@pytest.mark.parametrize(
    ("answer", "may_go"),
    [
        (instance("terminated"), True),
        (said("InvalidInstanceID.NotFound"), False),
        (instance("running"), False),
        ({}, False),
    ],
)
def test_its_machine_is_asked_for_by_the_id_in_its_ssh_configuration(old, answer, may_go):
    (old / "ssh_config").write_text("Host desi-desi\n    HostKeyAlias i-0abc12345\n")
    assert (gone.deletion_doubt(Ec2(answer), str(old), None, ANN) == "") is may_go
    # Who has lost the key knows by the rest where the machine was.
    (old / "id_ed25519").unlink()
    assert (gone.deletion_doubt(Ec2(answer), str(old), None, ANN) == "") is may_go


def test_what_is_found_is_the_lab_of_a_folder_by_its_machine_or_its_key(old, tmp_path):
    def key(*materials):
        return {"key pair": [{"PublicKey": f"{material} a comment"} for material in materials]}

    machine = {"machine": [{"InstanceId": "i-0abc12345"}]}
    assert gone.fits(str(old), key("ssh-ed25519 AAAA"))
    assert not gone.fits(str(old), {**machine, **key("ssh-ed25519 BBBB", "")})
    (old / "ssh_config").write_text("Host desi-desi\n    HostKeyAlias i-0abc12345\n")
    assert gone.fits(str(old), machine)
    assert gone.fits(str(tmp_path / "none"), {})


def test_what_a_launch_without_an_answer_brought_along_is_as_known_as_its_machine():
    tags = as_tag_list(lab_tags("desi", "ann"))
    machine = {"InstanceId": "i-0cut00000", "ClientToken": "token", "State": {"Name": "running"}, "Tags": tags}
    disk = {"VolumeId": "vol-1", "State": "in-use", "Attachments": [{"InstanceId": "i-0cut00000"}], "Tags": tags}
    found = {"machine": [machine], "disk": [disk]}
    known = {row["id"]: row["known"] for row in gone.known_rows(found, replace(LAB, tokens=("token",)), "")}
    assert known == {"i-0cut00000": True, "vol-1": True}
    assert not any(row["known"] for row in gone.known_rows(found, LAB, ""))
