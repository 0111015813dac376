# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
from little_ec2 import SPEC, Clock, Ec2, said

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import Caller, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import record as record
from ansible_collections.desi.lab.plugins.module_utils._ec2.launcher import Launcher

ANN = Caller("arn:aws:iam::123456784711:user/ann", "123456784711", "AIDAANN")
LAB = record.begin(ANN, "us-west-2", "desi", "ann")


@pytest.fixture
def folder(tmp_path):
    record.write(str(tmp_path), LAB)
    return str(tmp_path)


def test_what_is_written_is_read_and_for_nobody_else(folder, tmp_path):
    more = replace(LAB.with_resources([{"kind": "machine", "id": "i-1"}]), tokens=("t",), begun=("vpc-1/jupyter",))
    record.write(folder, more)
    assert record.read(folder) == more
    # One of before there were workers says nothing of them.
    lacking = {key: value for key, value in asdict(more).items() if not key.startswith("worker")}
    assert record.parse(json.dumps(lacking).encode()) == more
    assert (tmp_path / "made.json").stat().st_mode & 0o777 == 0o600


def test_age_of_a_record_is_never_negative_whatever_the_clock_says(folder, tmp_path):
    written = (tmp_path / "made.json").stat().st_mtime
    ages = [record.age(folder, written + passed) for passed in (30.0, 0.0, -600.0)]
    assert ages == [30.0, 0.0, 0.0]
    assert record.age(str(tmp_path / "none"), written) == float("inf")


def test_nothing_is_remembered_where_there_is_nothing(tmp_path):
    assert record.read("") is record.read(str(tmp_path)) is record.read(str(tmp_path / "none")) is None


@pytest.mark.security("M4")
@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "{" * 100_000,
        json.dumps({"account": 1}),
        json.dumps({**json.loads(json.dumps(LAB.__dict__)), "made": {"machine": "i-1"}}),
        json.dumps({**LAB.__dict__, "made": {"pet": []}}),
        json.dumps({**LAB.__dict__, "owner": "a\nb"}),
        json.dumps({**LAB.__dict__, "tokens": [["x"]]}),
        *(json.dumps({**LAB.__dict__, "workers": number}) for number in (-1, 257, True, "2", 1.5)),
    ],
)
def test_a_file_of_another_shape_is_refused_by_its_name(tmp_path, content):
    (tmp_path / "made.json").write_text(content)
    with pytest.raises(LabError, match=r"made\.json"):
        record.read(str(tmp_path))


@pytest.mark.security("M4")
def test_a_link_in_its_place_is_neither_read_nor_written_through(tmp_path, folder):
    target = tmp_path / "target"
    target.write_text("theirs")
    (tmp_path / "made.json").unlink()
    (tmp_path / "made.json").symlink_to(target)
    with pytest.raises(LabError):
        record.read(folder)
    record.write(folder, LAB)
    assert target.read_text() == "theirs"


@pytest.mark.security("A2")
@pytest.mark.parametrize(
    ("caller", "region", "word"),
    [
        (ANN._replace(account="210987659999"), "us-west-2", "…9999"),
        (ANN._replace(arn="arn:aws-cn:iam::123456784711:user/ann"), "us-west-2", "…4711"),
        (ANN, "eu-west-1", "eu-west-1"),
    ],
)
def test_others_than_those_who_made_it_are_told_both_and_what_to_do(caller, region, word):
    with pytest.raises(LabError) as caught:
        LAB.check(caller, region)
    assert "made by ann in account …4711" in caught.value.why
    assert word in caught.value.why
    assert "AWS_PROFILE=" in caught.value.do
    assert "123456784711" not in str(caught.value)


def test_another_user_of_the_same_account_may_look(folder):
    LAB.check(ANN._replace(arn="arn:aws:iam::123456784711:user/ben", user_id="AIDABEN"), "us-west-2")


@pytest.mark.security("M4")
def test_things_are_known_by_id_by_token_and_by_the_machine_that_they_belong_to():
    known = replace(LAB, tokens=("t",)).with_resources(
        [{"kind": "machine", "id": "i-1"}, {"kind": "disk", "id": "vol-1"}, {"kind": "security group", "id": "sg-1"}]
    )
    tags = [{"Key": key, "Value": value} for key, value in lab_tags("desi", "ann").items()]
    yes = [
        ("machine", {"InstanceId": "i-1"}),
        ("machine", {"InstanceId": "i-2", "ClientToken": "t"}),
        ("disk", {"VolumeId": "vol-1"}),
        ("disk", {"VolumeId": "vol-2", "Attachments": [{"InstanceId": "i-1"}]}),
        ("network interface", {"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-1"}}),
        ("address", {"AllocationId": "a", "InstanceId": "i-1"}),
        ("snapshot", {"SnapshotId": "snap-1", "VolumeId": "vol-1"}),
        ("security group", {"GroupId": "sg-1"}),
        ("key pair", {"KeyPairId": "key-9", "PublicKey": "ssh-ed25519 AAAA comment"}),
    ]
    no = [
        ("machine", {"InstanceId": "i-2", "ClientToken": "ABCDE", "Tags": tags, "KeyName": "desi-lab-desi"}),
        ("disk", {"VolumeId": "vol-2", "Attachments": [{"InstanceId": "i-2"}], "Tags": tags}),
        ("security group", {"GroupId": "sg-2", "GroupName": "jupyter", "Tags": tags}),
        ("key pair", {"KeyPairId": "key-9", "PublicKey": "ssh-ed25519 BBBB", "Tags": tags}),
        ("snapshot", {"SnapshotId": "snap-1", "VolumeId": "vol-9", "Tags": tags}),
        ("address", {"AllocationId": "a", "Tags": tags}),
    ]
    for kind, resource in yes:
        assert record.knows_resource(known, kind, resource, "ssh-ed25519 AAAA"), (kind, resource)
        assert not record.knows_resource(None, kind, resource, "ssh-ed25519 AAAA")
    for kind, resource in no:
        assert not record.knows_resource(known, kind, resource, "ssh-ed25519 AAAA"), (kind, resource)


# While a machine is launched


def launch(ec2, folder):
    clock = Clock()
    return Launcher(ec2, SPEC, "us-west-2", clock.sleep, clock, record.LaunchRecord(folder)).ensure()


@pytest.mark.security("M4")
def test_a_machine_is_remembered_before_it_is_asked_for_and_as_soon_as_it_is_there(folder):
    class Killed(Exception):
        pass

    class Region(Ec2):
        def run_instances(self, **parameters):
            assert parameters["ClientToken"] in record.read(folder).tokens
            super().run_instances(**parameters)
            # It is made, and whoever has asked for it is gone.
            self.instances[-1]["ClientToken"] = parameters["ClientToken"]
            raise Killed

    ec2 = Region(Clock())
    with pytest.raises(Killed):
        launch(ec2, folder)
    assert record.read(folder).ids("machine") == ()
    assert launch(ec2, folder).instance["id"] == "i-0"
    assert len(ec2.instances) == 1
    assert record.read(folder).ids("machine") == ("i-0",)
    ec2.instances[-1]["ClientToken"] = ""
    assert launch(ec2, folder).how == "runs"


@pytest.mark.security("M4")
def test_a_machine_of_somebody_else_with_our_tags_and_key_is_not_used(folder):
    ec2 = Ec2(Clock())
    ec2.instance(KeyName=SPEC.key_name, PublicIpAddress="203.0.113.66")
    with pytest.raises(LabError, match="was not made from this computer"):
        launch(ec2, folder)
    assert ec2.asked("run_instances") == ec2.asked("terminate_instances") == []


@pytest.mark.security("M4")
def test_a_machine_that_turns_up_with_our_tags_while_ours_is_made_is_not_used(folder):
    class Region(Ec2):
        def run_instances(self, **parameters):
            self.instance(LaunchTime="2026-01-01T00:00:00Z")
            return super().run_instances(**parameters)

    ec2 = Region(Clock())
    assert launch(ec2, folder).instance["id"] == "i-1"
    assert ec2.asked("terminate_instances") == []
    # Nor does it keep ours from being used.
    assert launch(ec2, folder).instance["id"] == "i-1"


@pytest.mark.security("M4")
def test_a_machine_that_somebody_else_made_by_our_token_is_not_ours(folder):
    ec2 = Ec2(Clock())
    ec2.answers = [said("IdempotentParameterMismatch")]
    found = launch(ec2, folder)
    [first, second] = [parameters["ClientToken"] for parameters in ec2.asked("run_instances")]
    assert first not in record.read(folder).tokens
    assert second in record.read(folder).tokens
    assert record.read(folder).ids("machine") == (found.instance["id"],)


def test_a_machine_that_an_earlier_run_made_by_our_token_stays_ours_where_another_is_asked_for(folder):
    lost, ec2 = Ec2(Clock()), Ec2(Clock())
    lost.answers = [said("InternalError", 500), said("UnauthorizedOperation", 403)]
    with pytest.raises(LabError):
        launch(lost, folder)
    [token] = record.read(folder).tokens
    ec2.answers = [said("IdempotentParameterMismatch")]
    launch(ec2, folder)
    assert token in record.read(folder).tokens


@pytest.mark.security("A2")
@pytest.mark.parametrize(
    ("answers", "left"),
    [
        # AWS has made nothing.
        ([said("UnauthorizedOperation", 403)], 0),
        ([said("InsufficientInstanceCapacity"), said("VcpuLimitExceeded")], 0),
        # Nobody knows whether it has.
        ([said("InternalError", 500), said("UnauthorizedOperation", 403)], 1),
    ],
)
def test_a_launch_is_remembered_until_it_is_known_what_became_of_it(folder, answers, left):
    ec2 = Ec2(Clock())
    ec2.answers = answers
    with pytest.raises(LabError):
        launch(ec2, folder)
    assert len(record.read(folder).tokens) == left


@pytest.mark.security("A2")
@pytest.mark.parametrize(
    ("made", "asked", "words"),
    [
        ("", "", ""),
        ("127.0.0.1:5000", "127.0.0.1:5000", ""),
        # A record of before it was kept.
        (None, "127.0.0.1:5000", ""),
        ("", "127.0.0.1:5000", "Unset AWS_ENDPOINT_URL"),
        ("127.0.0.1:5000", "", "Set AWS_ENDPOINT_URL to 127.0.0.1:5000"),
        ("127.0.0.1:5000", "127.0.0.1:6000", "Set AWS_ENDPOINT_URL to 127.0.0.1:5000"),
    ],
)
def test_another_endpoint_than_that_it_was_made_at_is_refused(made, asked, words):
    lab = record.parse(json.dumps({**asdict(LAB), "endpoint": made}).encode())
    try:
        lab.check(ANN, "us-west-2", asked)
        found = ""
    except LabError as error:
        found = error.do
    assert words in found
    assert bool(words) is bool(found)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://sts.us-west-2.amazonaws.com", ""),
        ("https://sts.cn-north-1.amazonaws.com.cn", ""),
        ("https://sts.us-west-2.api.aws", ""),
        ("https://sts.eusc-de-east-1.amazonaws.eu", ""),
        ("https://sts.us-iso-east-1.c2s.ic.gov", ""),
        ("http://ann:secret@127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://ann:secret/a@127.0.0.1:5000/x", "127.0.0.1:5000"),
        ("http://ann:1#secret@127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://ann:a?secret@b@sts.us-west-2.amazonaws.com", ""),
        ("http://[::1]:5000", "::1:5000"),
        ("https://amazonaws.com.example.org/x", "amazonaws.com.example.org"),
    ],
)
def test_what_answers_in_the_place_of_aws_is_told_from_aws(url, endpoint):
    client = SimpleNamespace(meta=SimpleNamespace(endpoint_url=url))
    assert record.endpoint_of(client) == endpoint


def test_record_that_cannot_be_read_is_none_for_whoever_only_looks(tmp_path):
    lab = tmp_path / "us-west-2" / "desi"
    lab.mkdir(parents=True)
    assert record.read_or_none(str(tmp_path), "us-west-2", "desi") is None
    record.write(str(lab), LAB)
    assert record.read_or_none(str(tmp_path), "us-west-2", "desi") == LAB
    assert record.read_or_none(str(lab)) == LAB
    assert record.read_or_none("", str(lab)) is record.read_or_none("") is None
    (lab / "made.json").write_text("{")
    assert record.read_or_none(str(lab)) is None
    (lab / "made.json").unlink()
    (lab / "made.json").mkdir()
    assert record.read_or_none(str(lab)) is None
