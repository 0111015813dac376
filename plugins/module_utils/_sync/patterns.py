# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ignore patterns of a sync, in the syntax of .gitignore.

They may come from somebody else, so a match takes a time that is bounded: at most the length of the pattern times that
of the path. The text of this file is sent to machines, too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

USUAL = (".ipynb_checkpoints/", "__pycache__/", ".Trash-*/", "*.nbi", "*.nbc", ".DS_Store", "THIS LAB STOPS AT *.txt")
"""What nobody misses, and the warning of a lab's watcher, which is wrong anywhere but there.

Whoever does writes it with an exclamation mark into their own file."""
MAX_LINES = 1000
MAX_LINE = 1024
MAX_TEXT = 65_536

_WORDS = re.compile(r"\*+|\?|\[[!^]?\]?[^\]]*\]|\\.|.", re.DOTALL)
_SPECIAL = re.compile(r"([\\\[\]^&~|])")
_DEEP = "**"


class Rule(NamedTuple):
    """A parsed pattern: one expression for each part of a path, or None for any number of parts."""

    parts: tuple[re.Pattern[str] | None, ...]
    anywhere: bool
    directories_only: bool
    ignores: bool

    def matches(self, path: list[str]) -> bool:
        if self.anywhere:
            part = self.parts[0]
            return part is None or part.fullmatch(path[-1]) is not None
        return _matches(self.parts, path)


def _matches(parts: tuple[re.Pattern[str] | None, ...], path: list[str]) -> bool:
    """Match part by part. Only the last ``**`` backtracks, which is sufficient and bounded."""
    at, place, retry, resume = 0, 0, -1, 0
    while place < len(path):
        if at < len(parts) and parts[at] is None:
            # At the end it matches at least one part, elsewhere any number.
            if at == len(parts) - 1:
                return True
            retry, resume, at = at, place, at + 1
        elif at < len(parts) and _is_match(parts[at], path[place]):
            at, place = at + 1, place + 1
        elif retry >= 0:
            resume += 1
            at, place = retry + 1, resume
        else:
            return False
    return at == len(parts)


def _is_match(part: re.Pattern[str] | None, name: str) -> bool:
    return part is not None and part.fullmatch(name) is not None


def rule_of(line: str) -> Rule | None:
    """Parse a line as git does; None for blank lines and comments."""
    text = line.rstrip("\r\n")
    text = text if text.endswith("\\ ") else text.rstrip(" ")
    if not text or text.startswith("#") or len(text) > MAX_LINE:
        return None
    ignores = not text.startswith("!")
    text = text if ignores else text[1:]
    directories_only, text = text.endswith("/"), text.rstrip("/")
    if not text:
        return None
    words = text.lstrip("/").split("/")
    try:
        parts = tuple(None if word == _DEEP else re.compile(_expression(word), re.DOTALL) for word in words)
    except re.error:
        return None
    return Rule(parts, "/" not in text, directories_only, ignores)


def _expression(word: str) -> str:
    """Return an expression that never backtracks into a star."""
    pieces: list[str] = [""]
    for found in _WORDS.findall(word):
        if found.startswith("*"):
            if len(pieces) == 1 or pieces[-1]:
                pieces.append("")
        elif found == "?":
            pieces[-1] += "."
        elif found.startswith("[") and len(found) > 2:
            negated = found[1] in "!^"
            inside = found[2:-1] if negated else found[1:-1]
            pieces[-1] += ("[^" if negated else "[") + _SPECIAL.sub(r"\\\1", inside) + "]"
        else:
            pieces[-1] += re.escape(found[1:] if found.startswith("\\") and len(found) > 1 else found)
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    held = "".join(f"(?=(?P<g{n}>.*?{piece}))(?P=g{n})" for n, piece in enumerate(middle))
    return f"{first}{held}.*{last}"


def rules_of(lines: list[str]) -> list[Rule]:
    """Return the rules, default ones first."""
    return [rule for rule in map(_rule_of, [*USUAL, *lines]) if rule]


_rule_of = lru_cache(maxsize=4 * MAX_LINES)(rule_of)


def is_ignored(path: str, is_directory: bool, rules: list[Rule]) -> bool:
    """Return whether a path is ignored; the last matching rule counts."""
    parts = path.split("/")
    for rule in reversed(rules):
        if (is_directory or not rule.directories_only) and rule.matches(parts):
            return rule.ignores
    return False


def lines_of(data: bytes) -> list[str]:
    """Return the lines of a pattern file. Raises OSError if there are too many."""
    lines = data.decode("utf-8", "replace").splitlines()
    if len(data) > MAX_TEXT or len(lines) > MAX_LINES:
        raise OSError(f"It has more than {MAX_LINES} lines or {MAX_TEXT} bytes.")
    return lines
