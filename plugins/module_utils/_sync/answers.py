# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parser of the agent's answers; an answer of another shape is refused as a whole."""

from __future__ import annotations

import typing as t

from .._common.names import (
    INT64,
    MAX_NAME,
    BadAnswer,
    RelativeName,
    mapping,
    refused,
    sequence,
    shown,
    strict_json,
    truth,
    whole_number,
)
from .agent import NEVER
from .patterns import MAX_LINE, MAX_LINES, MAX_TEXT

MAX_ENTRIES = 500_000
MAX_BYTES = 128 * 2**20
KINDS = ("file", "link")
_HEX = frozenset("0123456789abcdef")

Entries = t.Dict[str, t.List[t.Any]]  # noqa: UP006 - evaluated by Python 3.9, too


def parse(data: bytes, machine: str, request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the parsed answer to a request. Raises LabError with the machine's name."""
    try:
        return parsed(strict_json(data, MAX_BYTES), request)
    except BadAnswer as error:
        do = ""
        if len(data) > MAX_BYTES or str(error) == _TOO_MANY:
            do = "Leave out what need not be synced by lines in the file .labignore, then run the same command again."
        raise refused(machine, str(error), do) from None


_TOO_MANY = f"it names more than {MAX_ENTRIES} files"


def parsed(found: object, request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return an answer of the request's shape. Raises BadAnswer."""
    if isinstance(found, dict) and "error" in found:
        return {"error": shown(_string(mapping(found, ("error",))["error"], 100_000))}
    return _PARSERS[request["do"]](found, request)


def _string(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise BadAnswer("a part of it is not a text of a sensible length")
    return value


def _listing(found: object, _request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    answer = mapping(found)
    absent = truth(answer.get("absent", False))
    mapping({**answer, "absent": absent}, ("lines", "files", "absent", "old"))
    lines = [_string(line, MAX_LINE) for line in sequence(answer["lines"], MAX_LINES)]
    if sum(map(len, lines)) > MAX_TEXT:
        raise BadAnswer("its patterns are too long")
    return {"lines": lines, "files": entries(answer["files"]), "absent": absent, "old": truth(answer["old"])}


def entries(found: object) -> Entries:
    """Return entries by path. Raises BadAnswer."""
    if isinstance(found, dict) and len(found) > MAX_ENTRIES:
        raise BadAnswer(_TOO_MANY)
    files = {_name(path): entry(about) for path, about in mapping(found, most=MAX_ENTRIES).items()}
    directories: set[str] = set()
    for path in files:
        above = path.rpartition("/")[0]
        while above and above not in directories:
            directories.add(above)
            above = above.rpartition("/")[0]
    for path in directories & files.keys():
        raise BadAnswer(f"{shown(path)} is a file and a folder")
    return files


def _name(value: object) -> RelativeName:
    name = RelativeName(value)
    if not set(NEVER).isdisjoint(name.split("/")):
        raise BadAnswer(f"{shown(name)} is never synced")
    return name


def entry(found: object) -> list[t.Any]:
    """Return kind, size, time and link target of a file. Raises BadAnswer."""
    about = sequence(found, 4)
    if len(about) != 4 or about[0] not in KINDS:
        raise BadAnswer("what it says of a file is not of the right shape")
    kind, size, time, target = about
    if kind == "file" and target != "":
        raise BadAnswer("what it says of a file is not of the right shape")
    if "\0" in _string(target, MAX_NAME):
        raise BadAnswer("a link leads to what is no path")
    return [str(kind), whole_number(size, 0), whole_number(time, -INT64), target]


def _digests(found: object, request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    hashes = mapping(mapping(found, ("digests",))["digests"], most=MAX_ENTRIES)
    if not hashes.keys() <= set(request["paths"]):
        raise BadAnswer("it compares files that nobody asked for")
    if any(not isinstance(value, str) or len(value) != 64 or not _HEX.issuperset(value) for value in hashes.values()):
        raise BadAnswer("a part of it is not a hash")
    return {"digests": hashes}


def _prepared(found: object, request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    missing = sequence(mapping(found, ("missing",))["missing"], MAX_ENTRIES)
    names = [_name(path) for path in missing]
    if not set(names) <= set(request["sends"]):
        raise BadAnswer("it misses files that nobody asked for")
    return {"missing": names}


def _settled(found: object, request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    answer = mapping(found, ("entries", "changed"))
    placed = mapping(answer["entries"], most=2 * len(request["steps"]))
    changed = [_name(path) for path in sequence(answer["changed"], len(request["steps"]))]
    if not set(changed) <= {step["path"] for step in request["steps"]}:
        raise BadAnswer("it tells of files that nobody asked for")
    # A file that was removed at once has no entry.
    return {
        "entries": {_name(path): None if about is None else entry(about) for path, about in placed.items()},
        "changed": changed,
    }


_PARSERS: dict[str, t.Callable[[t.Any, t.Mapping[str, t.Any]], dict[str, t.Any]]] = {
    "list": _listing,
    "digests": _digests,
    "prepare": _prepared,
    "settle": _settled,
}
