# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the notebooks of the programs in examples/, and the copies of both that the embedded image holds.

A line "# %%" begins a cell: of code; with [markdown], of text; with [notebook], of code that only the notebook has.
What follows [program], and what precedes the first cell, is in the program alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
IMAGE = ROOT / "roles/image/files/embedded/examples"


def cells(program: str) -> list[dict[str, object]]:
    """Return the notebook's cells."""
    made: list[dict[str, object]] = []
    for number, (kind, text) in enumerate(re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n?)*)", program, re.MULTILINE)):
        kind = kind.strip()
        if kind == "[program]":
            continue
        source = re.sub(r"^# ?", "", text, flags=re.MULTILINE) if kind else text
        lines = source.strip("\n").splitlines(keepends=True)
        cell: dict[str, object] = {"id": f"cell-{number}", "metadata": {}, "source": lines}
        if kind == "[markdown]":
            made.append({"cell_type": "markdown", **cell})
        else:
            made.append({"cell_type": "code", "execution_count": None, "outputs": [], **cell})
    return made


def notebook(program: str) -> str:
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": cells(program), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    made = {}
    for path in sorted(EXAMPLES.glob("*.py")):
        program = path.read_text(encoding="utf-8")
        made[path.with_suffix(".ipynb")] = made[IMAGE / f"{path.stem}.ipynb"] = notebook(program)
        made[IMAGE / path.name] = program
    return made


if __name__ == "__main__":
    IMAGE.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
