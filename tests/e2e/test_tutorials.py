# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DESI's own tutorials, which nobody wrote for this lab, run in it as far as the page on notebooks says.

They are read from a clone of github.com/desihub/tutorials: DESI_LAB_TUTORIALS=/path ./lab test e2e
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import TUTORIALS
from kinds import KINDS, ROOT
from test_notebooks import outputs

pytestmark = pytest.mark.kinds(*KINDS)

ROW = re.compile(r"^\| (\d\d_\S+) \| (\w+) \| (whole|no|up to cell (\d+) of \d+) \|", re.MULTILINE)
ROWS = [match.groups() for match in ROW.finditer((ROOT / "docs" / "notebooks.md").read_text())]


@pytest.mark.parametrize(("name", "release", "runs", "last"), ROWS, ids=[row[0] for row in ROWS])
def test_tutorial_runs_unchanged_as_far_as_the_page_says(lab, tmp_path, name, release, runs, last):
    if release != lab.release:
        pytest.skip(f"it is about {release}")
    # A clone as a person has it: notebooks find what lies beside them.
    clone = (lab.folder or tmp_path) / "tutorials"
    shutil.copytree(TUTORIALS, clone, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))
    for path in (clone, *clone.rglob("*")):
        shutil.chown(path, lab.owner, lab.owner)
    path = clone / f"{name}.ipynb"
    done = lab.verb("run", path.parent, desi_notebook=path)
    if runs == "whole":
        assert done.returncode == 0, done.stdout
        # Pictures of something, and not of nothing: each tutorial draws what it has read.
        assert sum("image/png" in output for output in outputs(Path(path).with_suffix(".run.ipynb"))) >= 2
    else:
        assert f"stopped at cell {last or 1} of" in done.stdout
