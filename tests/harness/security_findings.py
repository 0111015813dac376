# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plugin for pytest, and a table: which tests attack as a finding of docs/security.md does, and how they ended."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from pathlib import Path

# The file to which each test adds a line; the parts of one run share it.
RECORD = "DESI_LAB_SECURITY_RECORD"
_OUTCOMES = ("failed", "skipped", "passed")


def pytest_collection_modifyitems(config, items):
    """Keep the tests that attack, and those that they go on from. Each notes which findings it attacks as."""
    kept, going_on = [], set()
    for item in reversed(items):
        findings = [finding for marker in item.iter_markers("security") for finding in marker.args]
        # The tests of a class, and of a module that says so, are the days of one lab, in order.
        story = item.cls or (item.module if getattr(item.module, "IN_ORDER", False) else None)
        if findings:
            # A report has no markers, but it keeps these properties.
            item.user_properties.append(("security", findings))
            going_on.add(story)
        if findings or (story is not None and story in going_on):
            kept.append(item)
    chosen = set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = reversed(kept)


def pytest_runtest_logreport(report):
    """Add a line for a test that attacks: it has ended with its call, or in its preparation."""
    findings = dict(report.user_properties).get("security")
    record = os.environ.get(RECORD)
    # With pytest-xdist, workers report to the one process that has no such variable.
    if not findings or not record or "PYTEST_XDIST_WORKER" in os.environ:
        return
    if report.when == "call" or report.outcome != "passed":
        line = json.dumps({"findings": findings, "test": report.nodeid, "outcome": report.outcome})
        with Path(record).open("a") as file:
            file.write(line + "\n")


def table(record: Path) -> str:
    """Return a line for each finding: its id, how many of its tests passed, and their files."""
    ended: dict[str, dict[str, str]] = defaultdict(dict)
    for line in record.read_text().splitlines() if record.exists() else []:
        entry = json.loads(line)
        for finding in entry["findings"]:
            before = ended[finding].get(entry["test"], "passed")
            ended[finding][entry["test"]] = min(before, entry["outcome"], key=_OUTCOMES.index)
    lines = []
    for finding in sorted(ended, key=in_order):
        tests = ended[finding]
        passed = sum(outcome == "passed" for outcome in tests.values())
        files = sorted({Path(test.split("::")[0]).name for test in tests})
        state = "held" if passed == len(tests) else "BROKEN"
        lines.append(f"  {finding:<5}{state:<8}{passed:>4} of {len(tests):<5}{', '.join(files)}")
    return "\n".join(lines)


def in_order(finding: str) -> tuple[int, str, int]:
    """Sort by gravity (critical, high, medium, low), then whatever else there is, each by its number."""
    letter, number = re.fullmatch(r"([A-Z]+)(\d+)", finding).groups()
    return "CHML".index(letter) if letter in "CHML" else 4, letter, int(number)
