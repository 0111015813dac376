# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose the security group of a lab, and decide its rules.

The rules are those of the guide. Those that DESI Lab made are known by their descriptions.
"""

from __future__ import annotations

import typing as t

from .._aws.tags import is_ours
from .._common.errors import LabError

HTTPS_PORT, SSH_PORT = 443, 22
PORT_TEXT = "Open TCP port for Jupyter server"
HTTPS_TEXT = "Allow HTTPS for Jupyter server"
SSH_TEXT = "Allow SSH access to the instance"
OUT_TEXT = "Allow instance to access the whole internet"
TEXTS = (PORT_TEXT, HTTPS_TEXT, SSH_TEXT, OUT_TEXT)
# How EC2 and amazon.aws.ec2_security_group call what a rule lets in, or out to.
SOURCES = (
    ("IpRanges", "CidrIp", "cidr_ip"),
    ("Ipv6Ranges", "CidrIpv6", "cidr_ipv6"),
    ("PrefixListIds", "PrefixListId", "ip_prefix"),
)


class Rule(t.NamedTuple):
    """One line of a security group. Ports are None where the protocol has none, or all."""

    protocol: str
    first: int | None
    last: int | None
    kind: str
    peer: str
    text: str

    @property
    def peer_key(self) -> tuple[t.Any, ...]:
        """Return protocol, ports and peer, which identify a rule: EC2 keeps one description for each."""
        return self[:5]

    @property
    def is_ours(self) -> bool:
        """Return whether it was made by DESI Lab, or by whoever followed the guide."""
        return self.text in TEXTS

    @property
    def ports(self) -> str:
        """Return the ports as people write them."""
        if self.first is None:
            return "all" if self.protocol == "-1" else self.protocol
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return ports if self.protocol == "tcp" else f"{self.protocol} {ports}"

    def as_task(self) -> dict[str, t.Any]:
        """Return the rule as amazon.aws.ec2_security_group takes it."""
        task: dict[str, t.Any] = {"proto": self.protocol, self.kind: [self.peer]}
        if self.first is not None:
            task.update(from_port=self.first, to_port=self.last)
        if self.text:
            task["rule_desc"] = self.text
        return task


class SecurityGroup(t.NamedTuple):
    """The group to use; without an id it is to be made.

    ``opened`` and ``closed`` are ingress rules that are added and removed, ``also`` is what else changes, in words.
    """

    name: str
    id: str
    vpc_id: str
    description: str
    rules: list[Rule]
    egress_rules: list[Rule]
    opened: list[Rule]
    closed: list[Rule]
    also: list[str]
    notes: list[str]

    @property
    def foreign(self) -> list[Rule]:
        """Return the ingress rules that DESI Lab did not make."""
        return [rule for rule in self.rules if not rule.is_ours]

    @property
    def foreign_rules_note(self) -> str:
        """Return a sentence on whom foreign rules let in, which DESI Lab does not change; empty without any."""
        ours = {rule.peer_key for rule in self.rules if rule.is_ours}
        more = [rule for rule in self.foreign if rule.peer_key not in ours]
        text = f"The security group {self.name} also lets in {rules_text(more)}, by rules that DESI Lab did not make."
        return text if more else ""

    @property
    def changes(self) -> bool:
        """Return whether anything has to be done."""
        return not self.id or bool(self.opened or self.closed or self.also)


def check_name(name: str) -> None:
    """Refuse a name that EC2 keeps for itself, or would not take."""
    known = name and len(name) <= 200 and name.isascii() and name.isprintable() and not set(name) & set("'\"\\<>?`~^|%")
    if not known or name.lower().startswith("sg-"):
        raise LabError(
            f"The security group cannot be called “{name}”.",
            "A name has letters, digits and signs such as - and _, and does not begin with sg-.",
            "choose another: -e lab_security_group=jupyter",
        )


def ingress_rules(access: str, port: int, cidrs: t.Sequence[str]) -> list[Rule]:
    """Return the ingress rules: the guide's table, or as much of it as the access needs."""
    ports = {"direct": [(port, PORT_TEXT)], "https": [], "tunnel": []}[access]
    if access != "tunnel":
        ports = [entry for entry in ports if entry[0] != HTTPS_PORT] + [(HTTPS_PORT, HTTPS_TEXT)]
    ports = [entry for entry in ports if entry[0] != SSH_PORT] + [(SSH_PORT, SSH_TEXT)]
    return [Rule("tcp", number, number, "cidr_ip", cidr, text) for number, text in ports for cidr in cidrs]


def egress_rules() -> list[Rule]:
    """Return the egress rule, which lets the instance reach the internet."""
    return [Rule("-1", None, None, "cidr_ip", "0.0.0.0/0", OUT_TEXT)]


def read_rules(permissions: t.Iterable[t.Mapping[str, t.Any]], account: str = "") -> list[Rule]:
    """Return the rules in EC2's description of a group, one for each peer."""
    found = []
    for entry in permissions:
        protocol = str(entry.get("IpProtocol", "-1"))
        ports = (None, None) if protocol == "-1" else (entry.get("FromPort"), entry.get("ToPort"))
        for key, field, kind in SOURCES:
            found += [
                Rule(protocol, *ports, kind, str(peer[field]), peer.get("Description") or "")
                for peer in entry.get(key) or []
            ]
        for peer in entry.get("UserIdGroupPairs") or []:
            group, owner = str(peer.get("GroupId") or ""), str(peer.get("UserId") or account)
            # A group of another account is described as account/id/name; the name does not matter then.
            name = group if owner == account else f"{owner}/{group}/{peer.get('GroupName') or group}"
            found.append(Rule(protocol, *ports, "group_id", name, peer.get("Description") or ""))
    return found


def merge_rules(present: t.Sequence[Rule], desired: t.Sequence[Rule]) -> list[Rule]:
    """Return the desired rules of a group of ours, and those that its owner has added."""
    own = [rule for rule in present if not rule.is_ours]
    keys = {rule.peer_key for rule in own if rule.text}
    # What lets out everything has no description as long as it is EC2's own; ours takes its place.
    own = [rule for rule in own if rule.text or rule.peer_key not in {new.peer_key for new in desired}]
    return [rule for rule in desired if rule.peer_key not in keys] + own


def lab_group(
    lab: str,
    owner: str,
    first: str,
    groups: t.Iterable[t.Mapping[str, t.Any]],
    vpc_id: str,
    attached: t.Collection[str] = (),
) -> t.Mapping[str, t.Any]:
    """Return the group of this lab; empty where it has none.

    That of its instance goes before that of the requested name.
    """
    found = [group for group in groups if group.get("VpcId") == vpc_id and is_ours(group, lab, owner)]
    found = [group for group in found if group.get("GroupName") != workers_group(lab)]
    for group in found:
        if group.get("GroupId") in attached:
            return group
    names = names_of(lab, first)
    return next((group for name in names for group in found if group.get("GroupName") == name), {})


def workers_group(lab: str) -> str:
    """Return the name of the group that a lab's machine and its workers are in."""
    return f"desi-lab-{lab}-workers"


def has_foreign_ingress(group: t.Mapping[str, t.Any]) -> bool:
    """Return whether ingress rules of a group name anybody but its own members."""
    for rule in group.get("IpPermissions") or []:
        pairs = rule.get("UserIdGroupPairs") or []
        if any(pair.get("GroupId") != group.get("GroupId") for pair in pairs):
            return True
        if any(rule.get(kind) for kind in ("IpRanges", "Ipv6Ranges", "PrefixListIds")):
            return True
    return False


def own_workers_group(lab: str, owner: str, groups: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Return the id of the workers' group; empty where the lab has none, or one with foreign ingress rules."""
    named = (group for group in groups if group.get("GroupName") == workers_group(lab))
    return next(
        (str(group["GroupId"]) for group in named if is_ours(group, lab, owner) and not has_foreign_ingress(group)), ""
    )


def names_of(lab: str, first: str) -> list[str]:
    """Return the names that the group of a lab may have, in the order in which they are tried."""
    return [first, f"{first}-{lab}"]


def plan_security_group(
    lab: str,
    owner: str,
    first: str,
    groups: t.Sequence[t.Mapping[str, t.Any]],
    vpc_id: str,
    desired: t.Sequence[Rule],
    attached: t.Collection[str] = (),
    account: str = "",
) -> SecurityGroup:
    """Return the group to use: one of ours, else one to be made under the first name that is free.

    ``groups`` are those of any name that may matter; ``attached`` are the ids of those of the lab's instance.
    """
    check_name(first)
    names = names_of(lab, first)
    taken = {str(group.get("GroupName")) for group in groups if group.get("VpcId") == vpc_id}
    chosen = lab_group(lab, owner, first, groups, vpc_id, attached)
    if not chosen:
        name = next((name for name in names if name not in taken), "")
        if not name:
            raise LabError(
                f"Neither {names[0]} nor {names[1]} is free for the security group of this lab.",
                "Groups of these names exist that are not this lab's, and they are never changed.",
                "choose another name: -e lab_security_group=…",
            )
        notes = [f"A security group {first} exists that is not this lab's. It is left alone; this one is {name}."]
        text = f"DESI Lab {lab}: who may reach it"
        out = egress_rules()
        return SecurityGroup(
            name, "", vpc_id, text, list(desired), out, list(desired), [], [], notes if name != first else []
        )
    return _kept(chosen, names, vpc_id, desired, account)


def _kept(
    group: t.Mapping[str, t.Any], names: t.Sequence[str], vpc_id: str, desired: t.Sequence[Rule], account: str
) -> SecurityGroup:
    name, notes = str(group["GroupName"]), []
    if name not in names:
        notes = [f"The machine has the security group {name}; lab_security_group is for new machines."]
    elif name != names[0]:
        notes = [f"The security group of this lab is {name}, because {names[0]} is not this lab's."]
    present_in = read_rules(group.get("IpPermissions") or [], account)
    present_out = read_rules(group.get("IpPermissionsEgress") or [], account)
    both = merge_rules(present_in, desired), merge_rules(present_out, egress_rules())
    opened, keys = _missing(both[0], present_in), {rule.peer_key for rule in both[0]}
    # EC2 tells rules in any order; people read those of the guide in that of the guide.
    closed = sorted((rule for rule in present_in if rule.peer_key not in keys), key=lambda rule: TEXTS.index(rule.text))
    also = ["lets out everything"] if _missing(both[1], present_out) else []
    known = {*present_in, *present_out, *opened}
    if not also and any(rule not in known for rules in both for rule in rules):
        also = ["descriptions of its rules"]
    text = str(group.get("Description", ""))
    return SecurityGroup(name, str(group["GroupId"]), vpc_id, text, *both, opened, closed, also, notes)


def _missing(desired: t.Iterable[Rule], present: t.Iterable[Rule]) -> list[Rule]:
    keys = {rule.peer_key for rule in present}
    return [rule for rule in desired if rule.peer_key not in keys]


def rules_text(rules: t.Iterable[Rule]) -> str:
    """Return rules as people read them: the ports that a peer may use, peer by peer."""
    ports: dict[str, list[str]] = {}
    for rule in rules:
        ports.setdefault(rule.peer, []).append(rule.ports)
    peers: dict[str, list[str]] = {}
    for peer, numbers in ports.items():
        peers.setdefault(", ".join(dict.fromkeys(numbers)), []).append(peer)
    return " and ".join(f"{numbers} from {', '.join(whom)}" for numbers, whom in peers.items())
