# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 in little: a client that keeps the promises of the API which launching a machine depends on."""

from botocore import exceptions as boto

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import Attempt, InstanceSpec

A = Attempt("t2.micro", "us-west-2a", "subnet-a")
B = Attempt("t2.micro", "us-west-2b", "subnet-b")
SPOT = Attempt("t2.micro", "us-west-2a", "subnet-a", "spot")
SPEC = InstanceSpec("desi", "ann", (A, B), "ami-1", "/dev/xvda", 30, "key", "sg-1", {"os": "amazon"})


def said(code, status=400, operation="RunInstances"):
    """What botocore raises when AWS answers with an error."""
    answer = {"Error": {"Code": code, "Message": f"{code}."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, operation)


def described(name="t3.xlarge", memory_mib=16384, vcpus=4, supported=("x86_64",), **more):
    """What AWS tells of a type of machine."""
    size = {"VCpuInfo": {"DefaultVCpus": vcpus}, "MemoryInfo": {"SizeInMiB": memory_mib}}
    return {"InstanceType": name, **size, "ProcessorInfo": {"SupportedArchitectures": list(supported)}, **more}


def image(number="ami-1", root="/dev/xvda", size=8):
    """What AWS tells of the image of a system."""
    disks = [{"DeviceName": "/dev/sdb", "VirtualName": "e0"}, {"DeviceName": root, "Ebs": {"VolumeSize": size}}]
    return {"ImageId": number, "RootDeviceName": root, "BlockDeviceMappings": disks}


def subnet(letter="a", vpc="vpc-1", public=True, free=4091):
    """What AWS tells of a subnet."""
    place = {"SubnetId": f"subnet-{letter}", "AvailabilityZone": f"us-west-2{letter}", "VpcId": vpc}
    return {**place, "MapPublicIpOnLaunch": public, "AvailableIpAddressCount": free}


class Ec2:
    """A region in which RunInstances keeps its promise about client tokens; what it answers can be laid down before.

    ``answers`` are taken one for each RunInstances: an exception is raised instead of the effect; ("after", exception)
    has the effect, and then the exception; None lets it work. ``lives`` are the states that a machine goes through, one
    for each look at it, and the last one stays.
    """

    def __init__(self, clock):
        self.clock, self.instances, self.tokens, self.calls = clock, [], {}, []
        self.answers, self.starts, self.looks, self.lives = [], [], [], ["pending", "running"]
        self.hidden_looks, self.refusal = 0, None

    def instance(self, state="running", tags=None, **more):
        number = len(self.instances)
        found = {
            "InstanceId": f"i-{number}",
            "State": {"Name": state},
            "LaunchTime": f"2026-11-24T05:30:{number:02}Z",
            "InstanceType": "t2.micro",
            "Placement": {"AvailabilityZone": "us-west-2a"},
            "Tags": as_tag_list(lab_tags("desi", "ann") if tags is None else tags),
            "lives": [state],
            **more,
        }
        self.instances.append(found)
        return found

    def asked(self, name):
        return [parameters for called, parameters in self.calls if called == name]

    def run_instances(self, **parameters):
        self.calls.append(("run_instances", parameters))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        token = parameters["ClientToken"]
        wished = {key: value for key, value in parameters.items() if key != "ClientToken"}
        if token in self.tokens:
            made, before = self.tokens[token]
            if made["State"]["Name"] == "terminated":
                raise said("IdempotentInstanceTerminated")
            if wished != before:
                raise said("IdempotentParameterMismatch")
        else:
            [tags] = [spec["Tags"] for spec in parameters["TagSpecifications"] if spec["ResourceType"] == "instance"]
            made = self.instance("pending", {tag["Key"]: tag["Value"] for tag in tags}, lives=list(self.lives))
            made["Placement"] = {"AvailabilityZone": f"us-west-2{parameters['NetworkInterfaces'][0]['SubnetId'][-1]}"}
            if "InstanceMarketOptions" in parameters:
                made.update(InstanceLifecycle="spot", SpotInstanceRequestId="sir-1")
            self.tokens[token] = (made, wished)
        if answer:
            raise answer[1]
        return {"Instances": [dict(made)]}

    def look(self, instance):
        if len(instance["lives"]) > 1:
            instance["lives"].pop(0)
        instance["State"] = {"Name": instance["lives"][0]}
        if instance["lives"][0] == "running":
            instance["PublicIpAddress"] = instance.get("address", "203.0.113.7")
        return instance

    def describe_instances(self, InstanceIds):
        self.calls.append(("describe_instances", InstanceIds))
        if self.looks:
            raise self.looks.pop(0)
        if self.hidden_looks:
            self.hidden_looks -= 1
            raise said("InvalidInstanceID.NotFound", operation="DescribeInstances")
        found = [self.look(instance) for instance in self.instances if instance["InstanceId"] in InstanceIds]
        return {"Reservations": [{"Instances": [instance]} for instance in found]}

    def get_paginator(self, name):
        assert name == "describe_instances"
        return self

    def paginate(self, Filters):
        self.calls.append(("list", Filters))
        if self.looks and not self.instances:
            raise self.looks.pop(0)
        return [{"Reservations": [{"Instances": [dict(instance)]}]} for instance in self.instances] or [
            {"Reservations": []}
        ]

    def start_instances(self, InstanceIds):
        self.calls.append(("start_instances", InstanceIds))
        answer = self.starts.pop(0) if self.starts else None
        if isinstance(answer, Exception):
            raise answer
        for instance in self.instances:
            if instance["InstanceId"] in InstanceIds:
                instance["lives"] = ["stopped", *self.lives]
        if answer:
            raise answer[1]

    def terminate_instances(self, InstanceIds):
        self.calls.append(("terminate_instances", InstanceIds))
        if self.refusal:
            raise self.refusal
        for instance in self.instances:
            if instance["InstanceId"] in InstanceIds:
                instance.update(State={"Name": "terminated"}, lives=["terminated"])

    def cancel_spot_instance_requests(self, SpotInstanceRequestIds):
        self.calls.append(("cancel_spot_instance_requests", SpotInstanceRequestIds))


class Clock:
    """A time that passes by sleeping alone."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
