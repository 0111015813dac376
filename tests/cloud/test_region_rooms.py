# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rooms of the simulated region, each by itself."""

import pytest
from region import helpers
from region.addresses import Addresses
from region.calls import HIDDEN, without_secrets
from region.claim import MOST, NoneFreeError, claim
from region.faults import BadRuleError, Call, Faults
from region.firewall import Reached, Rule, doors, listening_in
from region.forwarders import Network
from region.machines import Place

# As the kernel writes it: sshd on all addresses, a resolver on 127.0.0.53, and a connection.
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 3400007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   2: 020012AC:0016 010012AC:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1 1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:22B8 00000000000000000000000000000000:0000 0A
   1: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A
"""


def test_listening_is_what_others_than_the_machine_can_reach():
    assert listening_in(TCP) == {22}
    assert listening_in(TCP6) == {8888}


def test_doors_are_open_where_a_program_listens_and_a_rule_lets_somebody_in():
    rules = (Rule(22, 22, Network("10.0.0.0/8")), Rule(8000, 9000, Network("127.0.0.1/32")))
    machine = Reached("127.0.1.1", Place("172.18.0.2", 1), rules)
    found = doors([machine], lambda _: {22, 80, 8888})
    assert {door: way.networks for door, way in found.items()} == {
        ("127.0.1.1", 22): {Network("10.0.0.0/8")},
        ("127.0.1.1", 8888): {Network("127.0.0.1/32")},
    }
    assert {way.address for way in found.values()} == {"172.18.0.2"}


def test_addresses_are_new_each_time_and_another_regions_are_others():
    first, second = Addresses(0), Addresses(MOST - 1)
    mine = {first.new() for _ in range(4000)}
    others = {second.new() for _ in range(4000)}
    assert len(mine) == len(others) == 4000
    assert not mine & others
    assert all(0 < int(part) < 255 for address in mine | others for part in address.split(".")[2:])


def test_a_number_is_given_once_and_again_when_it_is_free(tmp_path):
    held = [claim(tmp_path) for _ in range(MOST)]
    assert [each.number for each in held] == list(range(MOST))
    with pytest.raises(NoneFreeError):
        claim(tmp_path)
    held[3].release()
    assert claim(tmp_path).number == 3


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("UserData", "IyEvYmluL3No", HIDDEN),
        ("LaunchSpecification.UserData", "IyEvYmluL3No", HIDDEN),
        ("SecretString", "x", HIDDEN),
        ("MasterUserPassword", "x", HIDDEN),
        ("SessionToken", "x", HIDDEN),
        ("ClientToken", "abc", "abc"),
        ("NextToken", "2", "2"),
        ("InstanceType", "t2.micro", "t2.micro"),
        ("SecurityGroupId.1", "sg-1", "sg-1"),
    ],
)
def test_the_log_hides_what_is_secret_and_shows_the_rest(name, value, kept):
    assert without_secrets({"outer": [{name: value}]}) == {"outer": [{name: kept}]}


@pytest.mark.parametrize(
    "rule",
    [
        "RunInstances",
        {},
        {"kind": "flood"},
        {"kind": "call", "action": "RunInstances"},
        {"kind": "ssh_late"},
        {"kind": "ssh_late", "seconds": -1},
        {"kind": "ssh_late", "seconds": "2"},
        {"kind": "quota", "vcpus": True},
        {"kind": "dies", "seconds": 1, "as": "explodes"},
        {"kind": "call", "code": "X", "times": -1},
        {"kind": "call", "code": "X", "tiems": 1},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_and_none_of_its_list_is_taken(rule):
    faults = Faults()
    with pytest.raises(BadRuleError):
        faults.add([helpers.ssh_refused(), rule])
    assert faults.all() == {}


def test_a_rule_hits_as_often_as_it_says_and_then_the_next_one_does():
    faults = Faults()
    faults.add([helpers.throttled("DescribeInstances", 2), helpers.denied("DescribeInstances")])
    call = Call("ec2", "DescribeInstances", {})
    assert [faults.for_call(call)["code"] for _ in range(4)] == ["RequestLimitExceeded"] * 2 + [
        "UnauthorizedOperation"
    ] * 2
    assert faults.for_call(Call("ec2", "RunInstances", {})) is None


@pytest.mark.parametrize(
    ("rule", "zone", "parameters", "hit"),
    [
        (helpers.capacity("us-west-2a"), "us-west-2a", {}, True),
        (helpers.capacity("us-west-2a"), "us-west-2b", {}, False),
        (helpers.capacity(), "us-west-2b", {}, True),
        (helpers.capacity(instance_type="t2.micro"), "us-west-2b", {"InstanceType": "t2.micro"}, True),
        (helpers.capacity(instance_type="t2.micro"), "us-west-2b", {"InstanceType": "t3.micro"}, False),
        (helpers.capacity("us-west-2a", "t2.micro"), "us-west-2b", {"InstanceType": "t2.micro"}, False),
        (helpers.no_spot(), "us-west-2a", {}, False),
        (helpers.no_spot(), "us-west-2a", {"InstanceMarketOptions.MarketType": "spot"}, True),
        (helpers.error("RunInstances", "X", match={"KeyName": "k"}), "", {"KeyName": "k"}, True),
        (helpers.error("RunInstances", "X", match={"KeyName": "k"}), "", {"KeyName": "l"}, False),
        (helpers.wrong_clock("sts"), "", {}, False),
        (helpers.wrong_clock(), "", {}, True),
    ],
)
def test_a_rule_hits_the_calls_that_it_names(rule, zone, parameters, hit):
    assert Call("ec2", "RunInstances", parameters, zone).is_hit_by(rule) is hit
