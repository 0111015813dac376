# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a notebook, parse the progress of its run in a lab, and write its outputs."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ..module_utils._common.errors import LabError, failure
from ..module_utils._common.files import (
    closing,
    directory_of,
    open_directory,
    open_made,
    read_below,
    try_beside,
    write_beside,
)
from ..module_utils._common.humanize import duration
from ..module_utils._common.names import BadAnswer, mapping, sequence, shown, strict_json, truth, whole_number
from ..module_utils._common.privileges import as_caller
from ..module_utils._common.run_log import state_directory
from ..module_utils._common.text import clean, one_line
from . import _notebook_program
from ._progress import Finished, Underway

PROGRAM = Path(_notebook_program.__file__).read_bytes()
# A notebook with many pictures has some megabytes.
MAX_BYTES = 256 * 2**20
MAX_LINE = 4096
MAX_CELLS = 100_000

_DIED = "The kernel died. Something ended its process; most often that is the computer, which has no memory left."
_LINK = "It is a link, or lies behind one, and a lab might have laid that."
_NAME = "Give the path of a file that ends in .ipynb."
_NO_NOTEBOOK = "It is not a notebook of Jupyter's."
_REFUSALS = {
    "folder": (
        "The lab's server has no folder in which it may write.",
        "Put the notebook into the folder that the lab shows as synced.",
    ),
    "kernel": ("The lab has no kernel for its language.", "Run it in a lab with an image that has one: -e lab_image=…"),
    "nbclient": (
        "The lab's image has no nbclient, the part of Jupyter that runs notebooks.",
        "Use an image with Jupyter Server 2 or newer, or add nbclient to its Dockerfile.",
    ),
    "server": (
        "No Jupyter server was found in it whose user the notebook could run as.",
        "Run it in the browser: ./lab open. Or use an image that starts its server by the command jupyter.",
    ),
    "notebook": (_NO_NOTEBOOK, _NAME),
}


def place(path: Path, directory: str) -> tuple[Path, str]:
    """Return a path without ``..``, and what above it is the directory that a lab shows, empty if nothing is.

    Links may lead there. Those in it are not followed: a lab might have laid them.
    """
    found = Path("/")
    with as_caller(os.environ):
        for part in path.absolute().parts[1:]:
            top = _shown(found, directory)
            if part != "..":
                found /= part
                real = Path(os.path.realpath(found))
                # A link that leads below the folder is replaced by where it leads: what is there may change.
                below = directory and not top and real.is_relative_to(os.path.realpath(directory))
                if below and found.is_dir() and not _shown(found, directory):
                    found = real
                continue
            real = Path(os.path.realpath(found))
            if top and real != Path(os.path.realpath(top), found.relative_to(top)):
                raise LabError(f"The notebook {path} cannot be read.", _LINK, _NAME)
            found = real.parent
        return found, _shown(found, directory)


def _shown(path: Path, directory: str) -> str:
    # The outermost, for a link in the folder may lead back to it.
    for each in reversed([path, *path.parents]) if directory else []:
        with contextlib.suppress(OSError):
            if each.samefile(directory):
                return str(each)
    return ""


@contextlib.contextmanager
def opened(path: Path, directory: str) -> Iterator[tuple[int, str]]:
    """Give a directory, as a descriptor, and the name of a notebook below it.

    In the folder that a lab shows, it may have laid links: none of them is followed. Under sudo this is done with the
    rights of whoever called it.
    """
    with as_caller(os.environ):
        top = Path(directory) if directory and path.is_relative_to(directory) else path.parent
        with closing(open_directory(str(top))) as descriptor:
            yield descriptor, str(path.relative_to(top))


def read(path: Path, directory: str = "") -> str:
    """Read a notebook of any version, without the outputs that it has. A link is none."""
    try:
        with opened(path, directory) as (descriptor, name):
            notebook = json.loads(read_below(descriptor, name, MAX_BYTES))
        for cell in notebook.get("cells", ()) if notebook["nbformat"] >= 4 else ():
            if "outputs" in cell:
                cell["outputs"] = []
        return json.dumps(notebook)
    except OSError as error:
        why = f"{error.strerror or error}."
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            why = _LINK
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        why = _NO_NOTEBOOK
    raise LabError(f"The notebook {path} cannot be read.", why, _NAME)


def output_of(path: Path) -> Path:
    """Return where the notebook with its outputs is written: beside it."""
    return path.with_name(f"{path.stem}.run.ipynb")


def check_writable(path: Path, directory: str = "") -> None:
    """Refuse a place in which no file can be made, before a run of hours has nowhere to go."""
    with _written(path, directory) as (here, last):
        try_beside(here, last)


def write(
    text: str, path: Path, uid: int | None = None, gid: int | None = None, directory: str = "", source: str = ""
) -> Path:
    """Write the outputs of a notebook, ``source``, so that a reader sees the old or the new ones; return where.

    They replace those of the last run, and nothing that somebody changed since: then they get a further name. A link
    at their name is replaced and not followed.
    """
    mask = os.umask(0)
    os.umask(mask)
    with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
        text = _notebook_program.marked(text, source)
    with _written(path, directory) as (here, last):
        for name in _notebook_program.further_names(last):
            if not _is_taken(here, name, source):
                write_beside(here, name, text.encode("utf-8", "surrogatepass"), 0o666 & ~mask, _owner(uid, gid))
                return path.with_name(name)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


@contextlib.contextmanager
def _written(path: Path, directory: str) -> Iterator[tuple[int, str]]:
    """Give the directory of a file that is written, and its name there; refuse it with what the system says."""
    try:
        with opened(path, directory) as (descriptor, name), directory_of(descriptor, name) as found:
            yield found
    except OSError as error:
        raise LabError(
            f"The notebook's outputs could not be written to {path}.",
            f"{error.strerror or error}.",
            "Put the notebook into a folder that you may write in, and run it again.",
        ) from None


def _owner(uid: int | None, gid: int | None) -> tuple[int, int] | None:
    return (uid, gid if gid is not None else -1) if uid is not None and os.geteuid() == 0 else None


def _is_taken(here: int, name: str, source: str) -> bool:
    try:
        return not _notebook_program.is_marked(read_below(here, name, MAX_BYTES).decode(errors="surrogatepass"), source)
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    except OSError as error:
        return error.errno != errno.ELOOP


def save(
    text: str, path: Path, uid: int | None, gid: int | None, directory: str, copy: str = ""
) -> tuple[Path | None, LabError | None]:
    """Write the outputs of a notebook beside it, or else where the logs of runs are; return where, and why not there.

    What a run of hours has found is not lost for a disk that is full by now. ``copy`` is the one that the lab keeps.
    """
    output = output_of(path)
    try:
        return write(text, output, uid, gid, directory, str(path)), None
    except LabError as error:
        found = error
    state = state_directory(os.environ, os.geteuid())
    if state is not None:
        runs = state / _notebook_program.RUNS
        with contextlib.suppress(OSError, LabError):
            with as_caller(os.environ):
                os.close(open_made(str(runs)))
            kept = write(text, runs / output.name, uid, gid, source=str(path))
            return kept, LabError(found.what, found.why, f"They are in {kept}: move them to where you want them.")
    do = f"The lab keeps a copy, {copy}. Open it there: ./lab open" if copy else found.do
    return None, LabError(found.what, found.why, do)


def order(notebook: str, path: Path, directory: str) -> bytes:
    """Return what the program is given: its own text comes first, so that nothing has to be in the image."""
    inside = f"synced/{path.relative_to(directory)}" if directory and path.is_relative_to(directory) else ""
    return PROGRAM + json.dumps({"notebook": notebook, "inside": inside, "path": str(path)}).encode() + b"\n"


class Run:
    """The run of a notebook, from the lines of the program. Whoever controls the lab controls them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.cells = self.of = 0
        self.seconds = 0.0
        self.copy = ""

    def word(self, line: bytes | str) -> Underway | Finished:
        """Parse the line of a cell that begins or has ended; return what is shown of it. Raises BadAnswer."""
        said = mapping(strict_json(line, MAX_LINE))
        number = whole_number(said.get("cell"), 1, MAX_CELLS)
        if set(said) == {"cell", "of", "title"}:
            if number != self.cells + 1 or not isinstance(said["title"], str):
                raise BadAnswer("a cell begins out of turn")
            self.cells, self.of = number, whole_number(said["of"], number, MAX_CELLS)
            self._title = one_line(said["title"])
            return Underway(f"{self._name}: cell {number} of {self.of}")
        mapping(said, ("cell", "seconds", "good"))
        seconds = said["seconds"]
        if number != self.cells or isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
            raise BadAnswer("a cell ends that did not begin")
        self.seconds += seconds
        return Finished(f"{number} {self._title}", seconds, good=truth(said["good"]))

    def end(self, line: bytes | str) -> tuple[str, str, str]:
        """Return the notebook with its outputs, its error in one line, and where that came from. Raises BadAnswer."""
        said = mapping(strict_json(line, 2 * MAX_BYTES))
        self.copy = shown(str(said.pop("copy", "")), 300)
        if set(said) == {"refused"} and said["refused"] in _REFUSALS:
            raise LabError(f"The notebook {self._name} cannot run in this lab.", *_REFUSALS[said["refused"]])
        mapping(said, ("notebook", "error"))
        if not isinstance(said["notebook"], str):
            raise BadAnswer("it has no notebook")
        if said["error"] is None:
            return said["notebook"], "", ""
        if len(sequence(said["error"])) != 3:
            raise BadAnswer("it has an error of another shape")
        name, value, traceback = map(str, said["error"])
        return said["notebook"], error_text(name, value), clean(traceback)


def error_text(name: str, value: str) -> str:
    """Return an error as the one line that says the most: its name, and the first line of what it says."""
    if not name:
        return _DIED
    said = next((line.strip() for line in clean(value).splitlines() if line.strip()), "")
    return shown(f"{name}: {said}" if said else name, 500)


def lost(code: int, errors: str) -> LabError:
    """Return the failure of a program that ended without saying how the notebook ran."""
    said = next((one_line(line) for line in reversed(errors.splitlines()) if line.strip()), "")
    if "executable file not found" in said or code == 127:
        return LabError(
            "The notebook cannot run in this lab.",
            "The lab's image has no Python 3 that is called python3.",
            "Use an image with Jupyter: -e lab_image=…",
        )
    return LabError(
        "The lab stopped answering.",
        f"The program that runs the notebook ended with {code}{f' ({shown(said)})' if said else ''}.",
        "See whether it runs with ./lab status, then run the same command again.",
    )


def verdict(
    path: Path, run: Run, error: str, traceback: str, output: Path | None, unwritten: LabError | None = None
) -> dict[str, t.Any]:
    """Return the verdict on a run. ``output`` is where its outputs are, None if they could not be written."""
    usual = output_of(path)
    done = {
        "changed": True,
        "output": str(output or ""),
        "kept": str(usual) if output not in (usual, None) and not unwritten else "",
        "cells": run.cells,
        "of": run.of,
        "seconds": run.seconds,
        "error": error,
        "traceback": traceback,
    }
    stopped = LabError(
        f"The notebook {path.name} stopped at cell {run.cells} of {run.of}.",
        error,
        f"See the cell and what it printed in {output}." if output or not unwritten else unwritten.do,
    )
    errors = [*([stopped] if error else []), *([unwritten] if unwritten else [])]
    if errors:
        return {**done, "failed": True, **failure(errors)}
    return {**done, "msg": f"{run.cells} cell{'' if run.cells == 1 else 's'} in {duration(run.seconds)}"}
