# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs

import boto3
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.modules import ec2_security_group
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.ec2.responses.security_groups import SecurityGroups
from moto.moto_api._internal.models import moto_api_backend
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.modules import ec2_plan

ROOT = Path(__file__).parents[4]
PRICES = yaml.safe_load((ROOT / "roles/ec2/files/prices.yml").read_text())
POLICY = json.loads((ROOT / "docs/iam-policy.json").read_text())
MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"
ANN, BOB = "203.0.113.7/32", "198.51.100.4/32"
OWNER = "moto"
TAGS = lab_tags("desi", OWNER)
SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
REFUSED = "You are not authorized to perform this operation."


class Account:
    """moto, a log of what it is asked, and what it does not have: quotas, prices, faults, a service for addresses."""

    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.forget()

    def forget(self):
        moto_api_backend.reset()
        self.calls, self.faults, self.prices, self.address = [], {}, {}, "127.0.0.1"
        self.quotas = {"L-1216C47A": 32.0, "L-34B43A08": 32.0}

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        if scope is None:
            return self.say(start_response, "200 OK", "text/plain", self.address)
        region, service = scope.groups()
        form = parse_qs(body.decode())
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        action = target.rpartition(".")[2] or form["Action"][0]
        self.calls.append((f"{service}:{action}", region, form))
        fault = self.faults.get((f"{service}:{action}", region)) or self.faults.get(f"{service}:{action}")
        if fault:
            return self.fail(start_response, service, *fault)
        if service == "servicequotas":
            return self.quota(start_response, json.loads(body)["QuotaCode"])
        if service == "pricing":
            asked = {term["Field"]: term["Value"] for term in json.loads(body)["Filters"]}
            key = asked.get("instanceType") or asked.get("volumeApiName")
            document = {"FormatVersion": "aws_v1", "PriceList": [*filter(None, [self.prices.get(key)])]}
            return self.say(start_response, "200 OK", "application/x-amz-json-1.1", json.dumps(document))
        return self.moto(environ, start_response)

    def quota(self, start_response, code):
        if code not in self.quotas:
            return self.fail(start_response, "servicequotas", "NoSuchResourceException", "none")
        document = {"Quota": {"QuotaCode": code, "Value": self.quotas[code]}}
        return self.say(start_response, "200 OK", "application/x-amz-json-1.1", json.dumps(document))

    def fail(self, start_response, service, code, message):
        if service in ("ssm", "servicequotas", "pricing"):
            text = json.dumps({"__type": code, "message": message})
            return self.say(start_response, "400 Bad", "application/x-amz-json-1.1", text)
        told = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        text = f"<Response><Errors>{told}</Errors></Response>"
        if service == "sts":
            text = f"<ErrorResponse>{told}</ErrorResponse>"
        return self.say(start_response, "403 Forbidden", "text/xml", text)

    @staticmethod
    def say(start_response, status, kind, text):
        start_response(status, [("Content-Type", kind)])
        return [text.encode()]

    def asked(self, *, dry=True):
        """The actions that were asked for, each once; without ``dry``, those alone that were no dry runs."""
        return {name for name, _region, form in self.calls if dry or "true" not in form.get("DryRun", [])}


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    account = Account()
    with make_server("127.0.0.1", 0, account, threaded=True, request_handler=MotoRequestHandler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield account, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def account(server, monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server[1])
    server[0].forget()
    return server[0]


@pytest.fixture
def run(account, server, capsys):
    """Run the module; its own answer comes back, and whatever it asked is in the account's log."""

    def run_module(fails=False, module=ec2_plan, **options):
        given = {"region": "us-west-2", **options}
        if module is ec2_plan:
            services = {"address_services": [f"{server[1]}/ip"]}
            given = {**services, "name": "desi", "public_key": MINE, "prices": PRICES, **given}
        account.calls.clear()
        with patch_module_args(given), pytest.raises(SystemExit) as caught:
            module.main()
        answer = json.loads(capsys.readouterr().out)
        assert caught.value.code == int(fails), answer.get("msg")
        return answer

    return run_module


@pytest.fixture
def ec2(account):
    return boto3.client("ec2", region_name="us-west-2")


def tagged(kind, tags=TAGS):
    return [{"ResourceType": kind, "Tags": as_tag_list(tags)}]


def import_key(ec2, name="desi-lab-desi", public=MINE, tags=TAGS):
    ec2.import_key_pair(KeyName=name, PublicKeyMaterial=public.encode(), TagSpecifications=tagged("key-pair", tags))


def make_group(ec2, name="jupyter", tags=TAGS):
    return ec2.create_security_group(
        GroupName=name, Description="by a test", TagSpecifications=tagged("security-group", tags)
    )["GroupId"]


@pytest.fixture
def amazon_aws(monkeypatch):
    """Makes moto answer to a change of descriptions, and spares the module of amazon.aws its sleep."""
    for way in ("ingress", "egress"):
        name = f"update_security_group_rule_descriptions_{way}"
        real = getattr(SecurityGroups, name)
        monkeypatch.setattr(
            SecurityGroups, name, lambda self, real=real: (real(self), ActionResult({"Return": True}))[1]
        )
    monkeypatch.setattr(ec2_security_group, "sleep", lambda _seconds: None)


def launch(ec2, group_id, **more):
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    return ec2.run_instances(
        **{
            "ImageId": "ami-0d53cc9bd365ad65b",
            "InstanceType": "t2.micro",
            "KeyName": "desi-lab-desi",
            "SubnetId": subnet,
            "SecurityGroupIds": [group_id],
            "MinCount": 1,
            "MaxCount": 1,
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3"}}],
            "TagSpecifications": tagged("instance"),
            **more,
        }
    )["Instances"][0]["InstanceId"]


def have_group(run, plan):
    """Make the group as the role does."""
    group = plan["group"]
    return run(
        module=ec2_security_group,
        name=group["name"],
        description=group["description"],
        vpc_id=group["vpc_id"],
        rules=group["rules"],
        rules_egress=group["rules_egress"],
        tags=plan["tags"],
        purge_tags=False,
    )


# Looking changes nothing


@pytest.mark.parametrize("check_mode", [False, True])
def test_plan_makes_nothing_and_says_so(run, ec2, account, check_mode):
    answer = run(_ansible_check_mode=check_mode)
    assert answer["changed"] is False
    assert answer["changes"] == [
        "key pair desi-lab-desi",
        "security group jupyter: 22 from 127.0.0.1/32",
        "t2.micro, 30 GiB encrypted",
    ]
    assert not [name for name in account.asked(dry=False) if not re.search(r":(Describe|Get)", name)]
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert ec2.describe_instances()["Reservations"] == []
    assert {group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]} == {"default"}


def test_nothing_is_asked_that_the_policy_does_not_allow(run, account):
    run(spot=True)
    allowed = set()
    for statement in POLICY["Statement"]:
        allowed |= {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
    assert account.asked() <= allowed
    assert {"ec2:RunInstances", "ec2:TerminateInstances", "ec2:CancelSpotInstanceRequests"} <= account.asked()


def test_few_questions_are_asked_and_each_once(run, account):
    run()
    counts = Counter(name for name, _region, _form in account.calls)
    twice = {"ec2:DescribeInstances", "ec2:DescribeSecurityGroups", "pricing:GetProducts"}
    assert {name for name, count in counts.items() if count > 1} == twice
    assert len(account.calls) <= 35


def test_facts_of_the_region_are_found(run):
    answer = run(instance_types=["t3.xlarge"], access="direct", allow_from=[ANN, BOB], release="dr1")
    assert (answer["owner"], answer["account_end"]) == (OWNER, DEFAULT_ACCOUNT_ID[-4:])
    assert answer["image"] == {"id": "ami-0d53cc9bd365ad65b", "root_device": "/dev/xvda", "user": "ec2-user"}
    zones = [attempt["zone"] for attempt in answer["launch"]["attempts"]]
    assert zones[:3] == ["us-west-2a", "us-west-2b", "us-west-2c"]
    assert [(rule["from_port"], rule["cidr_ip"][0]) for rule in answer["group"]["rules"]] == [
        (port, cidr) for port in (8888, 443, 22) for cidr in (ANN, BOB)
    ]
    assert any("zall-pix-iron.fits" in note for note in answer["notes"])


def test_address_is_asked_only_where_it_is_wanted(run, account):
    account.address = "nonsense"
    assert run(allow_from=[ANN])["allow_from"] == [ANN]


def test_address_that_nobody_knows_stops_the_plan(run, account):
    account.address = "nonsense"
    answer = run(fails=True)
    assert "-e lab_allow_from=" in answer["do"]


# From nothing to a lab, and again


def test_second_plan_finds_what_the_first_one_asked_for(run, ec2, amazon_aws):
    first = run(access="direct", allow_from=[ANN])
    import_key(ec2, first["key"]["name"])
    have_group(run, first)
    partly = run(access="direct", allow_from=[ANN])
    assert partly["changes"] == ["t2.micro, 30 GiB encrypted"]
    assert partly["key"]["action"] == "keep"
    launch(ec2, partly["group"]["id"])
    second = run(access="direct", allow_from=[ANN])
    assert second["changes"] == []
    assert second["machine"]["state"] == "running"
    assert second["machine"]["key_name"] == "desi-lab-desi"
    assert second["machine"]["group_ids"] == [second["group"]["id"]]


def test_rules_are_settled_after_one_change_with_what_their_owner_added(run, ec2, amazon_aws):
    before = run(access="direct", allow_from=[BOB])
    have_group(run, before)
    group_id = run(allow_from=[BOB])["group"]["id"]
    mine = [
        {"IpProtocol": "tcp", "FromPort": 3000, "ToPort": 3000, "IpRanges": [{"CidrIp": BOB, "Description": "my own"}]},
        {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        {"IpProtocol": "udp", "FromPort": 5, "ToPort": 9, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "UserIdGroupPairs": [{"GroupId": group_id}]},
    ]
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=mine)
    plan = run(access="direct", port=8899, allow_from=[ANN])
    change = f"security group jupyter: 8899, 443, 22 from {ANN} instead of 8888, 443, 22 from {BOB}"
    assert change in plan["changes"]
    assert have_group(run, plan)["changed"] is True
    again = run(access="direct", port=8899, allow_from=[ANN])
    assert "security group" not in " ".join(again["changes"])
    assert have_group(run, again)["changed"] is False
    ports = {
        rule["FromPort"]
        for rule in ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]["IpPermissions"]
    }
    assert ports == {8899, 443, 22, 3000, -1, 5, 80}


def test_stopped_machine_is_to_be_started(run, ec2):
    import_key(ec2)
    number = launch(ec2, make_group(ec2))
    ec2.stop_instances(InstanceIds=[number])
    answer = run()
    assert answer["machine"]["state"] == "stopped"
    assert [change for change in answer["changes"] if number in change] == [f"start t2.micro {number}, 30 GiB"]


def test_machine_of_another_type_is_looked_up_and_kept(run, ec2):
    import_key(ec2)
    launch(ec2, make_group(ec2), InstanceType="t3.large")
    answer = run()
    assert answer["cost"]["types"] == {"t3.large": pytest.approx(0.0915, abs=0.0001)}
    assert any("a t3.large, not a t2.micro" in note for note in answer["notes"])


def test_machine_that_runs_is_looked_at_with_few_dry_runs(run, ec2, account):
    import_key(ec2)
    launch(ec2, make_group(ec2))
    run()
    assert account.asked() - account.asked(dry=False) == {
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupIngress",
    }


def test_key_and_group_of_others_are_passed_over(run, ec2):
    import_key(ec2, tags={"project": "else"})
    make_group(ec2, tags=lab_tags("desi", "bob"))
    answer = run()
    assert (answer["key"]["name"], answer["group"]["name"]) == ("desi-lab-desi-2", "jupyter-desi")


def test_lab_of_another_name_is_planned_beside_the_first(run, ec2):
    import_key(ec2)
    launch(ec2, make_group(ec2))
    answer = run(name="desi-2")
    assert answer["machine"]["state"] == "absent"
    assert (answer["key"]["name"], answer["group"]["name"]) == ("desi-lab-desi-2", "jupyter-desi-2")


def test_machine_whose_private_key_is_lost_is_told(run, ec2):
    import_key(ec2, public=OTHER)
    launch(ec2, make_group(ec2))
    answer = run(fails=True)
    assert "cannot be entered" in answer["what"]
    assert "./lab down" in answer["do"]


# What is missing


def test_permissions_that_are_missing_are_named_all_at_once(run, account):
    for name in ("ec2:RunInstances", "ec2:ImportKeyPair", "ec2:TerminateInstances"):
        account.faults[name] = ("UnauthorizedOperation", REFUSED)
    answer = run(fails=True)
    assert answer["why"] == "Not allowed: ec2:RunInstances, ec2:ImportKeyPair, ec2:TerminateInstances."
    assert "docs/iam-policy.json" in answer["do"]


def test_permissions_to_look_that_are_missing_are_named_all_at_once(run, account):
    denied = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: ssm:GetParameters on resource"
    account.faults["ssm:GetParameters"] = ("AccessDeniedException", denied)
    account.faults["ec2:DescribeKeyPairs"] = ("UnauthorizedOperation", REFUSED)
    answer = run(fails=True)
    assert {"ssm:GetParameters", "ec2:DescribeKeyPairs"} == set(re.findall(r"\w+:\w+", answer["why"]))


def test_policy_that_asks_for_tags_does_not_stop_a_first_run(run, account):
    for name in (
        "StartInstances",
        "StopInstances",
        "ModifyInstanceAttribute",
        "TerminateInstances",
        "CreateTags",
        "DeleteKeyPair",
        "DeleteVolume",
        "ModifyVolume",
    ):
        account.faults[f"ec2:{name}"] = ("UnauthorizedOperation", REFUSED)
    assert any("cannot be told before there is one" in note for note in run()["notes"])


def test_what_may_be_left_out_is_left_out_with_a_note(run, account):
    for name in ("servicequotas:GetServiceQuota", "pricing:GetProducts"):
        account.faults[name] = ("AccessDeniedException", "no")
    answer = run()
    assert [note for note in answer["notes"] if "you may not ask" in note] == [
        "Whether your account may run a machine of this size was not to be had from AWS (you may not ask).",
        "Prices were not to be had from AWS (you may not ask).",
    ]
    assert answer["cost"]["source"] == "table of DESI Lab"


def test_disk_of_a_machine_may_be_unknown(run, ec2, account):
    import_key(ec2)
    launch(ec2, make_group(ec2))
    account.faults["ec2:DescribeVolumes"] = ("UnauthorizedOperation", REFUSED)
    assert run()["machine"]["disk_gib"] == 0


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ExpiredToken", "expired"),
        ("InvalidClientTokenId", "does not know these credentials"),
        ("SignatureDoesNotMatch", "secret key"),
    ],
)
def test_credentials_that_are_not_good_are_told_first(run, account, code, told):
    account.faults["sts:GetCallerIdentity"] = (code, "The security token included in the request is invalid.")
    account.faults["ec2:DescribeInstances"] = ("AuthFailure", "AWS was not able to validate the provided credentials")
    answer = run(fails=True)
    assert answer["what"] == "It was not possible to log in to AWS."
    assert told in answer["why"]


def test_credentials_that_are_missing_are_told(run, account, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    answer = run(fails=True)
    assert "No AWS credentials were found" in answer["why"]
    assert account.calls == []


def test_region_that_is_not_enabled_is_told_as_that(run, account):
    account.faults["sts:GetCallerIdentity", "eu-south-2"] = ("InvalidClientTokenId", "invalid")
    answer = run(fails=True, region="eu-south-2")
    assert answer["what"] == "The region eu-south-2 cannot be used by this account yet."
    assert "aws account enable-region --region-name eu-south-2" in answer["do"]


def test_credentials_that_are_good_nowhere_are_not_the_regions_fault(run, account):
    account.faults["sts:GetCallerIdentity"] = ("InvalidClientTokenId", "invalid")
    assert "enable-region" not in run(fails=True, region="eu-south-2")["do"]


def test_type_that_there_is_not_is_refused_with_the_nearest(run):
    answer = run(fails=True, instance_types=["t3.xlrge"])
    assert answer["what"] == "us-west-2 has no instance type t3.xlrge."
    assert "-e lab_instance_type=t3.xlarge" in answer["do"]


def test_quota_that_is_too_small_is_told_with_the_command(run, account):
    account.quotas["L-1216C47A"] = 2.0
    answer = run(fails=True, instance_types=["t3.xlarge"])
    assert "--quota-code L-1216C47A --desired-value 4 --region us-west-2" in answer["do"]


def test_quota_counts_what_runs(run, ec2, account):
    account.quotas["L-1216C47A"] = 5.0
    assert run(instance_types=["t3.xlarge"])["launch"]["attempts"]
    launch(ec2, make_group(ec2, tags={"project": "else"}), TagSpecifications=[], InstanceType="t3.large")
    assert "L-1216C47A" in run(fails=True, instance_types=["t3.xlarge"])["why"]


def test_quota_that_aws_does_not_know_is_let_pass(run, account):
    account.quotas.clear()
    assert run()["launch"]["attempts"]


def test_region_without_a_default_network_is_told(run, ec2):
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
    assert "aws ec2 create-default-vpc" in run(fails=True)["do"]


def test_given_subnet_pins_the_zone(run, ec2):
    subnet = next(each for each in ec2.describe_subnets()["Subnets"] if each["AvailabilityZone"] == "us-west-2b")
    attempts = run(subnet=subnet["SubnetId"])["launch"]["attempts"]
    assert [(attempt["zone"], attempt["subnet_id"]) for attempt in attempts] == [("us-west-2b", subnet["SubnetId"])]


def test_given_subnet_that_does_not_exist_is_refused(run):
    assert "no such subnet" in run(fails=True, subnet="subnet-0123456789abcdef0")["why"]


def test_given_subnet_that_nobody_could_reach_is_refused(run, ec2):
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    assert "private" in run(fails=True, subnet=subnet)["why"]


def test_system_that_the_region_does_not_have_is_refused(run):
    assert "-e lab_os=amazon" in run(fails=True, os="ubuntu")["do"]


def product(usd, unit):
    dimension = {"A.B.C": {"unit": unit, "pricePerUnit": {"USD": usd}}}
    terms = {"OnDemand": {"A.B": {"priceDimensions": dimension}}}
    return json.dumps({"publicationDate": "2026-11-01T00:00:00Z", "terms": terms})


def test_prices_are_those_of_aws_where_it_tells_them(run, account):
    account.prices = {"t2.micro": product("0.0200", "Hrs"), "gp3": product("0.1000", "GB-Mo")}
    answer = run()
    assert answer["cost"]["hour"] == pytest.approx(0.02 + 0.005 + 3 / 730, abs=0.0001)
    assert answer["cost"]["month_stopped"] == 3.0
    assert answer["cost"]["about"] == "prices of 2026-11-01, by AWS"
    assert {region for name, region, _form in account.calls if name == "pricing:GetProducts"} == {"us-east-1"}


@pytest.mark.parametrize(
    "options", [{"access": "open"}, {"os": "windows"}, {"instance_types": ["micro"]}, {"port": "x"}]
)
def test_options_that_cannot_work_are_refused_before_aws_is_asked(run, account, options):
    run(fails=True, **options)
    assert account.calls == []
