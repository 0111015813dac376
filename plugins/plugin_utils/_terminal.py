# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layout of terminal lines: columns, wrapping, color, and encodings.

Nothing here reads or writes anything; every function turns text into text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from ..module_utils._common.humanize import duration
from ..module_utils._common.text import clean, one_line

WIDEST = 100
"""Longer lines are hard to read, so a wide terminal (or a file) is not filled."""

HOW_AT = 44
TIME_ENDS_AT = 68
ABOUT_AT_LEAST = 24

_STYLES = {"bold": "1", "dim": "2", "bad": "1;31", "good": "32", "changed": "33"}
_PLAIN = {
    "✓": "+",
    "✗": "x",
    "…": "...",
    "·": "-",
    "→": "->",
    "–": "-",  # noqa: RUF001
    "—": "-",
    "‘": "'",  # noqa: RUF001
    "’": "'",  # noqa: RUF001
    "“": '"',
    "”": '"',
    "×": "x",  # noqa: RUF001
    "\u00a0": " ",
}
_PIECES = re.compile(r"\s*(?:-e )?\S+")
_LABEL = re.compile(r"\S(?:.{0,18}?\S)?\s{2,}(?=\S)")


class Paint:
    """Colors a text, if wanted."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.on and text else text


def fit(text: str, encoding: str) -> str:
    """Return a text in letters that the encoding has."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = "".join(_say(letter, encoding) for letter in text)
    except LookupError:
        text = fit(text, "ascii")
    return text


def _say(letter: str, encoding: str) -> str:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        bare = unicodedata.normalize("NFKD", letter)[0]
        return _PLAIN.get(letter) or (bare if bare.isascii() else "?")
    return letter


def cells(text: str) -> int:
    """Return the display width: wide letters take two columns, combining ones none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def cut(text: str, width: int) -> str:
    """Shorten a text to a display width, with an ellipsis."""
    if cells(text) <= width:
        return text
    kept = ""
    for letter in text:
        if cells(kept + letter) > width - 1:
            break
        kept += letter
    return kept.rstrip() + "…" if width > 0 else ""


def wrap(text: str, width: int, indent: int = 0) -> list[str]:
    """Wrap a text at spaces, with an indent. A long word, such as a URL, stays whole."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _PIECES.findall(paragraph):
            if line and indent + cells(line + piece) > width:
                lines.append(line)
                line, piece = "", piece.lstrip()
            line += piece
        lines.append(line)
    return [(" " * indent + line).rstrip() for line in lines]


def step_lines(name: str, how: str, took: str, width: int, paint: Paint, mark: str = "✓") -> list[str]:
    """Lay out a step in columns: mark, name, how, time; on a second line if they do not fit."""
    name, how = one_line(name), one_line(how)
    start = "  " + paint(mark, {"✓": "good", "✗": "bad"}.get(mark, "changed")) + " "
    ends_at = min(TIME_ENDS_AT, width)
    how_at = max(min(HOW_AT, ends_at - 24), 16)
    right = (pad(how, ends_at - how_at - cells(took) - 2) + "  " + took).rstrip() if took else how
    if not right:
        return [start + name]
    if cells(name) + 6 <= how_at:
        return [start + pad(name, how_at - 4) + right]
    right = "  ".join(part for part in (how, took) if part)
    if cells(name) + cells(right) + 6 <= width:
        return [start + name + " " * max(ends_at - 4 - cells(name) - cells(right), 2) + right]
    first, *rest = wrap(name, width, indent=4)
    return [start + first[4:], *rest, " " * how_at + right]


def cell_lines(title: str, seconds: float, good: bool, width: int, paint: Paint) -> list[str]:
    """Lay out a part of a step, such as a notebook cell, on one line."""
    took = duration(seconds)
    space = min(TIME_ENDS_AT, width) - 6 - max(cells(took), 6)
    return step_lines(cut(one_line(title), space), "", took, width, paint, "✓" if good else "✗")


FOUND_AT = 30
_VERDICTS = {"ok": ("✓", "good"), "warning": ("!", "changed"), "broken": ("✗", "bad"), "skipped": ("–", "dim")}  # noqa: RUF001 - the dash is meant


def finding_lines(finding: Mapping[str, object], width: int, paint: Paint) -> list[str]:
    """Lay out a finding: mark, title and text on a line, why and do below."""
    mark, style = _VERDICTS[str(finding["verdict"])]
    title, found = one_line(str(finding["title"])), one_line(str(finding["found"]))
    start, column = f"  {paint(mark, style)} ", min(FOUND_AT, width // 2)
    first, *rest = wrap(found, width, column)
    lines = [start + pad(title, column - 4) + first[column:], *rest]
    if cells(title) + 6 > column:
        lines = [start + title, first, *rest]
    remedies = [(label, str(finding.get(name) or "")) for label, name in (("Why", "why"), ("Do", "do"))]
    return [*(line.rstrip() for line in lines), *labeled(remedies, width, paint)]


def clock_line(label: str, seconds: float, width: int) -> str:
    """Lay out the status line, always narrower than the terminal."""
    clock = f" {duration(seconds, whole=True)}" if seconds >= 1 else ""
    return f"  … {cut(label, width - 5 - len(clock))}{clock}"


def labeled(rows: Sequence[tuple[str, str]], width: int, paint: Paint, indent: int = 4) -> list[str]:
    """Lay out labeled rows with a hanging indent; rows without text are left out."""
    rows = [(label, clean(text).strip()) for label, text in rows if text.strip()]
    column = indent + max((cells(label) for label, _text in rows), default=0) + 2
    lines: list[str] = []
    for label, text in rows:
        first, *rest = wrap(text, width, column)
        lines += [" " * indent + paint(label, "bold") + first[indent + cells(label) :], *rest]
    return lines


def box(lines: Sequence[Mapping[str, object]], notes: Sequence[str]) -> list[str]:
    """Compose the closing box as plain lines: rows, then notes."""
    rows = [[one_line(str(line.get(key) or "")) for key in ("label", "text", "about")] for line in lines]
    column = max((cells(label) for label, _text, _about in rows), default=0) + 2
    texts = max((cells(text) + 2 for _label, text, about in rows if about), default=0)
    composed = [
        (pad(label, column) + (pad(text, max(texts, ABOUT_AT_LEAST)) + about if about else text)).rstrip()
        for label, text, about in rows
    ]
    return composed + ([""] if notes else []) + [one_line(note) for note in notes]


def show_box(composed: Sequence[str], width: int, paint: Paint) -> list[str]:
    """Lay out a composed box for the screen: indented, wrapped, with bold labels."""
    shown: list[str] = []
    in_notes = False
    for line in composed:
        in_notes = in_notes or not line
        label = None if in_notes else _LABEL.match(line)
        word = label.group().rstrip() if label else ""
        column = 2 + (cells(label.group()) if label else 0)
        first, *rest = wrap(line[label.end() :] if label else line, width, column)
        shown += ["  " + paint(word, "bold") + first[2 + cells(word) :], *rest]
    return [line.rstrip() for line in shown]


def check_verdict(would: int, done: int) -> str:
    """Return the summary of a run in check mode."""
    but = f"; {done} {'was' if done == 1 else 'were'} done anyway" if done else ""
    what = f"{would} step{'s' * (would != 1)} would change something" if would else "nothing would change"
    return f"  Check only: {what}{but}."


def recap_lines(figures: Mapping[str, Mapping[str, int]], seconds: float) -> list[str]:
    """Return the recap for programs; hosts are named if there are several."""
    lines = []
    column = max(map(cells, figures), default=0)
    for host, figure in figures.items():
        line = f"ok={figure['ok']} changed={figure['changed']} failed={figure['failures']}"
        line += f" unreachable={figure['unreachable']}" if figure["unreachable"] else ""
        lines.append(f"  {pad(host, column)}  {line}" if len(figures) > 1 else f"  {line}")
    lines = lines or ["  ok=0 changed=0 failed=0"]
    return [*lines[:-1], f"{lines[-1]} · {duration(seconds)}"]


def document(data: object, encoding: str) -> str:
    """Return a structure as a JSON document; other types become text."""
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    return text if fit(text, encoding) == text else json.dumps(data, indent=2, default=str)
