# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strict parsers for answers of instances, labels, tags and logs.

An answer is parsed in one place before anything else sees it. Any other shape raises BadAnswer.
"""

from __future__ import annotations

import json
import math
import os
import re
import typing as t

from .errors import LabError

LAB_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_NAME = 4096
MAX_PART = 255
INT64 = 2**63
_DIGITS = 25
_SHOWN = 200


class BadAnswer(ValueError):
    """An answer does not have the required shape."""


class RelativeName(str):
    """The name of a file below a directory, which never leads out of it.

    No part is empty, "." or "..", or longer than 255 bytes; the whole has at most 4096 and no NUL.
    """

    __slots__ = ()

    def __new__(cls, text: object) -> RelativeName:
        if not isinstance(text, str):
            raise BadAnswer("a name is not a text")
        parts = text.split("/")
        if any(part in ("", ".", "..") for part in parts) or "\0" in text:
            raise BadAnswer(f"{shown(text)} is not the name of a file in a folder")
        try:
            if len(os.fsencode(text)) > MAX_NAME or any(len(os.fsencode(part)) > MAX_PART for part in parts):
                raise BadAnswer(f"the name {shown(text)} is too long")
        except UnicodeEncodeError:
            raise BadAnswer(f"{shown(text)} is not the name of a file") from None
        return super().__new__(cls, text)


def shown(text: str, limit: int = _SHOWN) -> str:
    """Escape what is not printable."""
    cut = text if len(text) <= limit else f"{text[:limit]}…"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)


def verify_lab_name(name: str) -> None:
    """Raise LabError for what is no name of a lab: without one, AWS would be asked for all labs."""
    if not LAB_NAME.fullmatch(name):
        raise LabError(
            "It is not clear which lab is meant.",
            f'"{shown(name)}" is not the name of one.',
            "Say which: -e lab_name=NAME",
        )


def refused(machine: str, why: str, do: str = "") -> LabError:
    """Return the error for a refused answer."""
    return LabError(
        f"The answer of {machine} is refused, and nothing of it was used.",
        f"It is not what the programs of DESI Lab say: {shown(why)}.",
        do or "Run the same command again. If it stays so, somebody else may be in control of that machine: end it.",
    )


def strict_json(data: bytes | str, limit: int) -> t.Any:  # noqa: ANN401 - checked by whoever asked
    """Parse a document of at most ``limit`` bytes without NaN, duplicate keys or huge numbers."""
    if len(data) > limit:
        raise BadAnswer(f"it is longer than {limit} bytes")
    try:
        return json.loads(
            data, parse_constant=_no_constant, parse_int=_int, parse_float=_float, object_pairs_hook=_object
        )
    except RecursionError:
        raise BadAnswer("it is nested too deep") from None
    except BadAnswer:
        raise
    except ValueError:
        raise BadAnswer("it is not a JSON document") from None


def object_in(text: str | bytes) -> dict[str, t.Any]:
    """Return the JSON object that a text of our own is; an empty one for any other text."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _no_constant(_word: str) -> t.NoReturn:
    raise BadAnswer("it has a number that is none")


def _int(word: str) -> int:
    if len(word) > _DIGITS:
        raise BadAnswer("it has a number without end")
    return int(word)


def _float(word: str) -> float:
    found = float(word) if len(word) <= 4 * _DIGITS else math.inf
    if not math.isfinite(found):
        raise BadAnswer("it has a number without end")
    return found


def _object(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadAnswer("it says something twice")
    return found


def mapping(value: object, keys: t.Collection[str] | None = None, most: int = 10_000) -> dict[str, t.Any]:
    """Return an object, with exactly these keys if given."""
    if not isinstance(value, dict) or len(value) > most:
        raise BadAnswer("a part of it is not an object of a sensible size")
    if keys is not None and set(value) != set(keys):
        raise BadAnswer("an object of it has other keys")
    return value


def sequence(value: object, most: int = 10_000) -> list[t.Any]:
    if not isinstance(value, list) or len(value) > most:
        raise BadAnswer("a part of it is not a list of a sensible length")
    return value


def text(value: object, most: int = 1000) -> str:
    """Return a printable text of bounded length."""
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise BadAnswer("a part of it is not a text that can be printed")
    return value


def whole_number(value: object, least: int = -INT64, most: int = INT64 - 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadAnswer("a part of it is not a whole number in its range")
    return value


def moment(value: object) -> float:
    """Return a time in seconds since 1970, up to the year 9999."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 253_402_300_800:
        raise BadAnswer("a part of it is not a time")
    return value


def truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadAnswer("a part of it is neither true nor false")
    return value


_T = t.TypeVar("_T")


def unless_none(value: object, parse: t.Callable[[object], _T]) -> _T | None:
    return None if value is None else parse(value)


def absolute_path(value: object) -> str:
    """Return an absolute, normalized, printable path."""
    found = text(value, MAX_NAME)
    if not found.startswith("/"):
        raise BadAnswer(f"{shown(found)} is not an absolute path")
    if found != "/":
        RelativeName(found[1:])
    return found
