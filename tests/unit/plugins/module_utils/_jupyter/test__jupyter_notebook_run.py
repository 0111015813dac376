# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import nbformat
import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.progress import Finished, Underway
from ansible_collections.desi.lab.plugins.module_utils._jupyter.notebook_run import (
    output_of,
    place_of,
    read,
    run_cells,
    write,
)


class Kernel:
    """A kernel that answers each code with the messages that it was given for it."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def execute(self, code, stop_on_error=True):
        self.asked.append((code, stop_on_error))
        for answer in self.answers[code]:
            if isinstance(answer, LabError):
                raise answer
            yield answer


FINE = ("execute_reply", {"status": "ok", "execution_count": 1})
BAD = (
    "execute_reply",
    {"status": "error", "execution_count": 2, "ename": "KeyError", "evalue": "'Z'", "traceback": ["where"]},
)


def notebook(*sources, tags=()):
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text"), *cells])


def test_cells_run_in_order_and_each_is_told_of_when_it_begins_and_when_it_has_ended():
    told = []
    ran = run_cells(Kernel({"a": [FINE], "b": [FINE]}), notebook("a", "b"), "n.ipynb", told.append)
    assert (ran.cells, ran.of, ran.error) == (2, 2, "")
    assert told == ["n.ipynb: cell 1 of 2", "1 a", "n.ipynb: cell 2 of 2", "2 b"]
    assert [type(word) for word in told] == [Underway, Finished] * 2


def test_first_error_ends_the_run_and_leaves_no_outputs_of_an_earlier_one():
    book, kernel = notebook("a", "b", "c"), Kernel({"a": [FINE], "b": [BAD]})
    book["cells"][3]["outputs"] = [nbformat.v4.new_output("stream", text="old")]
    told = []
    ran = run_cells(kernel, book, "n.ipynb", told.append)
    assert (ran.cells, ran.of, ran.error, ran.traceback) == (2, 3, "KeyError: 'Z'", "where")
    assert [code for code, _stop in kernel.asked] == ["a", "b"]
    assert book["cells"][3]["outputs"] == []
    assert told[-1] == "2 b"
    assert not told[-1].good


def test_cell_that_may_raise_does_not_end_the_run():
    kernel = Kernel({"b": [BAD], "c": [FINE]})
    ran = run_cells(kernel, notebook("b", "c", tags=["raises-exception"]), "n.ipynb", lambda _word: None)
    assert ran.error == ""
    assert kernel.asked == [("b", False), ("c", False)]


def test_kernel_that_dies_is_the_error_of_its_cell():
    dead = LabError("The kernel died.", "No memory.", "Less.")
    ran = run_cells(Kernel({"a": [dead]}), notebook("a"), "n.ipynb", lambda _word: None)
    assert ran.error == "The kernel died. No memory."


class Server:
    """A server that has these contents, and keeps what it was asked to make."""

    def __init__(self, top, files=()):
        self.top, self.files, self.made = top, files, []

    def ask(self, method, path, data=None):
        if method == "PUT":
            self.made.append((path, data["type"]))
            return {}
        if path == "contents/":
            return self.top
        return {"type": "notebook"} if path.removeprefix("contents/").partition("?")[0] in self.files else None


def folder(path, writable, *content):
    return {"type": "directory", "path": path, "writable": writable, "content": list(content)}


HOME = folder("", False, folder("desidata", False), folder("desi", True), folder("synced", True))


def test_notebook_in_the_labs_folder_runs_where_it_is(tmp_path):
    server = Server(HOME, {"synced/deep/n.ipynb"})
    place = place_of(server, tmp_path / "deep" / "n.ipynb", str(tmp_path))
    assert place == "synced/deep/n.ipynb"
    assert server.made == []


@pytest.mark.parametrize(("top", "place"), [(HOME, "desi/runs"), (folder("", True, folder("work", True)), "runs")])
def test_any_other_notebook_runs_where_the_server_may_write(tmp_path, top, place):
    server = Server(top)
    assert place_of(server, tmp_path / "n.ipynb", "/somewhere/else") == f"{place}/n.ipynb"
    assert server.made == [(f"contents/{place}", "directory")]


def test_server_that_may_write_nowhere_is_refused(tmp_path):
    with pytest.raises(LabError, match="no folder in which it may write"):
        place_of(Server(folder("", False)), tmp_path / "n.ipynb", "")


def test_notebooks_of_older_versions_are_read_as_of_the_present_one(tmp_path):
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"metadata": {}, "cells": [
        {"cell_type": "code", "collapsed": False, "input": "1", "language": "python", "metadata": {}, "outputs": []},
    ]}]}  # fmt: skip
    (tmp_path / "old.ipynb").write_text(json.dumps(old))
    assert read(tmp_path / "old.ipynb")["cells"][0]["source"] == "1"


@pytest.mark.parametrize(
    ("text", "why"), [(None, "No such file"), ("x", "not a notebook"), ('{"a": 1}', "not a notebook")]
)
def test_what_is_no_notebook_is_refused(tmp_path, text, why):
    if text is not None:
        (tmp_path / "n.ipynb").write_text(text)
    with pytest.raises(LabError, match=why):
        read(tmp_path / "n.ipynb")


def test_outputs_are_written_beside_the_notebook_and_belong_to_the_person(tmp_path):
    path = output_of(tmp_path / "n.ipynb")
    assert path == tmp_path / "n.run.ipynb"
    write(notebook("a"), path, 61235, 61235)
    assert nbformat.read(path, as_version=4)["cells"][1]["source"] == "a"
    assert path.stat().st_uid == (61235 if os.geteuid() == 0 else os.geteuid())
    assert [each.name for each in tmp_path.iterdir()] == ["n.run.ipynb"]


def test_folder_that_cannot_be_written_in_is_told(tmp_path):
    with pytest.raises(LabError, match="could not be written"):
        write(notebook("a"), tmp_path / "none" / "n.run.ipynb")


@pytest.mark.security("H6")
@pytest.mark.parametrize("name", [".n.run.ipynb.new", "n.run.ipynb", ".n.run.ipynb"])
def test_a_link_at_any_name_that_is_written_is_not_followed(tmp_path, name):
    victim = tmp_path / "elsewhere" / "passwords"
    victim.parent.mkdir()
    victim.write_text("mine")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / name).symlink_to(victim)
    path = output_of(tmp_path / "work" / "n.ipynb")
    write(notebook("$(touch /tmp/owned)"), path, 61235, 61235)
    assert victim.read_text() == "mine"
    assert victim.stat().st_uid == os.geteuid()
    assert not path.is_symlink()
    assert nbformat.read(path, as_version=4)["cells"][1]["source"] == "$(touch /tmp/owned)"


@pytest.mark.security("H6")
def test_a_directory_of_the_labs_folder_that_is_a_link_leads_nowhere(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "n.ipynb").write_text(nbformat.writes(notebook("secret")))
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "sub").symlink_to(tmp_path / "victim")
    with pytest.raises(LabError, match="could not be written"):
        write(notebook("a"), shared / "sub" / "n.run.ipynb", folder=str(shared))
    with pytest.raises(LabError, match="is a link"):
        read(shared / "sub" / "n.ipynb", str(shared))
    assert [path.name for path in (tmp_path / "victim").iterdir()] == ["n.ipynb"]


@pytest.mark.security("H6")
def test_a_notebook_that_is_a_link_or_no_file_is_not_read(tmp_path):
    (tmp_path / "private.ipynb").write_text(nbformat.writes(notebook("secret")))
    (tmp_path / "n.ipynb").symlink_to(tmp_path / "private.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    with pytest.raises(LabError, match="is a link"):
        read(tmp_path / "n.ipynb")
    with pytest.raises(LabError, match="not a regular file"):
        read(tmp_path / "pipe.ipynb")


@pytest.mark.security("H6")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root is somebody behind sudo")
def test_under_sudo_nothing_is_read_or_written_that_the_caller_may_not(open_to_others, monkeypatch):
    monkeypatch.setenv("SUDO_UID", "61235")
    monkeypatch.setenv("SUDO_GID", "61235")
    roots, own = open_to_others / "roots", open_to_others / "own"
    roots.mkdir()
    own.mkdir()
    os.chown(own, 61235, 61235)
    (roots / "n.ipynb").write_text(nbformat.writes(notebook("secret")))
    (roots / "n.ipynb").chmod(0o600)
    with pytest.raises(LabError, match="Permission denied"):
        read(roots / "n.ipynb")
    with pytest.raises(LabError, match="Permission denied"):
        write(notebook("a"), roots / "n.run.ipynb", 61235, 61235)
    write(notebook("a"), own / "n.run.ipynb", 61235, 61235)
    assert ((own / "n.run.ipynb").stat().st_uid, os.geteuid()) == (61235, 0)
