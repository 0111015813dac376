# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import security_group as group
from ansible_collections.desi.lab.plugins.module_utils._ec2.security_group import (
    HTTPS_TEXT,
    OUT_TEXT,
    PORT_TEXT,
    SSH_TEXT,
    Rule,
)

ANN, BOB = "203.0.113.7/32", "198.51.100.4/32"
VPC, ELSEWHERE = "vpc-1", "vpc-2"
EC2_OUT = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
OUT = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": OUT_TEXT}]}


def tcp(port, cidr=ANN, text=SSH_TEXT):
    return Rule("tcp", port, port, "cidr_ip", cidr, text)


def permission(rule):
    peer = {"CidrIp": rule.peer, **({"Description": rule.text} if rule.text else {})}
    return {"IpProtocol": rule.protocol, "FromPort": rule.first, "ToPort": rule.last, "IpRanges": [peer]}


def made(name="jupyter", rules=(), out=(OUT,), lab="desi", owner="ann", vpc=VPC, number=1, tagged=True):
    return {
        "GroupName": name,
        "GroupId": f"sg-{number}",
        "VpcId": vpc,
        "Description": "DESI Lab desi: who may reach it",
        "Tags": as_tag_list(lab_tags(lab, owner)) if tagged else [],
        "IpPermissions": [permission(rule) for rule in rules],
        "IpPermissionsEgress": list(out),
    }


def decide(groups=(), wanted=None, first="jupyter", attached=()):
    return group.plan_security_group("desi", "ann", first, groups, VPC, wanted or [tcp(22)], attached, "123456789012")


# The table of the guide


def test_direct_access_is_the_table_of_the_guide_cell_by_cell():
    assert [
        (rule.protocol, rule.first, rule.last, rule.peer, rule.text) for rule in group.rules_in("direct", 8888, [ANN])
    ] == [
        ("tcp", 8888, 8888, ANN, "Open TCP port for Jupyter server"),
        ("tcp", 443, 443, ANN, "Allow HTTPS for Jupyter server"),
        ("tcp", 22, 22, ANN, "Allow SSH access to the instance"),
    ]
    assert group.rules_out() == [
        Rule("-1", None, None, "cidr_ip", "0.0.0.0/0", "Allow instance to access the whole internet")
    ]


@pytest.mark.parametrize(("access", "ports"), [("tunnel", [22]), ("https", [443, 22]), ("direct", [8899, 443, 22])])
def test_each_way_in_opens_just_its_ports(access, ports):
    assert [rule.first for rule in group.rules_in(access, 8899, [ANN])] == ports


@pytest.mark.parametrize(("port", "ports"), [(443, [443, 22]), (22, [443, 22])])
def test_port_of_the_lab_that_is_open_anyway_is_opened_once(port, ports):
    rules = group.rules_in("direct", port, [ANN])
    assert [rule.first for rule in rules] == ports
    assert [rule.text for rule in rules] == [HTTPS_TEXT, SSH_TEXT]


def test_every_range_has_a_rule_of_its_own():
    rules = group.rules_in("https", 8888, [ANN, BOB])
    assert [(rule.first, rule.peer) for rule in rules] == [(443, ANN), (443, BOB), (22, ANN), (22, BOB)]


# The group


def test_group_is_made_where_there_is_none():
    found = decide()
    assert (found.name, found.id, found.vpc_id, found.notes) == ("jupyter", "", VPC, [])
    assert found.rules == [tcp(22)]
    assert found.rules_out == group.rules_out()
    assert found.changes


@pytest.mark.parametrize("stranger", [{"tagged": False}, {"lab": "else"}, {"owner": "bob"}])
def test_group_that_is_not_ours_is_left_alone_and_another_name_is_announced(stranger):
    found = decide([made(**stranger)])
    assert (found.name, found.id) == ("jupyter-desi", "")
    assert "jupyter exists that is not this lab's" in found.notes[0]


def test_group_of_the_same_name_in_another_network_does_not_matter():
    found = decide([made(vpc=ELSEWHERE), made(vpc=ELSEWHERE, tagged=False, number=2)])
    assert (found.name, found.id, found.notes) == ("jupyter", "", [])


def test_group_cannot_be_made_where_both_names_are_taken():
    with pytest.raises(LabError, match="lab_security_group") as caught:
        decide([made(tagged=False), made("jupyter-desi", owner="bob", number=2)])
    assert "jupyter nor jupyter-desi" in caught.value.what


def test_group_of_ours_is_kept_as_it_is():
    found = decide([made(rules=[tcp(22)])])
    assert (found.id, found.opened, found.closed, found.also, found.changes) == ("sg-1", [], [], [], False)


def test_group_of_ours_is_kept_under_the_second_name():
    found = decide([made(tagged=False), made("jupyter-desi", [tcp(22)], number=2)])
    assert (found.name, found.id, found.changes) == ("jupyter-desi", "sg-2", False)
    assert "jupyter-desi" in found.notes[0]


def test_group_that_the_machine_has_is_kept_whatever_it_is_called_now():
    old, new = made("other", [tcp(22)], number=7), made()
    assert decide([new, old], attached=["sg-7"]).id == "sg-7"
    assert "for new machines" in decide([new, old], attached=["sg-7"]).notes[0]


def test_group_of_ours_that_the_machine_does_not_have_is_not_taken_for_its_tags_alone():
    assert decide([made("other", number=7)]).id == ""


def test_new_address_takes_the_place_of_the_old_one():
    found = decide([made(rules=[tcp(22, BOB)])])
    assert (found.opened, found.closed) == ([tcp(22)], [tcp(22, BOB)])
    assert found.rules == [tcp(22)]


def test_rules_follow_the_port_of_the_lab():
    before = group.rules_in("direct", 8888, [ANN])
    found = decide([made(rules=before)], group.rules_in("direct", 8899, [ANN]))
    assert (found.opened, found.closed) == ([tcp(8899, text=PORT_TEXT)], [tcp(8888, text=PORT_TEXT)])


def test_other_way_in_closes_what_it_does_not_need():
    found = decide([made(rules=group.rules_in("direct", 8888, [ANN]))])
    assert found.rules == [tcp(22)]
    assert {rule.first for rule in found.closed} == {8888, 443}


def test_rules_that_go_are_told_in_the_order_of_the_guide():
    before = group.rules_in("direct", 8888, [BOB])
    found = decide([made(rules=reversed(before))], group.rules_in("direct", 8888, [ANN]))
    assert found.closed == before


def test_rule_that_its_owner_added_is_kept():
    own = tcp(3000, BOB, "my own dashboard")
    bare = tcp(5000, BOB, "")
    found = decide([made(rules=[own, tcp(22, BOB), bare])])
    assert found.rules == [tcp(22), own, bare]
    assert found.closed == [tcp(22, BOB)]


def test_way_in_that_its_owner_opened_himself_stays_his():
    own = tcp(22, ANN, "from my desk")
    found = decide([made(rules=[own])])
    assert (found.rules, found.changes) == ([own], False)


def test_rule_without_a_description_becomes_ours_where_it_is_the_same():
    found = decide([made(rules=[tcp(22, text="")])])
    assert (found.rules, found.opened, found.closed) == ([tcp(22)], [], [])
    assert found.also == ["descriptions of its rules"]


def test_default_rule_out_is_given_its_description():
    found = decide([made(rules=[tcp(22)], out=[EC2_OUT])])
    assert found.rules_out == group.rules_out()
    assert (found.opened, found.also, found.changes) == ([], ["descriptions of its rules"], True)


def test_way_out_that_was_closed_is_opened_again():
    found = decide([made(rules=[tcp(22)], out=[])])
    assert found.rules_out == group.rules_out()
    assert (found.opened, found.also) == ([], ["lets out everything"])


def test_rules_are_read_with_every_kind_of_peer():
    rules_text = [
        {
            "IpProtocol": "tcp",
            "FromPort": 22,
            "ToPort": 23,
            "IpRanges": [{"CidrIp": ANN, "Description": "a"}, {"CidrIp": BOB}],
            "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
            "PrefixListIds": [{"PrefixListId": "pl-1"}],
            "UserIdGroupPairs": [
                {"GroupId": "sg-9", "UserId": "123456789012"},
                {"GroupId": "sg-8", "UserId": "210987654321"},
            ],
        },
        {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": ANN}]},
        {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": ANN}]},
        {"IpProtocol": "50", "IpRanges": [{"CidrIp": ANN}]},
    ]
    assert [tuple(rule) for rule in group.read_rules(rules_text, "123456789012")] == [
        ("tcp", 22, 23, "cidr_ip", ANN, "a"),
        ("tcp", 22, 23, "cidr_ip", BOB, ""),
        ("tcp", 22, 23, "cidr_ipv6", "2001:db8::/32", ""),
        ("tcp", 22, 23, "ip_prefix", "pl-1", ""),
        ("tcp", 22, 23, "group_id", "sg-9", ""),
        ("tcp", 22, 23, "group_id", "210987654321/sg-8/sg-8", ""),
        ("icmp", -1, -1, "cidr_ip", ANN, ""),
        ("-1", None, None, "cidr_ip", ANN, ""),
        ("50", None, None, "cidr_ip", ANN, ""),
    ]


def test_rule_is_given_as_the_module_of_amazon_aws_takes_it():
    assert tcp(22).as_task() == {
        "proto": "tcp",
        "from_port": 22,
        "to_port": 22,
        "cidr_ip": [ANN],
        "rule_desc": SSH_TEXT,
    }
    assert Rule("-1", None, None, "ip_prefix", "pl-1", "").as_task() == {"proto": "-1", "ip_prefix": ["pl-1"]}


RULES = st.builds(
    Rule,
    st.just("tcp"),
    st.sampled_from([22, 443, 8888]),
    st.just(22),
    st.just("cidr_ip"),
    st.sampled_from([ANN, BOB]),
    st.sampled_from(["", SSH_TEXT, HTTPS_TEXT, PORT_TEXT, "mine"]),
)
# EC2 keeps one rule for each way.
GROUPS = st.lists(RULES, unique_by=lambda rule: rule.way)


@given(GROUPS, st.sampled_from(["tunnel", "direct", "https"]), st.sampled_from([22, 443, 8888, 9000]))
def test_group_is_right_after_one_change_and_stays_so(present, access, port):
    wanted = group.rules_in(access, port, [ANN])
    after = group.merge_rules(present, wanted)
    ways = [rule.way for rule in after]
    assert len(set(ways)) == len(ways)
    assert {rule.way for rule in wanted} <= set(ways)
    assert [rule for rule in present if rule.text == "mine"] == [rule for rule in after if rule.text == "mine"]
    assert set(group.merge_rules(after, wanted)) == set(after)
    assert not [rule for rule in after if rule.is_ours and rule not in wanted]


# Names and texts


@pytest.mark.parametrize("name", ["", "sg-jupyter", "SG-1", "x" * 201, "grüppe", "it's", 'a"b', "a\nb"])
def test_name_that_ec2_does_not_take_is_refused(name):
    with pytest.raises(LabError, match="security group cannot be called"):
        decide(first=name)


@pytest.mark.parametrize("name", ["jupyter", "my lab (1)", "a-b_c.d", "x" * 200])
def test_name_is_accepted(name):
    assert decide(first=name).name == name


def test_description_has_only_signs_that_ec2_takes():
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-:/()#,@[]+=&;{}!$*")
    assert set(decide().description) <= allowed
    for text in group.TEXTS:
        assert set(text) <= allowed


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([tcp(22)], f"22 from {ANN}"),
        ([tcp(8888), tcp(22)], f"8888, 22 from {ANN}"),
        ([tcp(22), tcp(22, BOB)], f"22 from {ANN}, {BOB}"),
        ([tcp(22), tcp(443, BOB)], f"22 from {ANN} and 443 from {BOB}"),
        ([Rule("udp", 5, 9, "cidr_ip", ANN, "")], f"udp 5-9 from {ANN}"),
        ([Rule("-1", None, None, "cidr_ip", ANN, "")], f"all from {ANN}"),
    ],
)
def test_rules_are_told_in_few_words(rules, text):
    assert group.rules_text(rules) == text
