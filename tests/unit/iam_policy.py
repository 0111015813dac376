# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a policy of IAM allows a request: as much of its language as docs/iam-policy.json uses, without a guess.

An operator or an element that is not known here is an error, so that nothing is taken for a condition that is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

_VARIABLE = re.compile(r"\$\{([^},]+)(?:, '([^']*)')?\}")
_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}
_OPERATORS = {"StringEquals", "StringEqualsIfExists", "ForAllValues:StringEquals"}


class Request(NamedTuple):
    """What somebody wants to do, to what, and what AWS knows of it. Values are texts, or lists of them."""

    action: str
    resource: str
    context: Mapping[str, Any]


class UnresolvedError(Exception):
    """A variable has no value, so its statement says nothing."""


def allows(policy: Mapping[str, Any], request: Request) -> bool:
    """Return whether a policy allows a request: some statement does, and there are none that deny."""
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Allow"}
    return any(applies(statement, request) for statement in policy["Statement"])


def listed(value: Any) -> list[Any]:
    """Return the values of an element, which may be one by itself."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    assert set(statement) <= _ELEMENTS, statement
    context = {key.lower(): value for key, value in request.context.items()}
    try:
        return (
            request.action in listed(statement["Action"])
            and any(re.fullmatch(_pattern(one, context), request.resource) for one in listed(statement["Resource"]))
            and all(
                condition(operator, key, listed(wanted), context)
                for operator, keys in statement.get("Condition", {}).items()
                for key, wanted in keys.items()
            )
        )
    except UnresolvedError:
        return False


def _pattern(text: str, context: Mapping[str, Any]) -> str:
    """Return a regular expression. What a variable stands for is taken as it is, whatever signs it has."""
    found, position = "", 0
    for variable in _VARIABLE.finditer(text):
        found += _wild(text[position : variable.start()]) + re.escape(_value(variable, context))
        position = variable.end()
    return found + _wild(text[position:])


def _wild(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*")


def _value(variable: re.Match[str], context: Mapping[str, Any]) -> str:
    value = context.get(variable[1].lower(), variable[2])
    if not isinstance(value, str):
        raise UnresolvedError(variable[1])
    return value


def condition(operator: str, key: str, wanted: Iterable[str], context: Mapping[str, Any]) -> bool:
    """Return whether one key of a condition is met. Keys of conditions are the same in small and capital letters."""
    assert operator in _OPERATORS, operator
    # Variables are looked up first: one that there is none of voids the statement, whatever it is compared with.
    texts = [_VARIABLE.sub(lambda variable: _value(variable, context), one) for one in wanted]
    value = context.get(key.lower())
    if value is None:
        return operator != "StringEquals"
    met = [one in texts for one in listed(value)]
    return all(met) if operator.startswith("ForAllValues:") else any(met)
