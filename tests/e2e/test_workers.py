# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dask workers of a lab that runs already: what they do is seen in JupyterLab, and what they compute is right.

The last tests of a lab: it goes with its workers.
"""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from jupyterlab import visit
from playwright.sync_api import expect

pytestmark = pytest.mark.kinds("local-host")
EXAMPLE = "python /home/desi/examples/stack_spectra.py --scheduler auto --workers 2 --json"
PANEL = '.lm-TabBar-tab[data-id="dask-dashboard-launcher"]'


def test_workers_that_come_later_are_seen_at_work_in_jupyterlab(page, lab, take_picture):
    visit(page, lab.url)
    assert page.locator(PANEL).count() == 0
    done = lab.verb("start", lab.folder, lab_workers=2)
    assert done.returncode == 0, done.stdout + done.stderr
    visit(page, lab.url)
    page.locator(PANEL).click()
    page.locator(".dask-DashboardListing-item", has_text="Task Stream").click()
    expect(page.frame_locator(".jp-IFrame iframe").locator("canvas").first).to_be_visible()
    command = ["docker", "exec", f"desi-lab-{lab.name}", "bash", "-c", EXAMPLE]
    assert json.loads(subprocess.check_output(command, text=True))["spectra"] > 0
    take_picture(page, "dask")
    page.goto(re.sub(r"/lab.*", "/proxy/scheduler:8787/status", lab.url))
    expect(page).to_have_title(re.compile("Dask: Status"))
    expect(page.get_by_text("Data Transfer")).to_be_visible()
