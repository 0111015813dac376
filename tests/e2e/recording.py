# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command shows on a terminal, and that as a picture."""

from __future__ import annotations

import os
import pty
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

COLUMNS, LETTER, LINE, EDGE = 100, 8.43, 19, 16
STYLES = {"1": "font-weight:bold", "2": "opacity:.6", "31": "fill:#f47067", "32": "fill:#6bc46d", "33": "fill:#daaa3f"}
_STYLE = re.compile(r"\x1b\[([0-9;]*)m")
_MOVES = re.compile(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]")


def on_terminal(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """Run a command on a terminal of its own; return its exit code and all that it wrote there."""
    number, terminal = pty.fork()
    if number == 0:
        os.chdir(folder)
        os.execvpe(command[0], command, {**environment, "TERM": "xterm", "COLUMNS": str(COLUMNS)})  # noqa: S606 - no shell is wanted
    said = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        said += data
    os.close(terminal)
    _number, status = os.waitpid(number, 0)
    return os.waitstatus_to_exitcode(status), said.decode(errors="replace")


def screen(said: str) -> list[str]:
    """Return the lines that stand there in the end: a line that was drawn over is gone."""
    lines = said.replace("\r\n", "\n").split("\n")
    return [_MOVES.sub("", line.split("\r")[-1]).rstrip() for line in lines]


def svg(lines: Sequence[str]) -> str:
    """Draw lines of a terminal, in their colors."""
    width, height = COLUMNS * LETTER + 2 * EDGE, len(lines) * LINE + 2 * EDGE
    rows = [
        f'<text x="{EDGE}" y="{EDGE + LINE * number + 14}">{"".join(spans(line))}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" font-size="14" '
            'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" fill="#e6edf3">',
            '<rect width="100%" height="100%" rx="8" fill="#161b22"/>',
            *rows,
            "</svg>\n",
        ]
    )


def spans(line: str) -> Iterator[str]:
    """Yield the parts of a line, each in its style."""
    style = ""
    for number, part in enumerate(_STYLE.split(line)):
        if number % 2:
            style = ";".join(STYLES[code] for code in part.split(";") if code in STYLES)
        elif part:
            words = escape(part).replace(" ", "\u00a0")
            yield f'<tspan style="{style}">{words}</tspan>' if style else f"<tspan>{words}</tspan>"
