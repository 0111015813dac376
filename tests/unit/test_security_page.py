# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/security.md names the tests that hold each promise, and those are there."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/security.md"


def attacks() -> dict[str, set[str]]:
    """The files of the tests with marker security, by the finding that they attack as."""
    found = defaultdict(set)
    for path in ROOT.glob("tests/**/test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.security":
                for finding in map(ast.literal_eval, node.args):
                    # Some attack no finding of the page, but a point that was asked for beside them.
                    if not finding.startswith("P"):
                        found[finding].add(path.name)
    return found


def rows() -> dict[str, set[str]]:
    """The tests that the page names, by finding."""
    lines = re.findall(r"^\| ([A-Z]\d+) \| [^|]+ \| ([^|]*) \|$", PAGE.read_text(), re.MULTILINE)
    return {finding: set(re.findall(r"test_\w+\.py", tests)) for finding, tests in lines}


def test_the_page_names_the_tests_of_each_finding():
    assert rows() == dict(attacks())
