# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a notebook of this computer in a lab."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.files import open_directory, read_below, write_beside
from ansible_collections.desi.lab.plugins.module_utils._common.privileges import as_caller
from ansible_collections.desi.lab.plugins.module_utils._common.progress import Finished, Underway
from ansible_collections.desi.lab.plugins.module_utils._jupyter.client import Kernel, Server
from ansible_collections.desi.lab.plugins.module_utils._jupyter.notebook import (
    MAY_RAISE,
    Cell,
    Outputs,
    add_output,
    cells_to_run,
    error_text,
    finish,
    kernel_for,
    tags_of,
    text_of,
    title_of,
)

# In the lab, where a notebook runs that is not in its folder.
RUNS = "runs"
# A notebook with many pictures has some megabytes.
MAX_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Ran:
    """How a notebook ran: how many of its cells, how long, and the first error if there was one."""

    cells: int
    of: int
    seconds: float
    error: str = ""
    traceback: str = ""


@contextlib.contextmanager
def opened(path: Path, folder: str) -> Iterator[tuple[int, str]]:
    """Give a directory, as a descriptor, and the name of a notebook below it.

    In the folder that a lab shows, it may have laid links: none of them is followed. Under sudo this is done with the
    rights of whoever called it.
    """
    with as_caller(os.environ):
        top = Path(folder) if folder and path.is_relative_to(folder) else path.parent
        descriptor = open_directory(str(top))
        try:
            yield descriptor, str(path.relative_to(top))
        finally:
            os.close(descriptor)


def read(path: Path, folder: str = "") -> dict[str, Any]:
    """Read a notebook of any version, as one of the present version. A link is none."""
    try:
        with opened(path, folder) as (descriptor, name):
            text = read_below(descriptor, name, MAX_BYTES).decode("utf-8")
        return nbformat.reads(text, as_version=4)
    except OSError as error:
        why = f"{error.strerror or error}."
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            why = "It is a link, or lies behind one, and a lab might have laid that."
    except Exception:  # nbformat lets through what JSON, its schema and its converters raise
        why = "It is not a notebook of Jupyter's."
    raise LabError(f"The notebook {path} cannot be read.", why, "Give the path of a file that ends in .ipynb.")


def output_of(path: Path) -> Path:
    """Return where the notebook with its outputs is written: beside it."""
    return path.with_name(f"{path.stem}.run.ipynb")


def place_of(server: Server, path: Path, folder: str) -> str:
    """Return where in the server a notebook runs: in place if it lies in the folder that the lab shows, else apart.

    ``folder`` is that folder on this computer; in the lab it is called synced.
    """
    if folder and path.is_relative_to(folder):
        place = f"synced/{path.relative_to(folder)}"
        if server.ask("GET", f"contents/{place}?content=0"):
            return place
    top = server.ask("GET", "contents/")
    homes = [entry["path"] for entry in (top, *top["content"]) if entry["type"] == "directory" and entry["writable"]]
    if not homes:
        raise LabError(
            f"The notebook {path} cannot run in this lab.",
            "The lab's server has no folder in which it may write.",
            "Put the notebook into the folder that the lab shows as synced.",
        )
    apart = f"{homes[0]}/{RUNS}".lstrip("/")
    server.ask("PUT", f"contents/{apart}", {"type": "directory"})
    return f"{apart}/{path.name}"


def run(
    server: Server, path: Path, folder: str, tell: Callable[[Underway | Finished], None]
) -> tuple[dict[str, Any], Ran]:
    """Run a notebook; return it with its outputs, and how it ran."""
    notebook = read(path, folder)
    name = kernel_for(notebook, server.ask("GET", "kernelspecs"))
    if not name:
        raise LabError(
            f"The notebook {path} cannot run in this lab.",
            "The lab has no kernel for its language.",
            "Run it in a lab with an image that has one: -e lab_image=…",
        )
    place = place_of(server, path, folder)
    with server.kernel(name, place) as kernel:
        ran = run_cells(kernel, notebook, path.name, tell)
    finish(notebook)
    if not place.startswith("synced/"):
        server.ask("PUT", f"contents/{place}", {"type": "notebook", "content": notebook})
    return notebook, ran


def run_cells(
    kernel: Kernel, notebook: Mapping[str, Any], name: str, tell: Callable[[Underway | Finished], None]
) -> Ran:
    """Run the cells of a notebook up to the first that fails."""
    cells = cells_to_run(notebook)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    begun = time.monotonic()
    for number, cell in enumerate(cells, 1):
        tell(Underway(f"{name}: cell {number} of {len(cells)}"))
        since = time.monotonic()
        error, traceback = run_cell(kernel, cell)
        tell(Finished(f"{number} {title_of(cell)}", time.monotonic() - since, good=not error))
        if error:
            return Ran(number, len(cells), time.monotonic() - begun, error, traceback)
    return Ran(len(cells), len(cells), time.monotonic() - begun)


def run_cell(kernel: Kernel, cell: Cell) -> tuple[str, str]:
    """Run a cell into its outputs; return its error and where that came from, or nothing."""
    outputs, failure = Outputs(cell["outputs"]), {}
    may_raise = MAY_RAISE in tags_of(cell)
    try:
        for kind, content in kernel.execute(text_of(cell["source"]), stop_on_error=not may_raise):
            add_output(outputs, kind, content)
            if kind == "execute_reply":
                cell["execution_count"] = content.get("execution_count")
                failure = content if content["status"] != "ok" and not may_raise else {}
    except LabError as error:
        return f"{error.what} {error.why}", ""
    return (error_text(failure), "\n".join(failure.get("traceback", ()))) if failure else ("", "")


def write(
    notebook: Mapping[str, Any], path: Path, uid: int | None = None, gid: int | None = None, folder: str = ""
) -> None:
    """Write a notebook so that a reader sees the old one or the new one, and let it belong to somebody.

    A link at its name is replaced and not followed.
    """
    data = nbformat.writes(nbformat.from_dict(notebook)).encode("utf-8", "surrogatepass")
    mask = os.umask(0)
    os.umask(mask)
    try:
        with opened(path, folder) as (descriptor, name):
            owner = (uid, gid if gid is not None else -1) if uid is not None and os.geteuid() == 0 else None
            write_beside(descriptor, name, data + b"\n", 0o666 & ~mask, owner)
    except OSError as error:
        raise LabError(
            f"The notebook's outputs could not be written to {path}.",
            f"{error.strerror or error}.",
            "Put the notebook into a folder that you may write in, and run it again.",
        ) from None
