# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DESI's own tutorials, which nobody wrote for this lab, run in it as far as the page on notebooks says.

They are read from a clone of github.com/desihub/tutorials: DESI_LAB_TUTORIALS=/path ./lab test e2e
With DESI_LAB_TUTORIALS_WRITE=true, too, the page says from then on what they did.
"""

import os
import shutil
from pathlib import Path

import pytest
from conftest import TUTORIALS
from kinds import KINDS, ROOT
from test_notebooks import outputs
from tutorials_page import outcome, rows, written

pytestmark = pytest.mark.kinds(*KINDS)

PAGE = ROOT / "docs" / "notebooks.md"
WRITE = bool(os.environ.get("DESI_LAB_TUTORIALS_WRITE"))


@pytest.mark.parametrize("row", rows(PAGE.read_text()), ids=lambda row: row.name)
def test_tutorial_runs_unchanged_as_far_as_the_page_says(lab, tmp_path, row):
    if row.release != lab.release:
        pytest.skip(f"it is about {row.release}")
    # A clone as a person has it: notebooks find what lies beside them.
    clone = (lab.folder or tmp_path) / "tutorials"
    shutil.copytree(TUTORIALS, clone, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))
    for path in (clone, *clone.rglob("*")):
        shutil.chown(path, lab.owner, lab.owner)
    path = clone / f"{row.name}.ipynb"
    done = lab.verb("run", path.parent, desi_notebook=path)
    runs, why = outcome(done.returncode, done.stdout)
    if WRITE:
        PAGE.write_text(written(PAGE.read_text(), row.name, runs, why))
    else:
        assert runs == row.runs, done.stdout
    if runs == "whole":
        # Pictures of something, and not of nothing: each tutorial draws what it has read.
        assert sum("image/png" in output for output in outputs(Path(path).with_suffix(".run.ipynb"))) >= 2
