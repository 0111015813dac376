# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import itertools

import pytest
from botocore import exceptions as boto
from little_ec2 import Clock, said

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import removal
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import ResourceQuery, pauses

OURS = {"Tags": as_tag_list(lab_tags("desi", "ann"))}
NOTHING = {"Reservations": [], "Volumes": [], "NetworkInterfaces": [], "Addresses": []}
GONE = said("InvalidInstanceID.NotFound")


def row(kind, number, **more):
    return {"kind": kind, "id": number, "name": number, "words": f"{kind} {number}", **more}


def machine(number, state, tags=OURS):
    return {"InstanceId": number, "State": {"Name": state}, **tags}


def disk(number, *instances):
    return {"VolumeId": number, "State": "available", "Attachments": [{"InstanceId": i} for i in instances], **OURS}


class Ec2:
    """Gives each operation its answers in turn, and the last one again; nothing where there is none."""

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def can_paginate(self, _operation):
        return False

    def __getattr__(self, operation):
        def answer(**parameters):
            by_id = operation == "describe_instances" and "InstanceIds" in parameters
            name = "by_id" if by_id else operation
            asked = next((value for key, value in parameters.items() if key not in ("Filters", "Owners")), None)
            self.calls.append((operation, asked))
            given = self.answers.get(name, [NOTHING])
            found = given.pop(0) if len(given) > 1 else given[0]
            if isinstance(found, Exception):
                raise found
            if operation == "describe_instances" and isinstance(found, list):
                return {"Reservations": [{"Instances": found}]}
            return found

        return answer

    def asked(self, operation):
        return [about for name, about in self.calls if name == operation]


def remove(ec2, *rows, seconds=60):
    clock = Clock()
    work = removal.Removal(ResourceQuery(ec2, "ann", "desi", clock.sleep, clock), rows)
    begun = clock()
    left = {kind: found for kind, found in work.run(seconds).items() if found}
    return work, left, clock() - begun


def test_pauses_grow_up_to_a_bound():
    assert list(itertools.islice(pauses(), 6)) == [1, 1.5, 2.25, 3.375, 5, 5]


def test_a_lab_is_removed_by_few_calls_in_an_order_that_works():
    ec2 = Ec2(describe_instances=[[machine("i-1", "shutting-down")], [machine("i-1", "terminated")]])
    rows = [row("machine", "i-1"), row("spot request", "sir-1"), row("security group", "sg-1"), row("snapshot", "s-1")]
    work, left, waited = remove(ec2, *rows, row("key pair", "key-1", name="desi-lab-desi"))
    assert [name for name, _about in ec2.calls[:7]] == [
        *("cancel_spot_instance_requests", "terminate_instances", "describe_instances", "describe_instances"),
        *("delete_security_group", "delete_key_pair", "delete_snapshot"),
    ]
    assert sorted(name for name, _about in ec2.calls[7:]) == ["describe_network_interfaces", "describe_volumes"]
    assert ec2.asked("delete_key_pair") == ["desi-lab-desi"]
    assert len(work.removed) == len(work.confirmed) == 5
    assert (left, waited) == ({}, 2.5)


@pytest.mark.parametrize(
    ("tagged", "by_id", "confirmed"),
    [
        ([machine("i-1", "terminated")], None, True),
        # Its tags went first, or somebody changed them.
        ([], GONE, True),
        ([], [machine("i-1", "terminated", {})], True),
        ([], [machine("i-1", "running", {})], False),
        ([], [], False),
        ([machine("i-1", "shutting-down")], None, False),
    ],
)
@pytest.mark.security("A2")
def test_an_instance_is_gone_once_aws_says_so_of_its_id(tagged, by_id, confirmed):
    ec2 = Ec2(describe_instances=[tagged], by_id=[by_id])
    if confirmed:
        assert remove(ec2, row("machine", "i-1"))[0].confirmed == {("machine", "i-1")}
        return
    with pytest.raises(LabError) as failure:
        remove(ec2, row("machine", "i-1"), row("key pair", "k"))
    assert "After 60 seconds AWS still has machine i-1" in failure.value.why
    # They are needed until it is gone.
    assert not ec2.asked("delete_key_pair")


def test_what_is_gone_already_is_no_failure_and_the_rest_goes():
    ec2 = Ec2(
        terminate_instances=[GONE, GONE, {}],
        cancel_spot_instance_requests=[said("InvalidSpotInstanceRequestID.NotFound")],
        delete_security_group=[said("InvalidGroup.NotFound")],
        describe_instances=[[machine("i-2", "terminated")]],
        by_id=[GONE],
    )
    rows = [row("machine", "i-1"), row("machine", "i-2"), row("spot request", "r"), row("security group", "sg")]
    work, left, _waited = remove(ec2, *rows)
    assert ec2.asked("terminate_instances") == [["i-1", "i-2"], ["i-1"], ["i-2"]]
    assert {("machine", "i-2"), ("security group", "sg")} <= work.confirmed
    assert row("security group", "sg") not in work.removed
    assert not left


@pytest.mark.parametrize(("times", "works"), [(3, True), (99, False)])
def test_a_group_in_use_is_tried_again_for_a_while(times, works):
    ec2 = Ec2(delete_security_group=[*[said("DependencyViolation")] * times, {}])
    if works:
        assert remove(ec2, row("security group", "sg"))[0].removed
    else:
        with pytest.raises(boto.ClientError):
            remove(ec2, row("security group", "sg"))
        assert 10 < len(ec2.calls) < 20


@pytest.mark.parametrize(
    "failure",
    [said("UnauthorizedOperation", 403), said("ExpiredToken"), boto.EndpointConnectionError(endpoint_url="x")],
)
@pytest.mark.parametrize("operation", ["terminate_instances", "describe_instances", "delete_key_pair"])
def test_any_other_failure_ends_it_and_confirms_nothing(failure, operation):
    ec2 = Ec2(**{"describe_instances": [[machine("i-1", "terminated")]], operation: [failure]})
    query = ResourceQuery(ec2, "ann", "desi", Clock().sleep)
    work = removal.Removal(query, [row("machine", "i-1"), row("key pair", "k")])
    with pytest.raises(type(failure)):
        work.run(60)
    assert ("key pair", "k") not in work.confirmed


def test_disks_that_outlive_their_instance_are_deleted_and_others_are_not():
    volumes = [{"Volumes": [disk("v-1", "i-1"), disk("v-2"), disk("new")]}, {"Volumes": [disk("v-1"), disk("new")]}]
    ec2 = Ec2(describe_instances=[[machine("i-1", "terminated")]], describe_volumes=volumes)
    work, left, _waited = remove(ec2, row("machine", "i-1"), row("disk", "v-1"), row("disk", "v-2"))
    assert ec2.asked("delete_volume") == ["v-2", "v-1"]
    assert {("disk", "v-1"), ("disk", "v-2")} < work.confirmed
    # Nobody was asked whether that one may go.
    assert [one["VolumeId"] for one in left["disk"]] == ["new"]


def test_what_lingers_is_waited_for_and_what_nobody_removes_is_left():
    nic = {"NetworkInterfaceId": "eni-1", **OURS}
    ec2 = Ec2(describe_network_interfaces=[{"NetworkInterfaces": [nic]}])
    _work, left, waited = remove(ec2, row("network interface", "eni-1"))
    assert (list(left), 20 <= waited < 26) == (["network interface"], True)
    ec2 = Ec2(describe_network_interfaces=[{"NetworkInterfaces": [nic]}, NOTHING])
    assert remove(ec2, row("network interface", "eni-1"))[1:] == ({}, 1)
    another = Ec2(describe_instances=[[machine("i-1", "terminated"), machine("i-2", "running")]])
    assert [one["InstanceId"] for one in remove(another, row("machine", "i-1"))[1]["machine"]] == ["i-2"]
    address = Ec2(describe_addresses=[{"Addresses": [{"AllocationId": "eip", **OURS}]}])
    assert list(remove(address, row("address", "eip"))[1]) == ["address"]
