# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import json
import os
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common import files
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.names import BadAnswer
from ansible_collections.desi.lab.plugins.plugin_utils import _notebook
from ansible_collections.desi.lab.plugins.plugin_utils._notebook import (
    PROGRAM,
    Run,
    check_writable,
    error_text,
    lost,
    order,
    output_of,
    place,
    read,
    save,
    verdict,
    write,
)
from ansible_collections.desi.lab.plugins.plugin_utils._progress import Finished, Underway

SECRET = json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": "secret", "outputs": ["old"]}]})
TEXT = '{"source": "$(touch /tmp/owned)"}\n'
BEGINS = '{"cell": 1, "of": 2, "title": "import os"}'
ENDS = '{"cell": 1, "seconds": 1.5, "good": true}'
OUTPUTS = '{"metadata": {}, "cells": [1]}'


def line(**said):
    return json.dumps(said).encode()


def test_notebook_is_read_without_its_outputs(tmp_path):
    (tmp_path / "n.ipynb").write_text(SECRET)
    assert json.loads(read(tmp_path / "n.ipynb"))["cells"] == [{"cell_type": "code", "source": "secret", "outputs": []}]


@pytest.mark.parametrize("text", ["x", '{"a": 1}', "[1]", '{"nbformat": "4"}', '{"nbformat": 4, "cells": [1]}', "\xff"])
def test_what_is_no_notebook_is_refused(tmp_path, text):
    (tmp_path / "n.ipynb").write_text(text, encoding="latin-1")
    with pytest.raises(LabError, match="not a notebook"):
        read(tmp_path / "n.ipynb")
    with pytest.raises(LabError, match="No such file"):
        read(tmp_path / "none.ipynb")


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [("/a/deep/n.ipynb", "/a", "synced/deep/n.ipynb"), ("/a/n.ipynb", "", ""), ("/ab/n.ipynb", "/a", "")],
)
def test_program_is_given_the_notebook_and_its_place_in_the_lab(path, folder, inside):
    told = order(SECRET, Path(path), folder)
    assert told.startswith(PROGRAM)
    assert json.loads(told[len(PROGRAM) :]) == {"notebook": SECRET, "inside": inside, "path": path}


# `lab` is the lab's folder, `way` a link to it and `below` one to lab/sub. As a lab may lay them, lab/loop and
# lab/sub/up are links to the folder, and lab/out is one to `other`.
@pytest.mark.security("H6")
@pytest.mark.parametrize(
    ("named", "found", "top"),
    [
        ("lab/n.ipynb", "lab/n.ipynb", "lab"),
        ("lab/sub/../n.ipynb", "lab/n.ipynb", "lab"),
        ("lab/../other/n.ipynb", "other/n.ipynb", ""),
        ("way/n.ipynb", "way/n.ipynb", "way"),
        ("way/sub/../n.ipynb", "lab/n.ipynb", "lab"),
        ("way/../other/n.ipynb", "other/n.ipynb", ""),
        ("lab/out/n.ipynb", "lab/out/n.ipynb", "lab"),
        ("lab/out/../n.ipynb", None, ""),
        ("lab/loop/n.ipynb", "lab/loop/n.ipynb", "lab"),
        ("way/sub/up/n.ipynb", "way/sub/up/n.ipynb", "way"),
        ("lab/loop/../n.ipynb", None, ""),
        ("below/n.ipynb", "lab/sub/n.ipynb", "lab"),
    ],
)
def test_a_notebook_is_found_in_the_labs_folder_whichever_way_it_is_named(tmp_path, named, found, top):
    (tmp_path / "lab/sub").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "way").symlink_to("lab")
    (tmp_path / "below").symlink_to("lab/sub")
    (tmp_path / "lab/out").symlink_to(tmp_path / "other")
    (tmp_path / "lab/loop").symlink_to(".")
    (tmp_path / "lab/sub/up").symlink_to("..")
    for folder in ("lab", "way"):
        if found is None:
            with pytest.raises(LabError, match="is a link"):
                place(tmp_path / named, str(tmp_path / folder))
        else:
            assert place(tmp_path / named, str(tmp_path / folder)) == (tmp_path / found, top and str(tmp_path / top))


def test_cells_are_shown_as_they_begin_and_end():
    run = Run("n.ipynb")
    begun, ended = run.word(BEGINS), run.word(ENDS)
    assert (type(begun), begun) == (Underway, "n.ipynb: cell 1 of 2")
    assert (type(ended), ended, ended.seconds, ended.good) == (Finished, "1 import os", 1.5, True)
    assert run.word(line(cell=2, of=2, title="a\x1b[2J\nb")) == "n.ipynb: cell 2 of 2"
    assert run.word(line(cell=2, seconds=0, good=False)) == "2 a b"
    assert (run.cells, run.of, run.seconds) == (2, 2, 1.5)
    assert run.end(line(notebook="{}", error=None)) == ("{}", "", "")
    assert run.end(line(notebook="{}", error=["E", "\n\x1b[31mv\x1b[0m\nw", "\x1b[1mt"])) == ("{}", "E: v", "t")


@pytest.mark.security("H6")
@pytest.mark.parametrize(
    "said",
    [
        "hi",
        "[]",
        "{}",
        '{"cell": 2, "of": 2, "title": ""}',
        '{"cell": 1, "of": 0, "title": ""}',
        '{"cell": 1, "of": 1, "title": 1}',
        '{"cell": 1, "of": 1, "title": "", "more": 1}',
        '{"cell": 1, "seconds": 1, "good": true}',
        '{"cell": 0, "seconds": -1, "good": true}',
        line(cell=1, of=1, title="x" * 5000),
    ],
)
def test_a_line_of_another_shape_is_refused(said):
    with pytest.raises(BadAnswer):
        Run("n.ipynb").word(said)


@pytest.mark.security("H6")
@pytest.mark.parametrize(
    "said",
    [
        *({"notebook": 1, "error": None}, {"notebook": "{}"}, {"notebook": "{}", "error": "E"}),
        *({"notebook": "{}", "error": ["E"]}, {"refused": "other"}),
    ],
)
def test_an_end_of_another_shape_is_refused(said):
    with pytest.raises(BadAnswer):
        Run("n.ipynb").end(line(**said))


@pytest.mark.parametrize(
    ("reason", "why"),
    [("nbclient", "no nbclient"), ("kernel", "no kernel"), ("folder", "no folder"), ("notebook", "not a notebook")],
)
def test_what_a_lab_cannot_run_is_told_in_three_sentences(reason, why):
    with pytest.raises(LabError, match=why):
        Run("n.ipynb").end(line(refused=reason))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("KeyError", "'Z'", "KeyError: 'Z'"),
        ("E", "", "E"),
        ("E", "\n\x1b[31ma\nb", "E: a"),
        ("", "", "The kernel died."),
    ],
)
def test_error_is_the_line_that_says_the_most(name, value, text):
    assert error_text(name, value).startswith(text)


@pytest.mark.parametrize(
    ("code", "said", "why"),
    [
        (126, 'OCI runtime exec failed: exec: "python3": executable file not found in $PATH', "no Python 3"),
        (1, "Traceback\nOSError: no room\n", r"ended with 1 \(OSError: no room\)"),
        (137, "", "ended with 137[.]"),
    ],
)
def test_a_program_that_ends_without_a_word_is_told(code, said, why):
    with pytest.raises(LabError, match=why):
        raise lost(code, said)


def test_verdict():
    run, path = Run("n.ipynb"), Path("/home/ann/n.ipynb")
    run.word(BEGINS), run.word(ENDS)
    well = verdict(path, run, "", "", output_of(path))
    assert (well["msg"], well["output"], well["changed"]) == ("1 cell in 1.5 s", "/home/ann/n.run.ipynb", True)
    assert well["kept"] == ""
    assert verdict(path, run, "", "", path.with_name("n.run-2.ipynb"))["kept"] == "/home/ann/n.run.ipynb"
    stopped = verdict(path, run, "KeyError: 'Z'", "where", output_of(path))
    assert stopped["failed"] is True
    assert stopped["what"] == "The notebook n.ipynb stopped at cell 1 of 2."
    assert stopped["why"] == "KeyError: 'Z'"
    assert "/home/ann/n.run.ipynb" in stopped["do"]
    # Neither error hides the other.
    for output in (None, Path("/state/runs/n.run.ipynb")):
        unwritten = LabError("Not written.", "The disk is full.", "Make room.")
        both = verdict(path, run, "KeyError: 'Z'", "where", output, unwritten)
        assert [error["why"] for error in both["errors"]] == ["KeyError: 'Z'", "The disk is full."]
        assert (both["output"], both["kept"]) == (str(output or ""), "")


def test_place_without_room_for_a_file_is_refused_before_the_run(tmp_path):
    check_writable(tmp_path / "n.run.ipynb")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(LabError, match="could not be written"):
        check_writable(tmp_path / "none" / "n.run.ipynb")


@pytest.fixture
def full_disk(monkeypatch):
    """Have no file written below the directories that a test adds."""
    places = []

    def write_beside(here, name, *more, **options):
        if any(os.path.samestat(os.fstat(here), place.stat()) for place in places):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        files.write_beside(here, name, *more, **options)

    monkeypatch.setattr(_notebook, "write_beside", write_beside)
    return places


def test_outputs_are_not_lost_where_the_disk_is_full_after_the_run(tmp_path, monkeypatch, full_disk):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work, runs = tmp_path / "work", tmp_path / "state/desi-lab/runs"
    for each in (work, runs):
        each.mkdir(parents=True)
    full_disk.append(work)
    output, unwritten = save(OUTPUTS, work / "n.ipynb", None, None, str(work))
    assert output == runs / "n.run.ipynb"
    assert json.loads(output.read_text())["cells"] == [1]
    assert (unwritten.why, str(output) in unwritten.do) == ("No space left on device.", True)
    full_disk.append(runs)
    output, unwritten = save(OUTPUTS, work / "n.ipynb", None, None, "", "/home/desi/runs/n.ipynb")
    assert (output, "/home/desi/runs/n.ipynb" in unwritten.do) == (None, True)
    assert save(OUTPUTS, work / "n.ipynb", None, None, str(work))[1].do.startswith("Put the notebook into a folder")
    assert list(work.iterdir()) == []


def test_outputs_that_somebody_changed_stay_and_those_of_the_last_run_are_replaced(tmp_path):
    def run(cell):
        text = json.dumps({"metadata": {}, "cells": [cell]})
        return write(text, output_of(tmp_path / "n.ipynb"), source=str(tmp_path / "n.ipynb")).name

    assert [run("é"), run("é"), run("2")] == ["n.run.ipynb"] * 3
    edited = (tmp_path / "n.run.ipynb").read_text().replace('"2"', '"mine"')
    (tmp_path / "n.run.ipynb").write_text(edited)
    (tmp_path / "n.run-2.ipynb").mkdir()
    assert [run("3"), run("4")] == ["n.run-3.ipynb"] * 2
    assert (tmp_path / "n.run.ipynb").read_text() == edited
    assert '"4"' in (tmp_path / "n.run-3.ipynb").read_text()


def test_outputs_are_written_beside_the_notebook_and_belong_to_the_person(tmp_path):
    path = output_of(tmp_path / "n.ipynb")
    write(TEXT, path, 61235, 61235)
    assert path.read_text() == TEXT
    assert path.stat().st_uid == (61235 if os.geteuid() == 0 else os.geteuid())
    assert [each.name for each in tmp_path.iterdir()] == ["n.run.ipynb"]
    with pytest.raises(LabError, match="could not be written"):
        write(TEXT, tmp_path / "none" / "n.run.ipynb")


@pytest.mark.security("H6")
@pytest.mark.parametrize("name", [".n.run.ipynb.new", "n.run.ipynb", ".n.run.ipynb"])
def test_a_link_at_any_name_that_is_written_is_not_followed(tmp_path, name):
    victim = tmp_path / "elsewhere" / "passwords"
    victim.parent.mkdir()
    victim.write_text("mine")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / name).symlink_to(victim)
    path = output_of(tmp_path / "work" / "n.ipynb")
    write(TEXT, path, 61235, 61235)
    assert victim.read_text() == "mine"
    assert victim.stat().st_uid == os.geteuid()
    assert not path.is_symlink()
    assert path.read_text() == TEXT


@pytest.mark.security("H6")
def test_a_directory_of_the_labs_folder_that_is_a_link_leads_nowhere(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "n.ipynb").write_text(SECRET)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "sub").symlink_to(tmp_path / "victim")
    with pytest.raises(LabError, match="could not be written"):
        write(TEXT, shared / "sub" / "n.run.ipynb", directory=str(shared))
    with pytest.raises(LabError, match="is a link"):
        read(shared / "sub" / "n.ipynb", str(shared))
    assert [path.name for path in (tmp_path / "victim").iterdir()] == ["n.ipynb"]


@pytest.mark.security("H6")
def test_a_notebook_that_is_a_link_or_no_file_is_not_read(tmp_path):
    (tmp_path / "private.ipynb").write_text(SECRET)
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
    (roots / "n.ipynb").write_text(SECRET)
    (roots / "n.ipynb").chmod(0o600)
    with pytest.raises(LabError, match="Permission denied"):
        read(roots / "n.ipynb")
    with pytest.raises(LabError, match="Permission denied"):
        write(TEXT, roots / "n.run.ipynb", 61235, 61235)
    write(TEXT, own / "n.run.ipynb", 61235, 61235)
    assert ((own / "n.run.ipynb").stat().st_uid, os.geteuid()) == (61235, 0)
