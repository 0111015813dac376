# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the terminal of a person shows in the end."""

import re
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from conftest import PICTURES
from recording import screen, svg

ours = pytest.mark.kinds("local-host")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


@ours
def test_terminal_ends_with_a_line_a_step_and_the_box_and_no_trace_of_the_clock(lab):
    lines = [STYLE.sub("", line) for line in screen(lab.shown)]
    assert "…" in STYLE.sub("", lab.shown)
    assert not [line for line in lines if line.startswith("  …")]
    steps = [line for line in lines if line.startswith("  ✓ ")]
    assert len(steps) == 6
    assert all(re.search(r"\d s$", line) for line in steps)
    assert f"  Open   {lab.url}" in lines
    assert re.fullmatch(r"  ok=\d+ changed=\d+ failed=0 · .* s", [line for line in lines if line][-1])


@ours
def test_picture_of_the_terminal_shows_what_was_there_but_no_secret(lab):
    token = re.search(r"token=(\w+)", lab.url)[1]
    known = {token: "…", str(lab.folder): "/home/ann/desi", str(urlsplit(lab.url).port): "8888"}
    known |= {f" -e lab_name={lab.name}": "", f"Lab {lab.name}": f"Lab {'desi':{len(lab.name)}}"}
    lines = screen(lab.shown)
    for word, instead in known.items():
        lines = [line.replace(word, instead) for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    drawn = svg(["\x1b[1m$ ./lab demo -e lab_release=dr1\x1b[0m", *lines])
    text = "".join(ElementTree.fromstring(drawn).itertext()).replace("\u00a0", " ")  # noqa: S314 - our own
    assert "✓ Docker Engine" in text
    assert "token=…" in text
    assert token not in text
    if PICTURES:
        (Path(PICTURES) / "pictures").mkdir(parents=True, exist_ok=True)
        (Path(PICTURES) / "pictures" / "demo.svg").write_text(drawn)
