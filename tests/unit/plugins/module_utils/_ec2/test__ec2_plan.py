# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from dataclasses import replace

import pytest
from little_ec2 import described, image, subnet

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import plan, plan_report
from ansible_collections.desi.lab.plugins.module_utils._ec2.allowed_cidrs import Allowed
from ansible_collections.desi.lab.plugins.module_utils._ec2.discovery import AccountState, LabSpec

MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
ANN, BOB = "203.0.113.7/32", "198.51.100.4/32"
AMAZON = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
HERE = {"gib_month": 0.08, "types": {"t2.micro": 0.0116, "t3.xlarge": 0.1664}}
SPEC = LabSpec(
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
    prices={"date": "2025-07-01", "ipv4_hour": 0.005, "regions": {"us-west-2": HERE}},
)
TAGS = as_tag_list(lab_tags("desi", "ann"))
QUOTA, SPOT_QUOTA = "L-1216C47A", "L-34B43A08"


def seen(**more):
    """What AWS tells of an account with a default network and nothing of the lab."""
    usual = {
        "arn": "arn:aws:iam::123456784711:user/ann",
        "account": "123456784711",
        "vpcs": [{"VpcId": "vpc-1"}],
        "subnets": [subnet("a"), subnet("b")],
        "types": [described("t2.micro", 1024, 1)],
        "offered": {"t2.micro": {"us-west-2a", "us-west-2b"}},
        "parameters": {f"{AMAZON}x86_64": "ami-1"},
        "images": [image()],
        "quotas": {QUOTA: 32.0},
    }
    return AccountState(**{**usual, **more})


def instance(state="running", number=1, tags=None, **more):
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


def tcp(port, cidr=ANN, text="Allow SSH access to the instance"):
    peer = {"CidrIp": cidr, **({"Description": text} if text else {})}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [peer]}


def group(*rules, **more):
    out = {"CidrIp": "0.0.0.0/0", "Description": "Allow instance to access the whole internet"}
    named = {"GroupName": "jupyter", "GroupId": "sg-1", "VpcId": "vpc-1", "Description": "as it was made"}
    egress = [{"IpProtocol": "-1", "IpRanges": [out]}]
    return {**named, "Tags": TAGS, "IpPermissions": list(rules or [tcp(22)]), "IpPermissionsEgress": egress, **more}


SETTLED = {"named": [instance()], "keys": [KEY], "groups": [group()], "volumes": [{"VolumeId": "vol-1", "Size": 30}]}


def settled(**more):
    return seen(**{**SETTLED, **more})


def result(spec=SPEC, account=None, cidrs=(ANN,), notes=()):
    account = account or seen()
    plan.check(spec)
    draft = plan.begin(spec, account)
    if draft.instance is None:
        plan.place(spec, account, draft)
    decided = plan.decide(spec, account, draft, Allowed(list(cidrs), list(notes)))
    return plan_report.result(spec, decided, account.account)


def texts(found, label):
    return [line["text"] for line in found["lines"] if line["label"] == label]


def noted(found, words):
    return any(words in note for note in found["notes"])


# A first run


def test_first_run_makes_everything_and_reports_it():
    found = result()
    made = ["key pair desi-lab-desi", f"security group jupyter: 22 from {ANN}", "t2.micro, 30 GiB encrypted"]
    note = "t2.micro has 1 GiB: catalogs and single HDUs. Whole coadds want 16 GiB: -e lab_instance_type=m7i.xlarge"
    assert found["changes"] == made
    assert [(line["label"], line["text"]) for line in found["lines"]] == [
        ("Plan", 'for lab "desi" in us-west-2 (account …4711, user ann)'),
        ("make", " · ".join(made)),
        ("cost", "0.020 USD an hour running · 2.40 USD a month stopped"),
        ("safety", "stops by itself after 60 idle minutes, and anyway after 12 hours"),
        ("note", note),
    ]
    assert "123456784711" not in str(found)


def test_first_run_returns_all_that_later_steps_need():
    found = result()
    assert found["owner"] == "ann"
    assert found["tags"] == {"desi-lab:name": "desi", "desi-lab:owner": "ann", "Name": "desi-lab-desi"}
    facts = {"os": "amazon", "release": "edr", "access": "tunnel", "port": "8888"}
    assert found["machine_tags"] == {f"desi-lab:{key}": value for key, value in facts.items()}
    assert found["key"] == {"name": "desi-lab-desi", "id": "", "action": "import", "import": True}
    rule = {"proto": "tcp", "from_port": 22, "to_port": 22, "cidr_ip": [ANN]}
    assert found["group"]["rules"] == [{**rule, "rule_desc": "Allow SSH access to the instance"}]
    assert found["group"]["how"] == f"22 from {ANN}"
    assert found["machine"]["state"] == "absent"
    assert found["image"] == {"id": "ami-1", "root_device": "/dev/xvda", "user": "ec2-user"}
    attempts = [
        {"type": "t2.micro", "zone": f"us-west-2{letter}", "subnet_id": f"subnet-{letter}", "market": "on-demand"}
        for letter in "ab"
    ]
    assert found["launch"] == {"attempts": attempts, "disk_gib": 30}
    assert found["cost"]["text"] == "0.020 USD an hour running"
    assert {cidr for rule in found["group"]["rules"] for cidr in rule["cidr_ip"]} == {ANN}
    key = result(replace(SPEC, public_key=""))["key"]
    assert (key["action"], key["import"]) == ("make", True)


def test_disk_is_as_large_as_the_image_and_that_is_said():
    found = result(replace(SPEC, disk_gib=8), seen(images=[image(size=15)]))
    assert found["launch"]["disk_gib"] == 15
    assert "t2.micro, 15 GiB encrypted" in found["changes"]
    assert noted(found, "The disk is 15 GiB, because the system's image is no smaller.")


def test_root_user_is_let_through_and_warned_and_nobody_is_refused():
    found = result(account=seen(arn="arn:aws:iam::123456784711:root"))
    assert found["owner"] == "root"
    assert noted(found, "root user")
    with pytest.raises(LabError, match="names nobody"):
        result(account=seen(arn="nonsense"))


def test_notes_of_the_range_and_of_what_aws_did_not_tell_are_passed_on_once():
    found = result(account=seen(notes=["b", "a"]), notes=["a"])
    assert found["notes"][-2:] == ["a", "b"]
    assert texts(found, "note") == found["notes"]


# Several ways to have an instance


SEVERAL = replace(SPEC, instance_types=["t3.xlarge", "t2.micro", "t3.xlarge"])
BOTH = {
    "types": [described("t2.micro", 1024, 1), described("t3.xlarge")],
    "offered": {"t2.micro": {"us-west-2a"}, "t3.xlarge": {"us-west-2b"}},
}


def tried(found, key="type"):
    return [attempt[key] for attempt in found["launch"]["attempts"]]


def test_alternatives_are_tried_in_order_and_told():
    found = result(SEVERAL, seen(**BOTH))
    assert tried(found) == ["t3.xlarge", "t2.micro"]
    assert found["changes"][-1] == "t3.xlarge or else t2.micro, 30 GiB encrypted"
    assert found["cost"]["types"] == {"t3.xlarge": 0.1747, "t2.micro": 0.0199}
    assert found["cost"]["hour"] == 0.1747


@pytest.mark.parametrize(
    ("quotas", "markets", "text"),
    [
        ({}, ["spot"] * 2 + ["on-demand"] * 2, "t2.micro, spot or else on demand, 30 GiB encrypted"),
        ({SPOT_QUOTA: 0.0}, ["on-demand"] * 2, "t2.micro, 30 GiB encrypted"),
    ],
)
def test_spot_is_told_with_the_most_that_it_costs_and_not_promised_beyond_its_quota(quotas, markets, text):
    found = result(replace(SPEC, spot=True), seen(quotas={QUOTA: 32.0, **quotas}))
    assert tried(found, "market") == markets
    assert found["changes"][-1] == text
    assert found["cost"]["text"].startswith("at most ") is ("spot" in markets)
    assert noted(found, SPOT_QUOTA) is ("spot" not in markets)


def test_alternative_with_another_processor_is_left_out_and_said():
    both = {**BOTH, "types": [described("t2.micro", 1024, 1, ("arm64",)), described("t3.xlarge")]}
    found = result(SEVERAL, seen(**both))
    assert tried(found) == ["t3.xlarge"]
    assert noted(found, "t2.micro is left out: its processor is arm64")


def test_cost_and_size_are_told_of_the_type_that_is_tried_first():
    found = result(SEVERAL, seen(**BOTH, quotas={QUOTA: 2.0}))
    assert tried(found) == ["t2.micro"]
    assert found["cost"]["text"] == "0.020 USD an hour running"
    assert noted(found, "t2.micro has 1 GiB")


def test_arm_instance_is_made_from_an_arm_image():
    account = seen(
        types=[described("t4g.micro", 1024, 2, ("arm64",))],
        offered={"t4g.micro": {"us-west-2a"}},
        parameters={f"{AMAZON}arm64": "ami-2", f"{AMAZON}x86_64": "ami-1"},
        images=[image("ami-2")],
    )
    assert result(replace(SPEC, instance_types=["t4g.micro"]), account)["image"]["id"] == "ami-2"


def test_embedded_image_is_refused_on_arm_before_anything_is_made():
    account = seen(types=[described("t4g.micro", 1024, 2, ("arm64",))])
    with pytest.raises(LabError, match="cannot be built on t4g") as caught:
        result(replace(SPEC, instance_types=["t4g.micro"], image="embedded"), account)
    assert "-e lab_instance_type=t3.xlarge" in caught.value.do


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({"data": "/data/desi"}, "lab_data=/data/desi"),
        ({"memory": "1GiB"}, "lab_memory=1GiB cannot run on t2.micro"),
        ({"memory": "8 GiB", "cpus": 1}, "lab_memory=8 GiB"),
        ({"cpus": 1.5}, "lab_cpus=1.5"),
    ],
)
def test_new_instance_that_could_not_have_the_lab_is_refused_before_anything_is_made(needs, said):
    spec = replace(SPEC, needs=needs)
    with pytest.raises(LabError, match=said):
        result(spec)
    assert result(spec, settled())["changes"] == []


def test_new_instance_has_what_the_lab_needs():
    assert result(replace(SPEC, needs={"data": "s3", "memory": "900MiB", "cpus": 1}))["changes"]
    assert result(replace(SPEC, needs={"data": "sample", "memory": "", "cpus": 0}))["changes"]


# An instance that is there


def test_second_run_has_nothing_to_do():
    # It needs no image, no network and no quota.
    bare = {"vpcs": [], "subnets": [], "offered": {}, "parameters": {}, "images": [], "quotas": {QUOTA: 0.0}}
    for account in (settled(), settled(**bare)):
        found = result(account=account)
        assert found["changes"] == found["notes"] == []
        assert texts(found, "make") == texts(found, "start") == texts(found, "change") == []
        [kept] = texts(found, "keep")
        assert kept == f"key pair desi-lab-desi · security group jupyter: 22 from {ANN} · t2.micro i-1, 30 GiB"
    assert [found["machine"][key] for key in ("state", "id", "address")] == ["running", "i-1", "192.0.2.9"]
    assert found["group"]["description"] == "as it was made"
    assert found["launch"]["attempts"] == []


@pytest.mark.parametrize("state", ["stopping", "stopped"])
def test_stopped_instance_is_started_if_the_quota_has_room(state):
    found = result(account=settled(named=[instance(state)]))
    assert found["changes"] == ["start t2.micro i-1, 30 GiB"]
    assert texts(found, "start") == ["t2.micro i-1, 30 GiB"]
    assert "i-1" not in texts(found, "keep")[0]
    with pytest.raises(LabError, match=QUOTA):
        result(account=settled(named=[instance(state)], quotas={QUOTA: 0.0}))


@pytest.mark.parametrize(
    ("other", "note"),
    [
        (instance("terminated"), ""),
        (instance("shutting-down"), "just being deleted"),
        (instance(Tags=as_tag_list(lab_tags("desi", "bob"))), "bob has a lab desi in this account, too. It is left"),
    ],
)
def test_instance_that_is_given_up_or_of_somebody_else_does_not_count(other, note):
    found = result(account=settled(named=[other]))
    assert found["machine"]["state"] == "absent"
    assert not note or noted(found, note)
    assert noted(found, "just being deleted") is ("deleted" in note)


def test_several_instances_are_refused_by_their_ids():
    with pytest.raises(LabError, match=r"i-1.*i-2"):
        result(account=seen(named=[instance(), instance("stopped", 2)]))


PORT = tcp(8888, text="Open TCP port for Jupyter server")
BARE_OUT = {"IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}


@pytest.mark.parametrize(
    ("there", "access", "change"),
    [
        (group(tcp(22, BOB)), "tunnel", f"22 from {ANN} instead of 22 from {BOB}"),
        (group(tcp(22), PORT), "tunnel", f"no longer lets in 8888 from {ANN}"),
        (group(), "https", f"lets in 443 from {ANN}"),
        (group(**BARE_OUT), "tunnel", "descriptions of its rules"),
    ],
)
def test_rules_that_change_are_told(there, access, change):
    found = result(replace(SPEC, access=access), settled(groups=[there]))
    assert found["changes"] == texts(found, "change") == [f"security group jupyter: {change}"]
    assert found["group"]["how"] == change
    assert "security group" not in texts(found, "keep")[0]
    assert found["machine"]["retag"]["desi-lab:access"] == access


def test_tags_that_tell_the_truth_are_not_set_again():
    tags = {"os": "amazon", "release": "edr", "access": "tunnel", "port": "8888"}
    assert result(account=settled(named=[instance(tags=tags)]))["machine"]["retag"] == {}


@pytest.mark.parametrize(
    ("more", "there", "said"),
    [
        ({"instance_types": ["t3.xlarge", "t3a.xlarge"]}, {}, "a t2.micro, not a t3.xlarge or t3a.xlarge"),
        ({"disk_gib": 64}, {}, "with 30 GiB of disk, not 64"),
        ({"subnet": "subnet-b"}, {}, "in subnet-a, not in subnet-b"),
        ({}, {"tags": {"os": "ubuntu"}}, "with the system ubuntu, not amazon"),
        ({}, {"SecurityGroups": [{"GroupId": "sg-9"}]}, "not in the security group jupyter"),
    ],
)
def test_instance_stays_what_it_is_and_the_difference_is_said(more, there, said):
    found = result(replace(SPEC, **more), settled(named=[instance(**there)]))
    assert found["changes"] == []
    assert noted(found, said)
    # Its own system decides who enters.
    user = "ubuntu" if there.get("tags") else "ec2-user"
    assert found["image"] == {"id": "ami-0", "root_device": "/dev/xvda", "user": user}


def test_instance_that_cannot_be_entered_is_refused():
    with pytest.raises(LabError, match="cannot log in to the machine i-1"):
        result(replace(SPEC, public_key=""), settled())


def test_run_goes_on_with_what_an_earlier_one_made():
    found = result(account=seen(keys=[KEY], groups=[group()]))
    assert found["changes"] == ["t2.micro, 30 GiB encrypted"]
    assert texts(found, "keep") == [f"key pair desi-lab-desi · security group jupyter: 22 from {ANN}"]


# Settings


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
        plan.check(replace(SPEC, **more))
    plan.check(replace(SPEC, port=22))


@pytest.mark.parametrize("port", [8785, 8786])
def test_port_of_the_scheduler_is_not_the_labs_if_it_has_workers(port):
    account = settled()
    spec = replace(SPEC, access="direct", port=port)
    draft = plan.begin(spec, account)
    with pytest.raises(LabError, match=f"port {port}"):
        plan.workers_need(spec, account, draft, 1)
    assert plan.workers_need(spec, account, draft, 0)
    assert plan.workers_need(replace(spec, access="tunnel"), account, draft, 1)


# Dry runs


def targets(account):
    draft = plan.begin(SPEC, account)
    if draft.instance is None:
        plan.place(SPEC, account, draft)
    return plan.dry_run_targets(SPEC, account, draft)


def test_launch_is_tried_as_it_will_be_done_but_without_what_does_not_exist_yet():
    launch = targets(seen()).launch
    assert (launch["InstanceType"], launch["ImageId"]) == ("t2.micro", "ami-1")
    assert launch["MetadataOptions"]["HttpTokens"] == "required"
    assert {spec["ResourceType"] for spec in launch["TagSpecifications"]} >= {"instance", "volume"}
    assert not {"KeyName", "ClientToken"} & set(launch)
    assert "Groups" not in launch["NetworkInterfaces"][0]


def test_what_is_ours_is_tried_itself_and_what_is_not_never():
    mine = targets(settled())
    assert (mine.instance_id, mine.group_id, mine.key_name, mine.launch) == ("i-1", "sg-1", "desi-lab-desi", {})
    theirs = targets(seen(keys=[{**KEY, "Tags": []}], groups=[group(Tags=[])]))
    assert (theirs.instance_id, theirs.group_id, theirs.key_name) == ("", "", "")


def test_limits_that_are_not_known_are_left_to_the_watcher_of_the_instance():
    spec = replace(SPEC, unknown_limits=["idle_minutes", "max_hours"])
    assert texts(result(spec, settled()), "safety") == ["its watcher keeps the limits that it has"]
    assert "12 hours" in texts(result(), "safety")[0]
