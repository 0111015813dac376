# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module with a docker that runs the program here."""

import subprocess
import threading
import time

import pytest

from ansible_collections.desi.lab.plugins.module_utils._jupyter import notebook

WAITS = b"import os, sys\nprint(sys.stdin.readline().strip(), flush=True)\nos.read(0, 1)\nprint('gone', flush=True)\n"


@pytest.fixture(autouse=True)
def docker(tmp_path, monkeypatch):
    (tmp_path / "docker").write_text('#!/bin/sh\n[ "$3" = lab ] || { echo "no $3" >&2; exit 1; }\nshift 3\nexec "$@"\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_lines_are_in_the_progress_file_while_it_runs(tmp_path, monkeypatch):
    program = b"import sys, time\nprint(sys.stdin.readline(), end='', flush=True)\ntime.sleep(2)\nprint('x' * 5000)\n"
    progress, result = tmp_path / "p", {}
    work = threading.Thread(
        target=lambda: result.update(notebook.run("lab", program + b"cell\n", len(program), str(progress), 30))
    )
    work.start()
    end = time.monotonic() + 1.8
    while not (progress.exists() and progress.read_text() == "cell\n") and time.monotonic() < end:
        time.sleep(0.05)
    assert progress.read_text() == "cell\n"
    assert (tmp_path / "p.wanted").stat().st_mode & 0o777 == 0o666
    work.join()
    assert result == {"rc": 0, "output": "cell\n" + "x" * 5000 + "\n", "errors": ""}
    assert [path.name for path in tmp_path.iterdir()] == ["docker"]


@pytest.mark.security("L3")
@pytest.mark.parametrize("module", ["json", "__future__", "base64", "nbclient"])
def test_no_module_of_the_working_directory_runs(tmp_path, monkeypatch, module):
    (tmp_path / "lab").mkdir()
    (tmp_path / f"lab/{module}.py").write_text("print('PLANTED')\n")
    (tmp_path / "home/nbclient").mkdir(parents=True)
    (tmp_path / "home/nbclient/__init__.py").write_text("print('the one of the person')\n")
    monkeypatch.chdir(tmp_path / "lab")
    # As a user's own packages are, which an isolated Python would not find.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "home"))
    program = b"from __future__ import annotations\nimport json, base64, nbclient\n"
    result = notebook.run("lab", program, len(program), "", 30)
    assert result == {"rc": 0, "output": "the one of the person\n", "errors": ""}


def test_a_container_that_is_not_there_is_told():
    assert notebook.run("none", b"x" * 10**6, 10**6, "", 30) == {"rc": 1, "output": "", "errors": "no none\n"}


def test_a_run_that_nobody_waits_for_ends(tmp_path):
    result = notebook.run("lab", WAITS + b"cell\n", len(WAITS), str(tmp_path / "p"), 0.5)
    assert (result["rc"], result["output"]) == (-9, "cell\n")


def test_output_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(notebook, "MAX_OUTPUT", 1000)
    program = b"while True: print('x' * 100)\n"
    assert len(notebook.run("lab", program, len(program), "", 30)["output"]) <= 1000


def test_the_program_sees_its_caller_end(tmp_path):
    command = ["docker", "exec", "-i", "lab", "python3", "-c", notebook.START, str(len(WAITS))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(WAITS + b"cell\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"cell\n"
        process.stdin.close()
        assert process.stdout.read() == b"gone\n"
