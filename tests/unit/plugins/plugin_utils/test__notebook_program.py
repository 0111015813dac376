# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import io
import json
import os
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils import _notebook_program as program


@pytest.mark.parametrize(
    ("line", "server"),
    [
        ("/opt/conda/bin/python3.11 /opt/conda/bin/jupyter-lab --no-browser", True),
        ("python -I -m jupyterlab", True),
        ("/usr/bin/jupyter lab", True),
        ("python3 -m jupyter_server", True),
        ("/usr/local/bin/jupyterhub-singleuser --port=8888", True),
        ("/usr/bin/tini -- jupyter lab", False),
        ("python -m ipykernel_launcher -f /home/a/jupyter", False),
        ("less jupyter-lab", False),
        ("", False),
    ],
)
def test_server_is_known_by_its_command(line, server):
    assert program.is_server(line.split()) is server


def test_root_runs_no_notebook_where_no_server_is_found(monkeypatch):
    monkeypatch.setattr(program, "find_server", lambda: 0)
    monkeypatch.setattr(program.os, "geteuid", lambda: 0)
    monkeypatch.setattr(program.sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}\n")))
    with pytest.raises(program.Refused, match="server"):
        program.main()


def test_the_first_server_is_found(tmp_path):
    commands = {9: "python\0/bin/jupyter-lab", 10: "python\0/bin/jupyter-lab", 1: "tini\0--\0jupyter-lab"}
    for number, line in commands.items():
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "cmdline").write_text(line)
    (tmp_path / "11").mkdir()
    assert program.find_server(tmp_path) == 9
    assert program.find_server(tmp_path / "11") == 0


def test_rights_are_those_of_the_servers_process():
    status = "Name:\tx\nUid:\t0\t1000\t0\t0\nGid:\t0\t100\t0\t0\nGroups:\t4 24 \nNoNewPrivs:\t{}\n"
    assert program.rights_of(status.format(1)) == (1000, 100, [4, 24], True)
    assert program.rights_of(status.format(0))[3] is False


def test_notebook_in_the_labs_folder_runs_where_it_is(tmp_path):
    (tmp_path / "synced").mkdir()
    (tmp_path / "synced/n.ipynb").touch()
    assert program.place_of(tmp_path, "synced/n.ipynb", "n.ipynb") == (tmp_path / "synced/n.ipynb", True)


@pytest.mark.parametrize(("closed", "place"), [([], "runs"), (["", "data"], "desi/runs")])
@pytest.mark.parametrize("inside", ["", "synced/none.ipynb"])
def test_any_other_notebook_runs_where_the_server_may_write(tmp_path, monkeypatch, closed, place, inside):
    for name in ("data", "desi"):
        (tmp_path / name).mkdir()
    refused = [os.path.normpath(tmp_path / name) for name in closed]
    monkeypatch.setattr(program.os, "access", lambda path, _mode: str(path) not in refused)
    assert program.place_of(tmp_path, inside, "n.ipynb") == (tmp_path / place / "n.ipynb", False)
    assert (tmp_path / place).is_dir()
    monkeypatch.setattr(program.os, "access", lambda *_about: False)
    with pytest.raises(program.Refused, match="folder"):
        program.place_of(tmp_path, inside, "n.ipynb")


def test_outputs_are_written_over_nothing_but_those_of_the_same_notebook(tmp_path):
    def run(source, cells, names):
        program.keep(json.dumps({"metadata": {}, "cells": cells}), tmp_path / "n.ipynb", source)
        assert sorted(path.name for path in tmp_path.iterdir()) == names

    run("/a/n.ipynb", ["é"], ["n.ipynb"])
    run("/a/n.ipynb", ["2"], ["n.ipynb"])
    run("/b/n.ipynb", ["3"], ["n-2.ipynb", "n.ipynb"])
    edited = (tmp_path / "n.ipynb").read_text().replace('"2"', '"mine"')
    (tmp_path / "n.ipynb").write_text(edited)
    run("/b/n.ipynb", ["4"], ["n-2.ipynb", "n.ipynb"])
    run("/a/n.ipynb", ["5"], ["n-2.ipynb", "n-3.ipynb", "n.ipynb"])
    assert (tmp_path / "n.ipynb").read_text() == edited
    assert '"4"' in (tmp_path / "n-2.ipynb").read_text()
    program.keep((tmp_path / "n-3.ipynb").read_text(), tmp_path / "m.ipynb", "/a/m.ipynb")
    run_again = (tmp_path / "m.ipynb").read_text()
    assert program.is_marked(run_again, "/a/m.ipynb")
    # Whoever asked gets them where the lab has no room.
    assert program.keep('{"metadata": {}}', tmp_path / "none/n.ipynb", "/a/n.ipynb") == ""


SPECS = {"python3": {"spec": {"language": "python"}}, "desi": {"spec": {"language": "python"}}}


@pytest.mark.parametrize(
    ("metadata", "kernel"),
    [
        ({"kernelspec": {"name": "desi"}}, "desi"),
        ({"kernelspec": {"name": "desi-25.3", "language": "python"}}, "python3"),
        ({"kernelspec": {"name": "ir"}, "language_info": {"name": "Python"}}, "python3"),
        ({}, "python3"),
    ],
)
def test_kernel_is_the_named_one_or_one_of_its_language(metadata, kernel):
    assert program.kernel_for(metadata, SPECS) == kernel
    with pytest.raises(program.Refused, match="kernel"):
        program.kernel_for({"kernelspec": {"name": "ir", "language": "R"}}, SPECS)


def test_cells_that_run_are_code_that_is_not_empty_and_not_left_out():
    kinds = [("markdown", "x", []), ("code", " \n", []), ("code", "1", ["skip-execution"]), ("code", "2", ["any"])]
    cells = [{"cell_type": kind, "source": source, "metadata": {"tags": tags}} for kind, source, tags in kinds]
    assert program.cells_to_run({"cells": cells}) == [(3, cells[3])]


@pytest.mark.parametrize(
    ("source", "title"),
    [("\n## Read it #\nx = 1", "Read it"), ("  x = 1", "x = 1"), ("#\n", ""), ("y" * 999, "y" * 200)],
)
def test_title_of_a_cell_is_its_first_line_that_says_something(source, title):
    assert program.title_of(source) == title


@pytest.mark.parametrize(
    ("words", "runs", "code"),
    [(["echo", "a b"], "echo", 0), ([], "bash", 0), (["nosuch"], "", 127), (["closed"], "", 126)],
)
def test_a_session_is_the_servers_in_the_folder_of_files(tmp_path, monkeypatch, words, runs, code):
    became, ran = [], []

    def execvp(name, command):
        if name == "closed":
            raise PermissionError(13, "Permission denied")
        if name != runs:
            raise FileNotFoundError
        ran.append((command, str(Path.cwd())))
        raise SystemExit(0)

    monkeypatch.setattr(program, "find_server", lambda: 7)
    monkeypatch.setattr(program, "become_as", became.append)
    monkeypatch.setattr(program.os, "execvp", execvp)
    signals = []
    monkeypatch.setattr(program.signal, "signal", lambda *given: signals.append(given))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        program.session(str(tmp_path), words)
    assert ended.value.code == code
    assert became == [7]
    # A pipeline ends when its reader does.
    assert signals == [(program.signal.SIGPIPE, program.signal.SIG_DFL)]
    assert ran == ([(words or ["bash"], str(tmp_path))] if runs else [])


def test_root_gets_no_session_where_no_server_is_found(monkeypatch):
    monkeypatch.setattr(program, "find_server", lambda: 0)
    monkeypatch.setattr(program.os, "geteuid", lambda: 0)
    with pytest.raises(SystemExit, match="No Jupyter server"):
        program.session("/", ["id"])
