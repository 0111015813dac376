# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand: which rule hits a call or a machine, and how often it may. helpers.py writes such rules."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Rule = dict[str, Any]

# What a rule may be about, and what it has to say then.
KINDS: Mapping[str, frozenset[str]] = {
    # The answer to a call.
    "call": frozenset({"code"}),
    # The vCPUs that may run.
    "quota": frozenset({"vcpus"}),
    # A machine that takes its time to boot; whose sshd listens late, or never, or lets nobody in; that dies.
    "slow_boot": frozenset({"seconds"}),
    "ssh_late": frozenset({"seconds"}),
    "ssh_refused": frozenset(),
    "ssh_rejects_key": frozenset(),
    # Somebody else answers in its place: it has another host key than the one in its user data.
    "ssh_another_host": frozenset(),
    "dies": frozenset({"seconds"}),
    # What is not allowed in does not answer, as on EC2, where by default it is refused.
    "closed_is_silent": frozenset(),
}
ENDS = ("terminated", "stopped", "silent")
# What rules of each kind may say besides; all may say how many times they hit.
MORE: Mapping[str, frozenset[str]] = {
    "call": frozenset({"service", "action", "zone", "type", "spot", "match", "status", "message", "after", "drop"}),
    "dies": frozenset({"as"}),
}


class BadRuleError(ValueError):
    """A rule that cannot be meant."""


@dataclass(frozen=True)
class Call:
    """A call as far as rules look at it."""

    service: str
    action: str
    parameters: Mapping[str, str]
    zone: str = ""

    def is_hit_by(self, rule: Rule) -> bool:
        """Return whether a rule is about this call."""
        spot = self.parameters.get("InstanceMarketOptions.MarketType") == "spot"
        wanted = {
            "service": self.service,
            "action": self.action,
            "zone": self.zone,
            "type": self.parameters.get("InstanceType", ""),
            "spot": spot or self.action == "RequestSpotInstances",
        }
        return all(rule[name] == value for name, value in wanted.items() if name in rule) and all(
            self.parameters.get(name) == value for name, value in rule.get("match", {}).items()
        )


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: dict[int, Rule] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, rules: Sequence[Rule]) -> list[int]:
        """Put rules in force, all or none; return their numbers."""
        for rule in rules:
            check(rule)
        with self._lock:
            added = {next(self._numbers): dict(rule) for rule in rules}
            self._rules |= added
            return list(added)

    def remove(self, number: int | None = None) -> None:
        """Take one rule back, or all."""
        with self._lock:
            if number is None:
                self._rules.clear()
            else:
                self._rules.pop(number, None)

    def all(self) -> dict[int, Rule]:
        """Return the rules in force, with what is left of their times."""
        with self._lock:
            return {number: dict(rule) for number, rule in self._rules.items()}

    def for_call(self, call: Call) -> Rule | None:
        """Return the rule that hits a call, and count it."""
        with self._lock:
            return self._use(rule for rule in self._rules.values() if rule["kind"] == "call" and call.is_hit_by(rule))

    def use(self, kind: str) -> Rule | None:
        """Return the rule of a kind, and count it."""
        with self._lock:
            return self._use(rule for rule in self._rules.values() if rule["kind"] == kind)

    def seen(self, kind: str) -> Rule | None:
        """Return the rule of a kind without counting it."""
        with self._lock:
            return next((dict(rule) for rule in self._rules.values() if rule["kind"] == kind), None)

    @staticmethod
    def _use(rules: Any) -> Rule | None:
        for rule in rules:
            left = rule.get("times")
            if left == 0:
                continue
            if left is not None:
                rule["times"] = left - 1
            return dict(rule)
        return None


def check(rule: object) -> None:
    """Raise if a rule cannot be meant."""
    if not isinstance(rule, dict) or rule.get("kind") not in KINDS:
        raise BadRuleError(f"A rule has a kind, one of {', '.join(KINDS)}. This is none: {rule!r}.")
    missing = KINDS[rule["kind"]] - rule.keys()
    if missing:
        raise BadRuleError(f"A rule of kind {rule['kind']} says {', '.join(sorted(missing))}. This does not: {rule!r}.")
    unknown = rule.keys() - KINDS[rule["kind"]] - MORE.get(rule["kind"], frozenset()) - {"kind", "times"}
    if unknown:
        raise BadRuleError(f"A rule of kind {rule['kind']} says no {', '.join(sorted(unknown))}: {rule!r}.")
    for name in ("times", "seconds", "vcpus"):
        if name in rule and (
            isinstance(rule[name], bool) or not isinstance(rule[name], (int, float)) or rule[name] < 0
        ):
            raise BadRuleError(f"In a rule, {name} is a number that is not negative, and not {rule[name]!r}.")
    if rule.get("as", ENDS[0]) not in ENDS:
        raise BadRuleError(f"A machine ends as one of {', '.join(ENDS)}, and not as {rule['as']!r}.")
