# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DESI's own tutorials, which nobody wrote for this lab, run in it as they are.

They are read from a clone of github.com/desihub/tutorials: DESI_LAB_TUTORIALS=/path ./lab test e2e
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TUTORIALS
from kinds import KINDS
from test_notebooks import outputs

pytestmark = pytest.mark.kinds(*KINDS)

STARTED = Path(TUTORIALS) / "01_getting_started"


@pytest.mark.parametrize("name", ["01_QuickStart", "03_DataOrganization", "04_RedshiftCatalogs"])
def test_tutorial_runs_unchanged_from_its_first_cell_to_its_last(lab, tmp_path, name):
    copy = tmp_path / f"{name}.ipynb"
    copy.write_bytes((STARTED / copy.name).read_bytes())
    done = lab.verb("run", tmp_path, desi_notebook=copy)
    assert done.returncode == 0, done.stdout
    # A picture of something, and not of nothing: each tutorial draws what it has read.
    assert sum("image/png" in output for output in outputs(tmp_path / f"{name}.run.ipynb")) >= 2


def test_tutorial_on_spectra_runs_up_to_the_one_cell_that_wants_a_hundred_of_them(lab, tmp_path):
    copy = tmp_path / "05_Spectra.ipynb"
    copy.write_bytes((STARTED / copy.name).read_bytes())
    done = lab.verb("run", tmp_path, desi_notebook=copy)
    assert "stopped at cell 15 of 30." in done.stdout
    assert "IndexError: index 100 is out of bounds" in done.stdout
