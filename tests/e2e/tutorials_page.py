# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of DESI's tutorials in docs/notebooks.md: read, compared with a run, and written."""

from __future__ import annotations

import re
import typing as t

ROW = re.compile(r"^\| (\d\d_\S+) \| (\w+) \| (whole|no|up to cell \d+ of \d+) \| (.*?) ?\|$", re.MULTILINE)
STOPPED = re.compile(r"stopped at cell (\d+) of (\d+)")


class Row(t.NamedTuple):
    """How far a tutorial runs in a lab of a release, and what stops it."""

    name: str
    release: str
    runs: str
    why: str


def rows(page: str) -> list[Row]:
    """Return the rows of the tutorials that are tried."""
    return [Row(*match.groups()) for match in ROW.finditer(page)]


def outcome(code: int, shown: str) -> tuple[str, str]:
    """Return how far a notebook ran, as the table says it, and why no further."""
    if code == 0:
        return "whole", ""
    stopped = STOPPED.search(shown)
    assert stopped, shown
    why = re.search(r"^ *Why +(.+)$", shown[stopped.end() :], re.MULTILINE)
    runs = "no" if stopped[1] == "1" else f"up to cell {stopped[1]} of {stopped[2]}"
    return runs, why[1].strip().replace("|", "\\|") if why else ""


def written(page: str, name: str, runs: str, why: str) -> str:
    """Return the page with what a run found. What a person wrote about the same end stays."""

    def replace(match: re.Match[str]) -> str:
        row = Row(*match.groups())
        if row.name != name or row.runs == runs:
            return match[0]
        return f"| {name} | {row.release} | {runs} | {why + ' ' if why else ''}|"

    return ROW.sub(replace, page)
