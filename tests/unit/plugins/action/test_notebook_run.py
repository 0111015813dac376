# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action.notebook_run import ActionModule, verdict
from ansible_collections.desi.lab.plugins.module_utils._jupyter.notebook_run import Ran

PATH = Path("/home/ann/n.ipynb")
OUTPUT = Path("/home/ann/n.run.ipynb")


def test_check_mode_runs_nothing_and_says_that_it_would(act):
    result = act(ActionModule, path="/nowhere/n.ipynb", url="http://127.0.0.1:1/lab?token=c0ffee")
    assert result["changed"] is True
    assert "token" not in str(result)


def test_a_notebook_without_a_lab_is_no_task(act):
    with pytest.raises(AnsibleActionFail):
        act(ActionModule, path="/nowhere/n.ipynb")


def test_run_that_went_well_says_how_much_and_how_long():
    assert verdict(PATH, OUTPUT, Ran(30, 30, 8.6)) == {
        "changed": True,
        "output": str(OUTPUT),
        "msg": "30 cells in 8.6 s",
    }


def test_run_that_stopped_says_where_and_why_and_where_to_look():
    result = verdict(PATH, OUTPUT, Ran(2, 9, 1.0, "KeyError: 'Z'", "where"))
    assert result["failed"] is True
    assert result["what"] == "The notebook n.ipynb stopped at cell 2 of 9."
    assert result["why"] == "KeyError: 'Z'"
    assert str(OUTPUT) in result["do"]
