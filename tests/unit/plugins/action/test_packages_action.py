# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.action import packages

LOCKED = {"failed": True, "locked": "unattended-upgr (process 7)"}


@pytest.mark.parametrize(
    ("answers", "patience", "last"),
    [
        ([{"changed": True}], 60, {"changed": True}),
        ([LOCKED, LOCKED, {"changed": True}], 60, {"changed": True}),
        ([LOCKED, {"failed": True}], 60, {"failed": True}),
        ([LOCKED], 0, LOCKED),
    ],
)
def test_another_installation_is_waited_for_and_told(monkeypatch, answers, patience, last):
    left, told = list(answers), []
    monkeypatch.setattr(packages.NetworkAction, "run", lambda *_given: left.pop(0))
    monkeypatch.setattr(packages, "PATIENCE", patience)
    monkeypatch.setattr(packages.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(packages, "display_progress", lambda _display, word: told.append(word))
    action = packages.ActionModule.__new__(packages.ActionModule)
    action._display, action._task = None, type("Task", (), {"get_name": lambda _self: "Install the engine"})()
    assert action.run() == last
    assert not left
    assert told == ["Install the engine, once unattended-upgr (process 7) is done"] * (len(answers) - 1)
