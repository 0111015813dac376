# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of tutorials says what a run of them found."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("tutorials_page", ROOT / "tests/e2e/tutorials_page.py")
page = sys.modules["tutorials_page"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(page)

TABLE = """
| notebook | release | runs | what stops it |
|---|---|---|---|
| 01_a/One | dr1 | whole | |
| 01_a/Web | dr1 | not tried | asks a database |
| 02_b/Two | edr | up to cell 7 of 23 | needs *templates* |
"""
STOPPED = "    What  The notebook Two.ipynb stopped at cell {} of 23.\n    Why   KeyError: a|b\n    Do    See it.\n"


def test_rows_of_the_page_are_those_that_are_tried():
    found = page.rows((ROOT / "docs/notebooks.md").read_text())
    assert len(found) == 9
    assert {row.release for row in found} == {"dr1", "edr"}
    assert [row.name for row in page.rows(TABLE)] == ["01_a/One", "02_b/Two"]


@pytest.mark.parametrize(
    ("code", "shown", "row"),
    [
        (2, STOPPED.format(7), "| 02_b/Two | edr | up to cell 7 of 23 | needs *templates* |"),
        (2, STOPPED.format(9), "| 02_b/Two | edr | up to cell 9 of 23 | KeyError: a\\|b |"),
        (2, STOPPED.format(1), "| 02_b/Two | edr | no | KeyError: a\\|b |"),
        (0, "", "| 02_b/Two | edr | whole | |"),
    ],
)
def test_only_the_row_of_the_notebook_gets_the_outcome_of_its_run(code, shown, row):
    new = page.written(TABLE, "02_b/Two", *page.outcome(code, shown))
    assert new.splitlines() == [*TABLE.splitlines()[:-1], row]
    assert page.written(new, "02_b/Two", *page.outcome(code, shown)) == new
