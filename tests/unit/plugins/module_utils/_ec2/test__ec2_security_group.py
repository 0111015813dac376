# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

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


def direct(cidr=ANN, port=8888):
    return group.ingress_rules("direct", port, [cidr])


# The table of the guide


def test_direct_access_is_the_table_of_the_guide_cell_by_cell():
    assert direct() == [
        tcp(8888, text="Open TCP port for Jupyter server"),
        tcp(443, text="Allow HTTPS for Jupyter server"),
        tcp(22, text="Allow SSH access to the instance"),
    ]
    out = Rule("-1", None, None, "cidr_ip", "0.0.0.0/0", "Allow instance to access the whole internet")
    assert group.egress_rules() == [out]


@pytest.mark.parametrize(
    ("access", "port", "texts"),
    [
        ("tunnel", 8899, {22: SSH_TEXT}),
        ("https", 8899, {443: HTTPS_TEXT, 22: SSH_TEXT}),
        ("direct", 8899, {8899: PORT_TEXT, 443: HTTPS_TEXT, 22: SSH_TEXT}),
        # Open anyway, so opened once.
        ("direct", 443, {443: HTTPS_TEXT, 22: SSH_TEXT}),
        ("direct", 22, {443: HTTPS_TEXT, 22: SSH_TEXT}),
    ],
)
def test_each_access_opens_just_its_ports_for_every_range(access, port, texts):
    wanted = [tcp(number, cidr, text) for number, text in texts.items() for cidr in (ANN, BOB)]
    assert group.ingress_rules(access, port, [ANN, BOB]) == wanted


# The group


def test_group_is_made_where_there_is_none():
    found = decide([made(vpc=ELSEWHERE), made(vpc=ELSEWHERE, tagged=False, number=2)])
    assert (found.name, found.id, found.vpc_id, found.notes) == ("jupyter", "", VPC, [])
    assert (found.rules, found.egress_rules, found.changes) == ([tcp(22)], group.egress_rules(), True)


@pytest.mark.parametrize("stranger", [{"tagged": False}, {"lab": "else"}, {"owner": "bob"}])
def test_group_that_is_not_ours_is_left_alone_and_another_name_is_told(stranger):
    found = decide([made(**stranger)])
    assert (found.name, found.id) == ("jupyter-desi", "")
    assert "jupyter exists that is not this lab's" in found.notes[0]


def test_group_cannot_be_made_where_both_names_are_taken():
    with pytest.raises(LabError, match="lab_security_group") as caught:
        decide([made(tagged=False), made("jupyter-desi", owner="bob", number=2)])
    assert "jupyter nor jupyter-desi" in caught.value.what


def test_group_of_ours_is_kept_under_either_name():
    found = decide([made(rules=[tcp(22)])])
    assert (found.id, found.opened, found.closed, found.also, found.changes) == ("sg-1", [], [], [], False)
    found = decide([made(tagged=False), made("jupyter-desi", [tcp(22)], number=2)])
    assert (found.name, found.id, found.changes) == ("jupyter-desi", "sg-2", False)
    assert "jupyter-desi" in found.notes[0]


def test_group_that_the_instance_has_is_kept_whatever_it_is_called_and_another_is_not():
    old, new = made("other", [tcp(22)], number=7), made()
    found = decide([new, old], attached=["sg-7"])
    assert found.id == "sg-7"
    assert "for new machines" in found.notes[0]
    assert decide([old]).id == ""


OWN, BARE, DESK = tcp(3000, BOB, "my own dashboard"), tcp(5000, BOB, ""), tcp(22, ANN, "from my desk")


@pytest.mark.parametrize(
    ("present", "wanted", "rules", "opened", "closed", "also"),
    [
        ([tcp(22, BOB)], [tcp(22)], [tcp(22)], [tcp(22)], [tcp(22, BOB)], []),
        # What goes is told in the order of the guide, what its owner added is kept.
        (direct(BOB)[::-1], direct(), direct(), direct(), direct(BOB), []),
        ([OWN, tcp(22, BOB), BARE], [tcp(22)], [tcp(22), OWN, BARE], [tcp(22)], [tcp(22, BOB)], []),
        ([DESK], [tcp(22)], [DESK], [], [], []),
        # A rule without a description becomes ours where it is the same.
        ([tcp(22, text="")], [tcp(22)], [tcp(22)], [], [], ["descriptions of its rules"]),
    ],
)
def test_rules_become_those_wanted_and_those_that_their_owner_added(present, wanted, rules, opened, closed, also):
    found = decide([made(rules=present)], wanted)
    assert (found.rules, found.opened, found.closed, found.also) == (rules, opened, closed, also)
    assert found.changes is bool(opened or closed or also)


@pytest.mark.parametrize(("out", "also"), [([EC2_OUT], "descriptions of its rules"), ([], "lets out everything")])
def test_rule_that_lets_out_is_described_or_opened_again(out, also):
    found = decide([made(rules=[tcp(22)], out=out)])
    assert (found.egress_rules, found.opened, found.also) == (group.egress_rules(), [], [also])
    assert found.changes


def test_rules_are_read_with_every_kind_of_peer():
    told = [
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
    assert [tuple(rule) for rule in group.read_rules(told, "123456789012")] == [
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
    task = {"proto": "tcp", "from_port": 22, "to_port": 22, "cidr_ip": [ANN], "rule_desc": SSH_TEXT}
    assert tcp(22).as_task() == task
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
GROUPS = st.lists(RULES, unique_by=lambda rule: rule.peer_key)


@given(GROUPS, st.sampled_from(["tunnel", "direct", "https"]), st.sampled_from([22, 443, 8888, 9000]))
def test_group_is_right_after_one_change_and_stays_so(present, access, port):
    wanted = group.ingress_rules(access, port, [ANN])
    after = group.merge_rules(present, wanted)
    ways = [rule.peer_key for rule in after]
    assert len(set(ways)) == len(ways)
    assert {rule.peer_key for rule in wanted} <= set(ways)
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
    assert set("".join([decide().description, *group.TEXTS])) <= allowed


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([tcp(8888), tcp(22)], f"8888, 22 from {ANN}"),
        ([tcp(22), tcp(22, BOB)], f"22 from {ANN}, {BOB}"),
        ([tcp(22), tcp(443, BOB)], f"22 from {ANN} and 443 from {BOB}"),
        ([Rule("udp", 5, 9, "cidr_ip", ANN, "")], f"udp 5-9 from {ANN}"),
        ([Rule("-1", None, None, "cidr_ip", ANN, "")], f"all from {ANN}"),
    ],
)
def test_rules_are_told_in_few_words(rules, text):
    assert group.rules_text(rules) == text
