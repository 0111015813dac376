# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import plan, plan_report
from ansible_collections.desi.lab.plugins.module_utils._ec2.allowed_cidrs import Allowed
from ansible_collections.desi.lab.plugins.module_utils._ec2.discovery import AccountState, LabSpec

MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
ANN, BOB = "203.0.113.7/32", "198.51.100.4/32"
AMAZON = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
WANTED = LabSpec(
    name="desi",
    region="us-west-2",
    access="tunnel",
    port=8888,
    instance_types=["t2.micro"],
    disk_gib=30,
    os="amazon",
    allow_from=["auto"],
    security_group="jupyter",
    subnet="",
    spot=False,
    release="edr",
    public_key=MINE,
    prices={
        "date": "2025-07-01",
        "ipv4_hour": 0.005,
        "regions": {"us-west-2": {"gib_month": 0.08, "types": {"t2.micro": 0.0116, "t3.xlarge": 0.1664}}},
    },
)
TAGS = as_tag_list(lab_tags("desi", "ann"))


def described(name, memory=16384, vcpus=4, architecture="x86_64"):
    return {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": vcpus},
        "MemoryInfo": {"SizeInMiB": memory},
        "ProcessorInfo": {"SupportedArchitectures": [architecture]},
    }


def image(number="ami-1", size=8):
    return {
        "ImageId": number,
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": size}}],
    }


def seen(**more):
    """What AWS tells of an account with a default network and nothing of the lab."""
    return AccountState(
        **{
            "arn": "arn:aws:iam::123456784711:user/ann",
            "account": "123456784711",
            "vpcs": [{"VpcId": "vpc-1"}],
            "subnets": [
                {
                    "SubnetId": f"subnet-{letter}",
                    "AvailabilityZone": f"us-west-2{letter}",
                    "VpcId": "vpc-1",
                    "MapPublicIpOnLaunch": True,
                }
                for letter in "ab"
            ],
            "types": [described("t2.micro", 1024, 1)],
            "offered": {"t2.micro": {"us-west-2a", "us-west-2b"}},
            "parameters": {f"{AMAZON}x86_64": "ami-1"},
            "images": [image()],
            "quotas": {"L-1216C47A": 32.0},
            **more,
        }
    )


def machine(state="running", number=1, tags=None, **more):
    return {
        "InstanceId": f"i-{number}",
        "State": {"Name": state},
        "InstanceType": "t2.micro",
        "KeyName": "desi-lab-desi",
        "VpcId": "vpc-1",
        "SubnetId": "subnet-a",
        "ImageId": "ami-0",
        "RootDeviceName": "/dev/xvda",
        "PublicIpAddress": "192.0.2.9",
        "SecurityGroups": [{"GroupId": "sg-1"}],
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1"}}],
        "Tags": [*TAGS, *as_tag_list({f"desi-lab:{key}": value for key, value in (tags or {}).items()})],
        **more,
    }


KEY = {"KeyName": "desi-lab-desi", "KeyPairId": "key-1", "PublicKey": MINE, "Tags": TAGS}


def group(cidr=ANN):
    rule = {"CidrIp": cidr, "Description": "Allow SSH access to the instance"}
    out = {"CidrIp": "0.0.0.0/0", "Description": "Allow instance to access the whole internet"}
    return {
        "GroupName": "jupyter",
        "GroupId": "sg-1",
        "VpcId": "vpc-1",
        "Description": "as it was made",
        "Tags": TAGS,
        "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [rule]}],
        "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [out]}],
    }


SETTLED = {"named": [machine()], "keys": [KEY], "groups": [group()], "volumes": [{"VolumeId": "vol-1", "Size": 30}]}


def result(wanted=WANTED, account=None, cidrs=(ANN,), notes=()):
    account = account or seen()
    plan.check(wanted)
    draft = plan.begin(wanted, account)
    if draft.instance is None:
        plan.place(wanted, account, draft)
    decided = plan.decide(wanted, account, draft, Allowed(list(cidrs), list(notes)))
    return plan_report.result(wanted, decided, account.account, cidrs)


def texts(found, label):
    return [line["text"] for line in found["lines"] if line["label"] == label]


# A first run


def test_first_run_makes_everything_and_tells_it_as_people_read_it():
    found = result()
    assert [(line["label"], line["text"]) for line in found["lines"]] == [
        ("Plan", 'for lab "desi" in us-west-2 (account …4711, user ann)'),
        (
            "make",
            f"key pair desi-lab-desi · security group jupyter: 22 from {ANN} · t2.micro, 30 GiB encrypted",
        ),
        ("cost", "0.020 USD an hour running · 2.40 USD a month stopped"),
        ("safety", "stops by itself after 60 idle minutes, and anyway after 12 hours"),
        (
            "note",
            "t2.micro has 1 GiB: catalogs and single HDUs. Whole coadds want 16 GiB: -e lab_instance_type=t3.xlarge",
        ),
    ]
    assert found["changes"] == [
        "key pair desi-lab-desi",
        f"security group jupyter: 22 from {ANN}",
        "t2.micro, 30 GiB encrypted",
    ]


def test_first_run_gives_all_that_later_steps_need():
    found = result()
    assert (found["owner"], found["account_end"], found["region"]) == ("ann", "4711", "us-west-2")
    assert found["tags"] == {"desi-lab:name": "desi", "desi-lab:owner": "ann", "Name": "desi-lab-desi"}
    assert found["machine_tags"] == {
        "desi-lab:os": "amazon",
        "desi-lab:release": "edr",
        "desi-lab:access": "tunnel",
        "desi-lab:port": "8888",
    }
    assert found["key"] == {"name": "desi-lab-desi", "id": "", "action": "import", "import": True}
    assert found["group"]["rules"] == [
        {
            "proto": "tcp",
            "from_port": 22,
            "to_port": 22,
            "cidr_ip": [ANN],
            "rule_desc": "Allow SSH access to the instance",
        }
    ]
    assert found["group"]["how"] == f"22 from {ANN}"
    assert found["machine"]["state"] == "absent"
    assert found["image"] == {"id": "ami-1", "root_device": "/dev/xvda", "user": "ec2-user"}
    assert found["launch"] == {
        "attempts": [
            {"type": "t2.micro", "zone": zone, "subnet_id": f"subnet-{zone[-1]}", "market": "on-demand"}
            for zone in ("us-west-2a", "us-west-2b")
        ],
        "disk_gib": 30,
    }
    assert found["cost"]["text"] == "0.020 USD an hour running"
    assert found["allow_from"] == [ANN]


def test_key_that_is_not_here_yet_is_brought_to_aws_too():
    found = result(replace(WANTED, public_key=""))
    assert (found["key"]["action"], found["key"]["import"]) == ("make", True)


def test_disk_is_as_large_as_the_image_and_that_is_said():
    found = result(replace(WANTED, disk_gib=8), seen(images=[image(size=15)]))
    assert found["launch"]["disk_gib"] == 15
    assert "t2.micro, 15 GiB encrypted" in found["changes"]
    assert "The disk is 15 GiB, because the system's image is no smaller." in found["notes"]


def test_whole_account_is_told_nowhere():
    assert "123456784711" not in str(result())


def test_root_user_is_let_through_and_warned():
    found = result(account=seen(arn="arn:aws:iam::123456784711:root"))
    assert found["owner"] == "root"
    assert any("root user" in note for note in found["notes"])


def test_caller_who_is_nobody_is_refused():
    with pytest.raises(LabError, match="names nobody"):
        result(account=seen(arn="nonsense"))


def test_notes_of_the_range_and_of_what_aws_did_not_tell_are_passed_on_once():
    found = result(account=seen(notes=["b", "a"]), notes=["a"])
    assert found["notes"][-2:] == ["a", "b"]
    assert texts(found, "note") == found["notes"]


# Several ways to have a machine


SEVERAL = replace(WANTED, instance_types=["t3.xlarge", "t2.micro", "t3.xlarge"])
BOTH = {
    "types": [described("t2.micro", 1024, 1), described("t3.xlarge")],
    "offered": {"t2.micro": {"us-west-2a"}, "t3.xlarge": {"us-west-2b"}},
}


def test_alternatives_are_tried_in_order_and_told():
    found = result(SEVERAL, seen(**BOTH))
    assert [attempt["type"] for attempt in found["launch"]["attempts"]] == ["t3.xlarge", "t2.micro"]
    assert found["changes"][-1] == "t3.xlarge or else t2.micro, 30 GiB encrypted"
    assert found["cost"]["types"] == {"t3.xlarge": 0.1747, "t2.micro": 0.0199}
    assert found["cost"]["hour"] == 0.1747


def test_spot_is_told_with_the_most_that_it_costs():
    found = result(replace(WANTED, spot=True))
    assert [attempt["market"] for attempt in found["launch"]["attempts"]] == ["spot", "spot", "on-demand", "on-demand"]
    assert found["changes"][-1] == "t2.micro, spot or else on demand, 30 GiB encrypted"
    assert found["cost"]["text"].startswith("at most ")


def test_spot_that_the_quota_has_no_room_for_is_not_promised():
    found = result(replace(WANTED, spot=True), seen(quotas={"L-1216C47A": 32.0, "L-34B43A08": 0.0}))
    assert found["changes"][-1] == "t2.micro, 30 GiB encrypted"
    assert any("L-34B43A08" in note for note in found["notes"])


def test_alternative_with_another_processor_is_left_out_and_said():
    both = {**BOTH, "types": [described("t2.micro", 1024, 1, "arm64"), described("t3.xlarge")]}
    found = result(SEVERAL, seen(**both))
    assert [attempt["type"] for attempt in found["launch"]["attempts"]] == ["t3.xlarge"]
    assert any(note.startswith("t2.micro is left out: its processor is arm64") for note in found["notes"])


def test_cost_and_size_are_told_of_the_type_that_is_tried_first():
    found = result(SEVERAL, seen(**BOTH, quotas={"L-1216C47A": 2.0}))
    assert [attempt["type"] for attempt in found["launch"]["attempts"]] == ["t2.micro"]
    assert found["cost"]["text"] == "0.020 USD an hour running"
    assert any(note.startswith("t2.micro has 1 GiB") for note in found["notes"])


def test_arm_machine_is_made_from_an_arm_image():
    account = seen(
        types=[described("t4g.micro", 1024, 2, "arm64")],
        offered={"t4g.micro": {"us-west-2a"}},
        parameters={f"{AMAZON}arm64": "ami-2", f"{AMAZON}x86_64": "ami-1"},
        images=[image("ami-2")],
    )
    assert result(replace(WANTED, instance_types=["t4g.micro"]), account)["image"]["id"] == "ami-2"


# A machine that is there


def test_second_run_has_nothing_to_do():
    found = result(account=seen(**SETTLED))
    assert found["changes"] == found["notes"] == []
    assert texts(found, "make") == texts(found, "start") == texts(found, "change") == []
    assert texts(found, "keep") == [
        f"key pair desi-lab-desi · security group jupyter: 22 from {ANN} · t2.micro i-1, 30 GiB"
    ]
    assert (found["machine"]["state"], found["machine"]["id"], found["machine"]["address"]) == (
        "running",
        "i-1",
        "192.0.2.9",
    )
    assert found["group"]["description"] == "as it was made"
    assert found["launch"]["attempts"] == []


def test_second_run_needs_no_image_no_network_and_no_quota():
    bare = {"vpcs": [], "subnets": [], "offered": {}, "parameters": {}, "images": [], "quotas": {"L-1216C47A": 0.0}}
    assert result(account=seen(**{**SETTLED, **bare}))["changes"] == []


@pytest.mark.parametrize("state", ["stopping", "stopped"])
def test_stopped_machine_is_started(state):
    found = result(account=seen(**{**SETTLED, "named": [machine(state)]}))
    assert found["changes"] == ["start t2.micro i-1, 30 GiB"]
    assert texts(found, "start") == ["t2.micro i-1, 30 GiB"]
    assert "i-1" not in texts(found, "keep")[0]


def test_stopped_machine_that_the_quota_has_no_room_for_is_refused():
    with pytest.raises(LabError, match="L-1216C47A"):
        result(account=seen(**{**SETTLED, "named": [machine("stopped")], "quotas": {"L-1216C47A": 0.0}}))


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_machine_that_is_given_up_does_not_count(state):
    found = result(account=seen(**{**SETTLED, "named": [machine(state)]}))
    assert found["machine"]["state"] == "absent"
    assert any("just being deleted" in note for note in found["notes"]) is (state == "shutting-down")


def test_several_machines_are_refused_by_their_names():
    with pytest.raises(LabError) as caught:
        result(account=seen(named=[machine(), machine("stopped", 2)]))
    assert "i-1" in str(caught.value)
    assert "i-2" in str(caught.value)


def test_lab_of_somebody_else_with_the_same_name_is_left_alone_and_said():
    other = machine(Tags=as_tag_list(lab_tags("desi", "bob")))
    found = result(account=seen(named=[other]))
    assert found["machine"]["state"] == "absent"
    assert "bob has a lab desi in this account, too. It is left alone." in found["notes"]


def test_new_address_is_a_change():
    found = result(account=seen(**{**SETTLED, "groups": [group(BOB)]}))
    assert found["changes"] == [f"security group jupyter: 22 from {ANN} instead of 22 from {BOB}"]
    assert texts(found, "change") == found["changes"]
    assert found["group"]["how"] == f"22 from {ANN} instead of 22 from {BOB}"


def test_way_in_that_is_closed_is_a_change():
    account = seen(**{**SETTLED, "groups": [group()]})
    text = "Open TCP port for Jupyter server"
    rule = {"IpProtocol": "tcp", "FromPort": 8888, "ToPort": 8888, "IpRanges": [{"CidrIp": ANN, "Description": text}]}
    account.groups[0]["IpPermissions"].append(rule)
    assert result(account=account)["changes"] == [f"security group jupyter: no longer lets in 8888 from {ANN}"]


def test_description_that_is_missing_is_a_change():
    account = seen(**SETTLED)
    account.groups = [{**group(), "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}]
    found = result(account=account)
    assert found["changes"] == ["security group jupyter: descriptions of its rules"]
    assert "security group" not in texts(found, "keep")[0]


def test_disk_that_aws_does_not_tell_is_not_called_small():
    found = result(account=seen(**{**SETTLED, "volumes": []}))
    assert found["notes"] == []
    assert found["machine"]["disk_gib"] == 0
    assert found["cost"]["month_stopped"] == 2.4


def test_other_way_in_is_a_change_and_changes_the_tags():
    found = result(replace(WANTED, access="https"), seen(**SETTLED))
    assert found["changes"] == [f"security group jupyter: lets in 443 from {ANN}"]
    assert found["machine"]["retag"]["desi-lab:access"] == "https"


def test_tags_that_tell_the_truth_are_not_set_again():
    tags = {"os": "amazon", "release": "edr", "access": "tunnel", "port": "8888"}
    assert result(account=seen(**{**SETTLED, "named": [machine(tags=tags)]}))["machine"]["retag"] == {}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"instance_types": ["t3.xlarge", "t3a.xlarge"]}, "a t2.micro, not a t3.xlarge or t3a.xlarge"),
        ({"disk_gib": 64}, "with 30 GiB of disk, not 64"),
        ({"subnet": "subnet-b"}, "in subnet-a, not in subnet-b"),
    ],
)
def test_machine_stays_what_it_is_and_the_difference_is_said(more, said):
    found = result(replace(WANTED, **more), seen(**SETTLED))
    assert found["changes"] == []
    assert any(said in note for note in found["notes"])


def test_system_of_the_machine_decides_who_enters():
    account = seen(**{**SETTLED, "named": [machine(tags={"os": "ubuntu"})]})
    found = result(account=account)
    assert found["image"] == {"id": "ami-0", "root_device": "/dev/xvda", "user": "ubuntu"}
    assert any("the system ubuntu, not amazon" in note for note in found["notes"])


def test_machine_without_the_group_of_the_lab_is_said():
    found = result(account=seen(**{**SETTLED, "named": [machine(SecurityGroups=[{"GroupId": "sg-9"}])]}))
    assert any("not in the security group jupyter" in note for note in found["notes"])


def test_machine_that_cannot_be_entered_is_refused():
    with pytest.raises(LabError, match="cannot be entered"):
        result(replace(WANTED, public_key=""), seen(**SETTLED))


# Going on after a failure


def test_run_goes_on_with_what_an_earlier_one_made():
    found = result(account=seen(keys=[KEY], groups=[group()]))
    assert found["changes"] == ["t2.micro, 30 GiB encrypted"]
    assert texts(found, "keep") == [f"key pair desi-lab-desi · security group jupyter: 22 from {ANN}"]


# Settings that cannot work


@pytest.mark.parametrize(
    "more",
    [
        {"instance_types": []},
        {"instance_types": ["micro"]},
        {"disk_gib": 0},
        {"public_key": "ssh-dss AAAA"},
        {"security_group": "sg-1"},
        {"allow_from": []},
        {"allow_from": ["auto", "home"]},
        {"access": "direct", "port": 22},
    ],
)
def test_settings_that_cannot_work_are_refused_before_aws_is_asked(more):
    with pytest.raises(LabError):
        plan.check(replace(WANTED, **more))


def test_settings_that_can_work_are_not_refused():
    plan.check(WANTED)
    plan.check(replace(WANTED, port=22))


# Dry runs


def test_launch_is_tried_as_it_will_be_done_but_without_what_does_not_exist_yet():
    account = seen()
    draft = plan.begin(WANTED, account)
    plan.place(WANTED, account, draft)
    launch = plan.things(WANTED, account, draft).launch
    assert launch["InstanceType"] == "t2.micro"
    assert launch["ImageId"] == "ami-1"
    assert launch["MetadataOptions"]["HttpTokens"] == "required"
    assert {spec["ResourceType"] for spec in launch["TagSpecifications"]} >= {"instance", "volume"}
    assert not {"KeyName", "ClientToken"} & set(launch)
    assert "Groups" not in launch["NetworkInterfaces"][0]


def test_things_that_are_there_are_tried_themselves():
    account = seen(**SETTLED)
    things = plan.things(WANTED, account, plan.begin(WANTED, account))
    assert (things.machine_id, things.group_id, things.key_name) == ("i-1", "sg-1", "desi-lab-desi")
    assert things.launch == {}


def test_things_of_others_are_never_tried():
    account = seen(keys=[{**KEY, "Tags": []}], groups=[{**group(), "Tags": []}])
    draft = plan.begin(WANTED, account)
    plan.place(WANTED, account, draft)
    things = plan.things(WANTED, account, draft)
    assert (things.machine_id, things.group_id, things.key_name) == ("", "", "")
