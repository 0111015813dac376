# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notebooks as data: which cells run, and what a kernel's messages make of their outputs.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = dict[str, Any]
Output = dict[str, Any]

# The tags by which nbclient and Jupyter Book know such cells, too.
MAY_RAISE = "raises-exception"
SKIPPED = "skip-execution"

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_OUTPUTS = ("stream", "display_data", "execute_result", "error")


@dataclass
class Outputs:
    """The outputs of a cell, as they grow message by message."""

    made: list[Output] = field(default_factory=list)
    clear_next: bool = False


def text_of(value: str | Sequence[str]) -> str:
    """Return a text that a notebook may keep as one string or as its lines."""
    return value if isinstance(value, str) else "".join(value)


def tags_of(cell: Mapping[str, Any]) -> Sequence[str]:
    """Return the tags of a cell."""
    return cell.get("metadata", {}).get("tags", ())


def cells_to_run(notebook: Mapping[str, Any]) -> list[Cell]:
    """Return the cells that are to run, in order: code that is not empty and is not tagged to be left out."""
    return [
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and text_of(cell["source"]).strip() and SKIPPED not in tags_of(cell)
    ]


def title_of(cell: Mapping[str, Any]) -> str:
    """Return the first line of a cell that says something: its comment if it begins with one."""
    lines = [line.strip() for line in text_of(cell["source"]).splitlines()]
    return next((line.strip("# ") for line in lines if line.strip("# ")), "")


def kernel_for(notebook: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """Return the kernel of a server that runs a notebook: the one it names, else the server's own if its language fits.

    ``known`` is what a server tells of its kernels. Empty means that it has none that fits.
    """
    about = notebook.get("metadata", {})
    named = about.get("kernelspec", {}).get("name", "")
    if named in known["kernelspecs"]:
        return named
    wanted = about.get("language_info", {}).get("name") or about.get("kernelspec", {}).get("language") or "python"
    spoken = known["kernelspecs"].get(known["default"], {}).get("spec", {}).get("language", "")
    return known["default"] if spoken.lower() == wanted.lower() else ""


def add_output(outputs: Outputs, kind: str, content: Mapping[str, Any]) -> None:
    """Let a message of a kernel change the outputs of a cell."""
    if kind == "clear_output":
        outputs.clear_next = bool(content.get("wait"))
        if not outputs.clear_next:
            outputs.made.clear()
        return
    if kind == "update_display_data":
        update(outputs.made, content)
        return
    if kind not in _OUTPUTS:
        return
    if outputs.clear_next:
        outputs.made.clear()
        outputs.clear_next = False
    last = outputs.made[-1] if outputs.made else {}
    if kind == "stream" and last.get("output_type") == "stream" and last["name"] == content["name"]:
        last["text"] += content["text"]
    else:
        outputs.made.append(output_of(kind, content))


def output_of(kind: str, content: Mapping[str, Any]) -> Output:
    """Return a message of a kernel as an output of a cell."""
    if kind == "stream":
        return {"output_type": kind, "name": content["name"], "text": content["text"]}
    if kind == "error":
        return {"output_type": kind, **{name: content[name] for name in ("ename", "evalue", "traceback")}}
    output = {"output_type": kind, "data": dict(content["data"]), "metadata": dict(content.get("metadata", {}))}
    if kind == "execute_result":
        output["execution_count"] = content.get("execution_count")
    # Not a part of the format of notebooks: taken out again when the notebook is complete.
    identity = content.get("transient", {}).get("display_id")
    return {**output, "display_id": identity} if identity else output


def update(made: Sequence[Output], content: Mapping[str, Any]) -> None:
    """Let what a kernel shows anew take the place of what it showed under the same name."""
    for output in made:
        if output.get("display_id") == content.get("transient", {}).get("display_id"):
            output["data"] = dict(content["data"])
            output["metadata"] = dict(content.get("metadata", {}))


def finish(notebook: Mapping[str, Any]) -> None:
    """Take out of a notebook what only its run needed to know."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output.pop("display_id", None)


def error_text(content: Mapping[str, Any]) -> str:
    """Return an error as the one line that says the most: its name, and the first line of what it says."""
    said = next((line.strip() for line in _ESCAPES.sub("", content.get("evalue", "")).splitlines() if line.strip()), "")
    return f"{content.get('ename', 'Error')}: {said}" if said else content.get("ename", "Error")
