# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.desi.lab.plugins.action import notebook_run
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

CELL = '{"cell": 1, "of": 1, "title": "%s"}\n{"cell": 1, "seconds": 0, "good": true}\n'
END = '{"notebook": "ran", "error": null}\n'


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": []}))
    return path


@pytest.fixture
def run(act, book, monkeypatch):
    """Run the notebook with a module that writes the first as its progress and returns the second."""
    words = []
    monkeypatch.setattr(notebook_run, "display_progress", lambda _display, word: words.append(word))

    class Action(notebook_run.ActionModule):
        def _prepare(self):
            return {"order": "/there", "size": 1}

        def _execute_module(self, module_args, task_vars):
            progress = Path(module_args["progress"])
            progress.with_name(f"{progress.name}.wanted").touch()
            progress.write_text(self.far)
            self._follow(str(progress))
            for path in (progress, progress.with_name(f"{progress.name}.wanted")):
                path.unlink()
            return self.answer

        def _remove_tmp_path(self, _path):
            pass

    def started(far, path=book, **answer):
        Action.far, Action.answer = far, {"rc": 0, "errors": "", **answer}
        return act(Action, check_mode=False, path=str(path), container="desi-lab-desi"), words

    return started


def test_check_mode_runs_nothing_and_says_that_it_would(act, book):
    assert act(notebook_run.ActionModule, path=str(book), container="desi-lab-desi")["changed"] is True
    refused = act(notebook_run.ActionModule, path="/nowhere/n.ipynb", container="desi-lab-desi")
    assert (refused["failed"], refused["why"]) == (True, "No such file or directory.")
    with pytest.raises(AnsibleActionFail):
        act(notebook_run.ActionModule, path="/nowhere/n.ipynb")


def test_each_cell_is_shown_once_and_the_outputs_are_written_here(run, book):
    far = '{"cell": 1, "of": 1, "title": "a"}\n{"cell": 1, "sec'
    result, words = run(far, output=CELL % "a" + END)
    assert words == ["n.ipynb: cell 1 of 1", "1 a"]
    assert result["msg"] == "1 cell in 0.0 s"
    assert book.with_name("n.run.ipynb").read_text() == "ran"


@pytest.mark.parametrize("name", ["$BOOK.ipynb", "${BOOK}/n.ipynb", "~/n.ipynb"])
def test_dollar_in_the_path_of_a_notebook_is_a_letter_of_it(run, book, monkeypatch, name):
    monkeypatch.setenv("BOOK", "n")
    monkeypatch.setenv("HOME", str(book.with_name("~")))
    there = book.with_name("here") / name if name[0] != "~" else book.with_name("~") / "n.ipynb"
    there.parent.mkdir(parents=True)
    book.rename(there)
    result, words = run("", path=name if name[0] == "~" else there, output=CELL % "a" + END)
    assert (words[0], result["output"]) == (f"{there.name}: cell 1 of 1", str(there.with_suffix(".run.ipynb")))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"output": CELL % "a", "rc": 137}, "ended with 137"),
        ({"output": CELL % "a" + END[:9], "rc": 137}, "ended with 137"),
        ({"output": "", "rc": 1, "errors": "no such container"}, "no such container"),
        ({"output": CELL % "a" + "boo\n"}, "not a JSON document"),
        ({"output": '{"refused": "nbclient"}\n'}, "no nbclient"),
    ],
)
def test_a_run_without_an_end_fails_and_writes_nothing(run, book, answer, why):
    result, _words = run("", **answer)
    assert result["failed"] is True
    assert why in result["why"]
    assert not book.with_name("n.run.ipynb").exists()


def test_notebook_whose_outputs_could_not_be_written_never_reaches_the_lab(run, book, monkeypatch):
    def refuse(path, *_more):
        raise LabError(f"{path.name} could not be written.", "Permission denied.", "Move it.")

    monkeypatch.setattr(notebook_run, "check_writable", refuse)
    result, words = run(CELL % "a", output=CELL % "a" + END)
    assert (result["what"], words) == ("n.run.ipynb could not be written.", [])


def test_what_is_no_notebook_never_reaches_the_lab(act, book):
    book.write_text("no")
    result = act(notebook_run.ActionModule, check_mode=False, path=str(book), container="desi-lab-desi")
    assert "not a notebook" in result["why"]
