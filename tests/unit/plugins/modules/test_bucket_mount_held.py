# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mount that is taken away while another run needs it, or where somebody else may write."""

from __future__ import annotations

import os
import subprocess

import pytest

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


@pytest.fixture
def other_run():
    """A run that is alive."""
    made = subprocess.Popen(["sleep", "60"])
    yield made
    made.kill()
    made.wait()


@pytest.mark.security("G5")
def test_mount_that_another_run_is_making_a_lab_with_is_not_ended(run, path, other_run):
    path.mkdir(parents=True)
    run(state="held", run=other_run.pid, lab="other")
    kept = run(state="unmounted", run=os.getpid())
    assert (kept["changed"], path.is_dir()) == (False, True)
    assert str(other_run.pid) in kept["held"]
    assert run(state="unmounted", _check=True)["held"]
    # The run itself may take back what it made, and so may anybody once it has ended.
    other_run.kill()
    other_run.wait()
    assert run(state="unmounted", run=os.getpid())["changed"] is True
    assert not path.exists()


@pytest.mark.security("G5")
def test_run_that_holds_a_mount_may_end_it(run, path, other_run):
    path.mkdir(parents=True)
    run(state="held", run=other_run.pid)
    assert run(state="unmounted", run=other_run.pid)["changed"] is True


@pytest.mark.security("M1")
def test_mount_in_a_folder_of_somebody_is_not_taken_away_by_root(run, path):
    path.mkdir(parents=True)
    os.chown(path.parent, NOBODY, NOBODY)
    assert "not safe" in run(state="unmounted")["what"]
    assert path.is_dir()
